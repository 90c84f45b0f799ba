//! Where records are written.

use std::io;
use std::path::Path;

use common::interrupt::Interrupt;
use common::jsonl::RawLine;
use common::manifest::Coverage;
use common::record::{Agreement, Failure, Record, Severity};
use common::stage::Output;
use common::ui::Ui;

/// Writes the records of all passes. Failures and disagreements are also reported to the user.
pub(crate) struct Writer {
    output: Output,
    ui: Ui,
    interrupt: Interrupt,
    /// Number of records written that hold a task's files.
    usable: u64,
}

impl Writer {
    /// A writer to `output`.
    pub(crate) fn new(output: Output, ui: &Ui, interrupt: &Interrupt) -> Self {
        Self { output, ui: ui.clone(), interrupt: interrupt.clone(), usable: 0 }
    }

    /// Writes one record.
    pub(crate) fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Failure(failure) => self.report(failure),
            Record::Agreement(agreement) => self.report_disagreements(agreement),
            Record::Files(_) => self.usable += 1,
            _ => {}
        }
        let written = self.output.record(record);
        self.unless_interrupted(written)
    }

    /// Starts the manifest at this path. Until then, nothing in the run directory is changed: the input may be
    /// the wrong one.
    pub(crate) fn keep_at(&mut self, manifest: Option<&Path>, coverage: Coverage) -> io::Result<()> {
        self.output.keep_at(manifest, coverage)
    }

    /// Passes a line on unchanged.
    pub(crate) fn raw(&mut self, line: &RawLine) -> io::Result<()> {
        let written = self.output.raw(line);
        self.unless_interrupted(written)
    }

    /// Number of tasks written with their files.
    pub(crate) fn usable(&self) -> u64 {
        self.usable
    }

    /// Ends the output: the manifest takes its place in the run directory.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.output.finish()
    }

    /// Ctrl-C in a pipe ends the reader of the output first. What is still finished then is in the journal.
    fn unless_interrupted(&self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.interrupt.urgency().is_some() => {
                Ok(())
            }
            other => other,
        }
    }

    fn report(&self, failure: &Failure) {
        let what = failure.task.as_deref().unwrap_or("plan");
        self.ui.error(format_args!("{what}: {}", failure.message));
    }

    fn report_disagreements(&self, agreement: &Agreement) {
        for issue in &agreement.issues {
            let message = format!("{}: {}", agreement.task, issue.message);
            match issue.severity {
                Severity::Error => self.ui.error(message),
                Severity::Warning => self.ui.warn(message),
            }
        }
    }
}
