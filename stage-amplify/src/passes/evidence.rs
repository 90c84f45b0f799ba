//! The computed statuses of a task's privileged information.

use std::collections::BTreeMap;
use std::path::Path;

use task_spec::checklist::{EVIDENCE, Facts, Finding, environment_text, settle};
use task_spec::{pyjson, python};

/// Computes the statuses in the evidence of a task in the environment at `root`, and writes them into it. Nothing is
/// done if there is none, or none that can be parsed. Returns the key and the finding of each item.
pub(super) fn settle_statuses(files: &mut BTreeMap<String, String>, root: &Path) -> Vec<(String, Finding)> {
    let Some(evidence) = files.get(EVIDENCE).and_then(|text| pyjson::parse(text).ok()) else {
        return Vec::new();
    };
    let spec = files.get("task.json").and_then(|text| pyjson::parse(text).ok());
    let verifier = files.get("verifier.py").and_then(|source| python::parse(source.as_bytes()).ok());
    let text = |name: &str| files.get(name).cloned().or_else(|| environment_text(root, name));
    let facts = Facts::new(spec.as_ref(), verifier.as_ref(), &text);
    let Some(settled) = settle(&evidence, &facts) else { return Vec::new() };
    files.insert(EVIDENCE.to_owned(), settled.text);
    settled.findings
}
