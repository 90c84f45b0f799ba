//! `--format text`: plain text for people, with gym-anything's words.

use std::io::{self, Write};

use common::record::Issue;
use common::text::escape;

use super::counts::Counts;
use super::summary::kind_name;
use super::tables::severity_name;
use crate::check::CheckedSpec;
use crate::settings::SummaryScope;

pub(super) fn write_spec(out: &mut dyn Write, spec: &CheckedSpec) -> io::Result<()> {
    let findings = &spec.findings;
    let path = findings.path.to_string_lossy();
    let name = findings.spec_id.as_deref().filter(|id| !id.is_empty()).unwrap_or(&path);
    let status = if spec.ok { "OK" } else { "FAIL" };
    writeln!(out, "[{status}] {}: {}", kind_name(findings.kind), escape(name))?;
    findings.issues.iter().try_for_each(|issue| write_issue(out, issue))
}

pub(super) fn write_totals(out: &mut dyn Write, counts: Counts, scope: &SummaryScope) -> io::Result<()> {
    writeln!(out, "Scope: {}", scope.name)?;
    writeln!(out, "Root: {}", escape(&scope.root.to_string_lossy()))?;
    writeln!(out, "Records: {}", counts.verdicts)?;
    writeln!(out, "Failed records: {}", counts.bad)?;
    writeln!(out, "Errors: {}", counts.errors)?;
    writeln!(out, "Warnings: {}", counts.warnings)
}

/// Writes the findings that are new since the baseline, or fixed.
pub(super) fn write_changes(out: &mut dyn Write, title: &str, findings: &[String]) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}:")?;
    findings.iter().try_for_each(|finding| writeln!(out, "  {}", escape(finding)))
}

fn write_issue(out: &mut dyn Write, issue: &Issue) -> io::Result<()> {
    write!(out, "  - {}:{}", severity_name(issue.severity), issue.code)?;
    if let Some(path) = &issue.path {
        write!(out, " ({})", escape(path))?;
    }
    writeln!(out, ": {}", escape(&issue.message))
}
