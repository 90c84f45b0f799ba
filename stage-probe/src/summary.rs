//! The summary at the end of a run.

use std::collections::BTreeMap;

use common::record::{Outcome, Probe, Severity};
use common::ui::Ui;

/// Counts of outcomes by state, and of issues by code.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    tasks: usize,
    bad: usize,
    unjudged: usize,
    states: BTreeMap<String, [usize; 4]>,
    issues: BTreeMap<(Severity, String), usize>,
    mutants: usize,
    caught: usize,
}

impl Summary {
    /// Counts a record, and prints its issues.
    pub(crate) fn count(&mut self, probe: &Probe, ui: &Ui) {
        self.tasks += 1;
        if !probe.ok {
            *if probe.is_unjudged() { &mut self.unjudged } else { &mut self.bad } += 1;
        }
        for state in &probe.states {
            let column = match state.outcome {
                Outcome::Pass => 0,
                Outcome::Fail => 1,
                Outcome::Error => 2,
                Outcome::Refused => 3,
            };
            let counts = self.states.entry(state.state.clone()).or_default();
            if let Some(count) = counts.get_mut(column) {
                *count += 1;
            }
        }
        for issue in &probe.issues {
            *self.issues.entry((issue.severity, issue.code.clone())).or_default() += 1;
            let line = format!("{}/{}: {}: {}", probe.env, probe.task, issue.code, issue.message);
            match issue.severity {
                Severity::Error => ui.info(line),
                Severity::Warning => ui.debug(line),
            }
        }
        if let Some(mutation) = &probe.mutation {
            self.mutants += mutation.mutants;
            self.caught += mutation.caught;
            ui.debug(format_args!(
                "{}/{}: {} of {} mutants caught",
                probe.env, probe.task, mutation.caught, mutation.mutants
            ));
        }
    }

    /// Whether any task is bad or unjudged.
    pub(crate) fn any_failed(&self) -> bool {
        self.bad + self.unjudged > 0
    }

    /// Prints the summary.
    pub(crate) fn show(&self, ui: &Ui) {
        ui.info(format_args!("{} tasks probed, {} of them bad", self.tasks, self.bad));
        if self.unjudged > 0 {
            ui.info(format_args!("{} tasks could not be judged on this machine", self.unjudged));
        }
        if !self.states.is_empty() {
            ui.info(format_args!(
                "{:<22} {:>7} {:>7} {:>7} {:>7}",
                "state", "pass", "fail", "error", "refused"
            ));
        }
        for (state, [pass, fail, error, refused]) in &self.states {
            ui.info(format_args!("{state:<22} {pass:>7} {fail:>7} {error:>7} {refused:>7}"));
        }
        for ((severity, code), count) in &self.issues {
            let severity = if *severity == Severity::Error { "error" } else { "warning" };
            ui.info(format_args!("{severity:<8} {code:<28} {count:>6}"));
        }
        if self.mutants > 0 {
            ui.info(format_args!("{} of {} mutants caught", self.caught, self.mutants));
        }
    }
}
