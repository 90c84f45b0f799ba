//! `--format summary-json`: one JSON object with the keys of gym-anything's `--json`.

use std::io::{self, Write};

use anyhow::Result;
use common::record::{Issue, SpecKind};
use serde::Serialize;

use crate::check::CheckedSpec;
use crate::settings::SummaryScope;

/// Writes the object record by record, so that memory does not grow with the corpus.
pub(super) struct SummaryWriter {
    out: Box<dyn Write>,
    is_empty: bool,
}

/// A record of the summary.
#[derive(Serialize)]
struct SummaryRecord<'a> {
    issues: &'a [Issue],
    kind: &'static str,
    path: &'a str,
    spec_id: Option<&'a str>,
}

impl SummaryWriter {
    pub(super) fn new(out: Box<dyn Write>) -> Self {
        Self { out, is_empty: true }
    }

    pub(super) fn write(&mut self, spec: &CheckedSpec) -> Result<()> {
        let findings = &spec.findings;
        let record = SummaryRecord {
            issues: &findings.issues,
            kind: kind_name(findings.kind),
            path: &findings.path.to_string_lossy(),
            spec_id: findings.spec_id.as_deref(),
        };
        self.out.write_all(if self.is_empty { b"{\"records\": [\n" } else { b",\n" })?;
        self.is_empty = false;
        Ok(serde_json::to_writer(&mut self.out, &record).map_err(io::Error::from)?)
    }

    pub(super) fn finish(mut self, scope: &SummaryScope) -> Result<()> {
        let root = serde_json::to_string(&scope.root.to_string_lossy())?;
        let start = if self.is_empty { "{\"records\": [" } else { "\n" };
        writeln!(self.out, "{start}],\n\"root\": {root},\n\"scope\": \"{}\"}}", scope.name)?;
        Ok(self.out.flush()?)
    }
}

/// gym-anything's name for a kind of spec.
pub(super) fn kind_name(kind: SpecKind) -> &'static str {
    match kind {
        SpecKind::Env => "env",
        SpecKind::Task => "task",
    }
}
