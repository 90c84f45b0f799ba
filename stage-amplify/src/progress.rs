//! What a person sees of the passes while they run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::record::Usage;
use common::text::count;
use common::ui::{Part, Status, Ui, Watched, duration};
use model_client::{Activity, Totals, Watch};

/// What the passes have done so far. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Steps(Arc<Mutex<Done>>);

#[derive(Default)]
struct Done {
    /// The number of usable answers by pass; of rows in the plan pass.
    steps: BTreeMap<&'static str, u64>,
    /// The number of tasks that need no further step.
    finished: u64,
    failed: u64,
}

impl Steps {
    /// This many more steps of a pass are done.
    pub(crate) fn add(&self, pass: &'static str, steps: u64) {
        *self.done().steps.entry(pass).or_default() += steps;
    }

    /// One more task is finished, though a step of it may have failed.
    pub(crate) fn finished(&self) {
        self.done().finished += 1;
    }

    /// The passes begin again, with more answers in the journal.
    pub(crate) fn restart(&self) {
        *self.done() = Done::default();
    }

    /// One more task failed.
    pub(crate) fn failed(&self) {
        self.done().failed += 1;
    }

    /// Shows the progress of these passes over `total` tasks, if their number is known.
    pub(crate) fn show(
        &self,
        ui: &Ui,
        watch: Watch,
        passes: Vec<&'static str>,
        total: Option<u64>,
    ) -> Watched {
        let (steps, since) = (self.clone(), Instant::now());
        let before = watch.totals();
        ui.watch(move || {
            let view = View {
                done: &steps.done(),
                passes: &passes,
                total,
                elapsed: since.elapsed(),
                totals: watch.totals(),
                before: before.answers,
                activity: watch.activity(),
            };
            view.status()
        })
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that the progress row is made of.
struct View<'a> {
    done: &'a Done,
    passes: &'a [&'static str],
    total: Option<u64>,
    elapsed: Duration,
    totals: Totals,
    /// The number of answers of the model when these passes began.
    before: u64,
    activity: Activity,
}

impl View<'_> {
    fn status(&self) -> Status {
        let Self { activity, totals, done, .. } = self;
        let bar = self.total.map(|total| Part::bar(self.steps(), total * self.passes.len() as u64));
        let failed = (done.failed > 0).then(|| Part::new(4, format!("{} failed", done.failed)));
        let parts = [
            bar,
            Some(self.passes()),
            failed,
            Some(Part::new(1, format!("{} in flight", activity.in_flight))),
            self.queued(),
            self.batches(),
            self.retrying(),
            Some(Part::new(9, tokens(&totals.usage))),
            Some(Part::new(1, totals.cost_so_far())),
            Some(Part::new(8, format!("{} so far", duration(self.elapsed)))),
            Some(self.left()),
        ];
        Status {
            parts: parts.into_iter().flatten().collect(),
            moved: totals.answers + totals.journalled + activity.pieces + done.failed,
            reason: self.reason(),
        }
    }

    /// How far each pass is, and in short how many tasks are done.
    fn passes(&self) -> Part {
        let of = |sign: &str| self.total.map(|total| format!("{sign}{total}")).unwrap_or_default();
        let all = self.each_pass(&of("/"));
        match self.passes {
            [_, _, ..] => {
                let tasks = format!("{}{}", self.done.finished, of("/"));
                let each = self.each_pass("") + &of(" of ");
                Part::new(5, all).or(5, each).or(4, format!("{tasks} tasks")).or(0, tasks)
            }
            _ => Part::new(0, all),
        }
    }

    fn each_pass(&self, of: &str) -> String {
        let shown = |&pass: &&'static str| format!("{} {}{of}", heading(pass), self.step(pass));
        self.passes.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    /// The calls that wait for those of other runs.
    fn queued(&self) -> Option<Part> {
        let queued = self.activity.queued;
        let part = Part::new(6, format!("{queued} waiting for other runs")).or(3, format!("{queued} queued"));
        (queued > 0).then_some(part)
    }

    /// How many requests in batches are done.
    fn batches(&self) -> Option<Part> {
        let (done, all) = self.activity.batches?;
        let part = Part::new(10, format!("{done} of {all} requests in batches done"));
        Some(part.or(1, format!("batches {done}/{all}")))
    }

    /// The calls that wait for their next attempt, until when, and why.
    fn retrying(&self) -> Option<Part> {
        let Activity { retrying, throttled, next_attempt, last_error, .. } = &self.activity;
        let wait = rounded_up((*next_attempt)?);
        let what = if throttled == retrying { "throttled for" } else { "retrying in" };
        let error = last_error.as_deref().unwrap_or_default();
        let part = Part::new(10, format!("{retrying} {what} {wait} ({error})"));
        Some(part.or(6, format!("{retrying} {what} {wait}")).or(3, format!("{retrying} retrying")))
    }

    /// The time that is left at the pace so far.
    fn left(&self) -> Part {
        match self.time_left() {
            Some(left) => Part::new(2, format!("{} left", duration(left))),
            None => Part::new(7, "time left not known yet").or(2, "? left"),
        }
    }

    /// Answers of the journal took no time, so they say nothing about the pace. Calls in flight are half done on
    /// average.
    fn time_left(&self) -> Option<Duration> {
        let missing = (self.total? * self.passes.len() as u64).saturating_sub(self.steps());
        let missing = u32::try_from(missing).ok()?.checked_mul(2)?;
        let answers = u32::try_from(self.totals.answers - self.before).ok().filter(|&answers| answers > 0)?;
        let halves = answers.checked_mul(2)?.checked_add(u32::try_from(self.activity.in_flight).ok()?)?;
        Some(self.elapsed.checked_mul(missing)? / halves)
    }

    /// The steps that are done, or are not needed as their task is finished or failed.
    fn steps(&self) -> u64 {
        let settled = |pass| self.step(pass).max(self.done.finished) + self.done.failed;
        let settled = self.passes.iter().map(|pass| settled(pass).min(self.total.unwrap_or(u64::MAX)));
        settled.sum()
    }

    fn step(&self, pass: &str) -> u64 {
        let steps = self.done.steps.get(pass).copied().unwrap_or_default();
        // READMEs are written again if they are like another one.
        steps.min(self.total.unwrap_or(u64::MAX))
    }

    /// What the run waits for.
    fn reason(&self) -> Option<String> {
        let activity = &self.activity;
        let Activity { in_flight, queued, retrying, silent, next_attempt, last_error, .. } = activity;
        let turns = (*queued > 0)
            .then(|| format!("the ledger holds back {} for other runs", count(*queued as u64, "call")));
        let waiting = silent.as_ref().map(|(label, silence)| {
            let calls = count(*in_flight as u64, "call");
            format!("{calls} in flight, nothing from {label} for {}", duration(*silence))
        });
        let failed = last_error.as_ref().map(|error| {
            let wait = rounded_up(next_attempt.unwrap_or_default());
            format!("{} will be sent again, the first in {wait}: {error}", count(*retrying as u64, "call"))
        });
        let batches = activity
            .batches
            .map(|(done, all)| format!("{done} of {} in batches done", count(all, "request")));
        let reasons: Vec<String> = [failed, waiting, turns, batches].into_iter().flatten().collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

/// What a pass is called in the row.
fn heading(pass: &str) -> &str {
    if pass == "readme" { "README" } else { pass }
}

fn tokens(usage: &Usage) -> String {
    format!("{} tokens in, {} out", thousands(usage.input()), thousands(usage.output()))
}

/// A large number, such as `950`, `12k` or `3.4M`.
fn thousands(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}.{}M", number / 1_000_000, number / 100_000 % 10),
    }
}

/// A wait, never shown as `0s`.
fn rounded_up(wait: Duration) -> String {
    duration(Duration::from_secs(wait.as_secs() + 1))
}
