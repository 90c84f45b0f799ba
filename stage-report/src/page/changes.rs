//! What was changed in a task since the model's first answer: by each repair, and by hand.

use std::collections::BTreeMap;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// Longer files are not compared, in bytes.
const MAX_COMPARED: usize = 100_000;

/// What was changed at one time.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    /// What changed it, for people.
    title: String,
    /// Why, in the words of the repair.
    reasons: Vec<String>,
    files: Vec<Change>,
}

/// A version of a task.
pub(super) struct Version<'a> {
    pub(super) title: String,
    pub(super) reasons: Vec<String>,
    /// Contents by name.
    pub(super) files: &'a BTreeMap<String, String>,
}

/// What each of these versions changed in the one before it. Versions without a change are left out.
pub(super) fn steps(versions: &[Version<'_>]) -> Vec<Step> {
    let step = |pair: &[Version<'_>]| {
        let [before, after] = pair else { return None };
        let files = between(before.files, after.files);
        let (title, reasons) = (after.title.clone(), after.reasons.clone());
        (!files.is_empty()).then_some(Step { title, reasons, files })
    };
    versions.windows(2).filter_map(step).collect()
}

/// A file that was changed.
#[derive(Debug, Serialize)]
struct Change {
    name: String,
    lines: Vec<Line>,
}

/// A line of a difference.
#[derive(Debug, Serialize)]
struct Line {
    /// `add`, `del`, `same` or `gap`.
    kind: &'static str,
    text: String,
}

/// The changed files. `before` and `after` are contents by name.
fn between(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (name, new) in after {
        let Some(old) = before.get(name) else { continue };
        if old != new && old.len().max(new.len()) <= MAX_COMPARED {
            changes.push(Change { name: name.clone(), lines: lines(old, new) });
        }
    }
    changes
}

fn lines(old: &str, new: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let diff = TextDiff::from_lines(old, new);
    for (number, group) in diff.grouped_ops(3).iter().enumerate() {
        if number > 0 {
            lines.push(Line { kind: "gap", text: "…".to_owned() });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let kind = match change.tag() {
                ChangeTag::Insert => "add",
                ChangeTag::Delete => "del",
                ChangeTag::Equal => "same",
            };
            lines.push(Line { kind, text: change.value().trim_end_matches('\n').to_owned() });
        }
    }
    lines
}
