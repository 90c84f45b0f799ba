//! The tables at the end of `--format text`: findings by code, and findings by environment.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use common::record::Severity;
use common::text::escape;

use super::counts::Counts;
use crate::check::CheckedSpec;

/// Counts by code and by environment.
#[derive(Default)]
pub(super) struct Tables {
    by_code: BTreeMap<(Severity, String), u64>,
    by_environment: BTreeMap<String, Counts>,
}

impl Tables {
    pub(super) fn add(&mut self, spec: &CheckedSpec) {
        for issue in &spec.findings.issues {
            *self.by_code.entry((issue.severity, issue.code.clone())).or_default() += 1;
        }
        self.by_environment.entry(spec.env.clone()).or_default().add(spec);
    }

    /// Writes the tables, most frequent first. Without findings there are none.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.by_code.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{:>8}  {:8}  code", "findings", "severity")?;
        let mut codes: Vec<_> = self.by_code.iter().collect();
        codes.sort_by_key(|((severity, code), count)| (*severity, Reverse(**count), code));
        for ((severity, code), count) in codes {
            writeln!(out, "{count:>8}  {:8}  {code}", severity_name(*severity))?;
        }
        writeln!(out, "\n{:>8}  {:>8}  {:>8}  {:>8}  environment", "verdicts", "bad", "errors", "warnings")?;
        let mut environments: Vec<_> = self.by_environment.iter().collect();
        environments.retain(|(_, counts)| counts.errors + counts.warnings > 0);
        environments
            .sort_by_key(|(name, counts)| (Reverse((counts.bad, counts.errors, counts.warnings)), *name));
        for (name, Counts { verdicts, bad, errors, warnings, .. }) in environments {
            writeln!(out, "{verdicts:>8}  {bad:>8}  {errors:>8}  {warnings:>8}  {}", escape(name))?;
        }
        Ok(())
    }
}

/// The name of a severity, as in records.
pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
