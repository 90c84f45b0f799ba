//! `--format sarif`: the findings in SARIF 2.1.0, the format that code-scanning services read.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::Result;
use common::environment::Workspace;
use serde::Serialize;
use serde_json::json;

use super::baseline::State;
use super::tables::severity_name;
use crate::check::CheckedSpec;
use crate::lints;

const START: &[u8] = br#"{"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [{"columnKind": "unicodeCodePoints", "results": ["#;

/// Writes finding by finding, so that memory does not grow with the corpus.
pub(super) struct SarifWriter {
    out: Box<dyn Write>,
    is_empty: bool,
    codes: BTreeSet<String>,
}

/// One finding.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultObject<'a> {
    rule_id: &'a str,
    level: &'static str,
    message: serde_json::Value,
    locations: [serde_json::Value; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
}

impl SarifWriter {
    pub(super) fn new(mut out: Box<dyn Write>) -> Result<Self> {
        out.write_all(START)?;
        Ok(Self { out, is_empty: true, codes: BTreeSet::new() })
    }

    pub(super) fn write(
        &mut self,
        spec: &CheckedSpec,
        states: &[State],
        workspace: &Workspace,
    ) -> Result<()> {
        for (index, issue) in spec.findings.issues.iter().enumerate() {
            let path = issue.path.as_ref().map_or(spec.findings.path.as_path(), AsRef::as_ref);
            let location = json!({ "artifactLocation": { "uri": uri(&workspace.relative(path)) } });
            let result = ResultObject {
                rule_id: &issue.code,
                level: severity_name(issue.severity),
                message: json!({ "text": issue.message }),
                locations: [json!({ "physicalLocation": location })],
                baseline_state: states.get(index).map(|state| state.name()),
            };
            self.out.write_all(if self.is_empty { b"\n" } else { b",\n" })?;
            self.is_empty = false;
            serde_json::to_writer(&mut self.out, &result).map_err(io::Error::from)?;
            self.codes.insert(issue.code.clone());
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let rules: Vec<_> = self.codes.iter().map(|code| rule(code)).collect();
        let driver = json!({ "name": crate::STAGE, "version": env!("CARGO_PKG_VERSION"), "rules": rules });
        writeln!(self.out, "\n], \"tool\": {}}}]}}", json!({ "driver": driver }))?;
        Ok(self.out.flush()?)
    }
}

fn rule(code: &str) -> serde_json::Value {
    match lints::explanation(code) {
        Some(text) => json!({ "id": code, "shortDescription": { "text": text } }),
        None => json!({ "id": code }),
    }
}

/// A path as a URI reference: other bytes than unreserved ones and `/` are percent-encoded.
fn uri(path: &str) -> String {
    path.bytes().map(uri_part).collect()
}

fn uri_part(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}
