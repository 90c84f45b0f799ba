//! The summary at the end of a run.

use std::collections::BTreeMap;

use common::record::{Outcome, Severity, Trial};
use common::text::count;
use common::ui::Ui;

/// Counts of trials, of verdicts by episode, and of issues by code.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    tasks: u64,
    bad: u64,
    /// Why tasks were not run, and how many.
    not_run: BTreeMap<String, u64>,
    verdicts: BTreeMap<String, [u64; 3]>,
    issues: BTreeMap<(Severity, String), u64>,
}

impl Summary {
    /// Counts a record, and prints its issues.
    pub(crate) fn add(&mut self, trial: &Trial, ui: &Ui) {
        self.tasks += 1;
        if let Some(reason) = &trial.not_run {
            *self.not_run.entry(reason.clone()).or_default() += 1;
            return;
        }
        self.bad += u64::from(!trial.ok);
        for episode in &trial.episodes {
            let kind = episode.name.split(':').next().unwrap_or_default().to_owned();
            let column = match episode.verdict.as_ref().map(|verdict| verdict.outcome) {
                Some(Outcome::Pass) => 0,
                Some(Outcome::Fail) => 1,
                _ => 2,
            };
            if let Some(number) = self.verdicts.entry(kind).or_default().get_mut(column) {
                *number += 1;
            }
        }
        for issue in &trial.issues {
            *self.issues.entry((issue.severity, issue.code.clone())).or_default() += 1;
            ui.info(format_args!("{}/{}: {}: {}", trial.env, trial.task, issue.code, issue.message));
        }
    }

    /// Whether any task is bad, or was not run although it must be.
    pub(crate) fn any_failed(&self, must_run: bool) -> bool {
        self.bad > 0 || (must_run && !self.not_run.is_empty())
    }

    /// Prints the summary. Its last lines say what was not run.
    pub(crate) fn show(&self, ui: &Ui) {
        let not_run: u64 = self.not_run.values().sum();
        let ran = self.tasks - not_run;
        ui.info(format_args!("{} run in the real software, {} of them bad", count(ran, "task"), self.bad));
        if !self.verdicts.is_empty() {
            ui.info(format_args!("{:<22} {:>7} {:>7} {:>7}", "episode", "pass", "fail", "other"));
        }
        for (kind, [pass, fail, other]) in &self.verdicts {
            ui.info(format_args!("{kind:<22} {pass:>7} {fail:>7} {other:>7}"));
        }
        for ((severity, code), number) in &self.issues {
            let severity = if *severity == Severity::Error { "error" } else { "warning" };
            ui.info(format_args!("{severity:<8} {code:<28} {number:>6}"));
        }
        for (reason, number) in &self.not_run {
            ui.warn(format_args!("{} not run: {reason}", count(*number, "task")));
        }
    }
}
