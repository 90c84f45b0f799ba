//! How many verdicts and issues there were.

use common::record::Severity;
use common::text::count;
use common::ui::Ui;

use crate::check::CheckedSpec;

/// Counts of a run.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) verdicts: u64,
    pub(super) bad: u64,
    pub(super) errors: u64,
    pub(super) warnings: u64,
    /// `task` records that were passed on without a check.
    pub(super) unchecked: u64,
}

impl Counts {
    pub(super) fn add(&mut self, spec: &CheckedSpec) {
        self.verdicts += 1;
        self.bad += u64::from(!spec.ok);
        for issue in &spec.findings.issues {
            match issue.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
            }
        }
    }

    pub(super) fn show(self, ui: &Ui) {
        let Self { verdicts, bad, errors, warnings, unchecked } = self;
        ui.info(format_args!(
            "{}, {bad} of them bad ({}, {})",
            count(verdicts, "verdict"),
            count(errors, "error"),
            count(warnings, "warning")
        ));
        if unchecked > 0 {
            ui.info(format_args!(
                "{} passed on unchecked, because nothing was written",
                count(unchecked, "task record")
            ));
        }
    }
}
