//! `--format csv`: one row for each finding, for spreadsheets. A spec without findings has one row too.

use std::io::{self, Write};

use anyhow::Result;
use common::environment::Workspace;
use common::record::Issue;

use super::baseline::State;
use super::summary::kind_name;
use super::tables::severity_name;
use crate::check::CheckedSpec;

const COLUMNS: [&str; 9] = ["env", "task", "kind", "ok", "severity", "code", "path", "message", "baseline"];

/// Writes the rows.
pub(super) struct CsvWriter(csv::Writer<Box<dyn Write>>);

impl CsvWriter {
    pub(super) fn new(out: Box<dyn Write>) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(COLUMNS).map_err(io_error)?;
        Ok(Self(writer))
    }

    pub(super) fn write(
        &mut self,
        spec: &CheckedSpec,
        states: &[State],
        workspace: &Workspace,
    ) -> Result<()> {
        let spec_path = workspace.relative(&spec.findings.path);
        if spec.findings.issues.is_empty() {
            return self.row(spec, ["", "", &spec_path, "", ""]);
        }
        for (index, issue) in spec.findings.issues.iter().enumerate() {
            let Issue { code, severity, message, path } = issue;
            let path =
                path.as_ref().map_or_else(|| spec_path.clone(), |path| workspace.relative(path.as_ref()));
            let state = states.get(index).map_or("", |state| state.name());
            self.row(spec, [severity_name(*severity), code, &path, message, state])?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }

    fn row(&mut self, spec: &CheckedSpec, finding: [&str; 5]) -> Result<()> {
        let task = spec.task.as_deref().unwrap_or_default();
        let ok = if spec.ok { "true" } else { "false" };
        let start = [spec.env.as_str(), task, kind_name(spec.findings.kind), ok];
        Ok(self.0.write_record(start.into_iter().chain(finding)).map_err(io_error)?)
    }
}

/// The error of the output, which [`common::stage::main`] recognizes.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}
