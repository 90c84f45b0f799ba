//! Writes the results, and counts them.

use anyhow::Result;
use common::exit::ExitStatus;
use common::interrupt::Interrupt;
use common::record::{Record, Task, TaskStatus};
use common::stage::{Output, Tally};
use common::ui::{Progress, Ui};

use crate::unpack::{Done, UNREADABLE};

/// The output of the stage, with counts for its last message.
pub(crate) struct Results {
    output: Output,
    tally: Tally,
    counts: [(TaskStatus, &'static str, u64); 6],
    fixed: u64,
    progress: Progress,
    ui: Ui,
}

impl Results {
    /// Results that go to `output`, of an input with this `tally`. `doing` is the label of the progress bar.
    pub(crate) fn new(output: Output, tally: Tally, doing: &str, ui: &Ui) -> Self {
        let counts = [
            (TaskStatus::Written, "written", 0),
            (TaskStatus::Replaced, "replaced", 0),
            (TaskStatus::Kept, "kept", 0),
            (TaskStatus::Planned, "planned", 0),
            (TaskStatus::Quarantined, "quarantined", 0),
            (TaskStatus::Rejected, "rejected", 0),
        ];
        Self { output, tally, counts, fixed: 0, progress: ui.progress(doing, None), ui: ui.clone() }
    }

    /// Writes a result.
    pub(crate) fn add(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Pass(line) => self.output.raw(&line)?,
            Done::Dropped(dropped) => self.output.record(&Record::Dropped(dropped))?,
            Done::Task(task) => {
                self.count(&task);
                self.output.record(&Record::Task(task))?;
                self.progress.inc(1);
            }
        }
        Ok(())
    }

    fn count(&mut self, task: &Task) {
        for (_, _, count) in self.counts.iter_mut().filter(|(status, _, _)| *status == task.status) {
            *count += 1;
        }
        let name = if task.task.is_empty() { "an answer without a name" } else { &task.task };
        if task.status == TaskStatus::Rejected {
            let reasons = task.problems.iter().filter(|problem| answer::rejects(problem));
            let reasons: Vec<String> =
                reasons.map(|problem| format!("{} ({})", problem.message, problem.code)).collect();
            self.ui.warn(format_args!("rejected {name}: {}", reasons.join("; ")));
        } else if !task.problems.is_empty() {
            let is_fixed = task.status != TaskStatus::Quarantined
                && task.problems.iter().any(|problem| problem.code != UNREADABLE);
            self.fixed += u64::from(is_fixed);
            for problem in &task.problems {
                self.ui.debug(format_args!("{name}: {} ({})", problem.message, problem.code));
            }
        }
    }

    /// Ends the output, reports the counts and returns the exit status. After an interrupt, the manifest stays
    /// unfinished.
    pub(crate) fn finish(self, interrupt: &Interrupt) -> Result<ExitStatus> {
        drop(self.progress);
        let is_interrupted = interrupt.urgency().is_some();
        if is_interrupted {
            self.ui.warn("interrupted; run the same command again to resume");
        } else {
            self.tally.ensure_any()?;
            self.output.finish()?;
        }
        let mut summary: Vec<String> = self
            .counts
            .iter()
            .filter(|(_, _, count)| *count > 0)
            .map(|(_, what, count)| format!("{count} {what}"))
            .collect();
        if self.fixed > 0 {
            summary.push(format!("{} of them fixed", self.fixed));
        }
        let summary = if summary.is_empty() { "nothing to do".to_owned() } else { summary.join(", ") };
        self.ui.info(summary);
        if is_interrupted {
            return Ok(ExitStatus::Interrupted);
        }
        let rejected =
            self.counts.iter().any(|(status, _, count)| *status == TaskStatus::Rejected && *count > 0);
        Ok(ExitStatus::failed_if(rejected || self.ui.errors() > 0))
    }
}
