//! The report: what `--json` writes, and every other form is made from.

use std::collections::BTreeMap;

use common::environment::Workspace;
use serde::Serialize;

use crate::figures::{self, Coverage, EnvironmentFigures, Reason, Step};
use crate::neighbours::{self, Neighbours, Pair};
use crate::progress::Progress;
use crate::source::Run;
use crate::spending::Spending;
use crate::task::Task;

/// Everything that is reported.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The sources.
    pub(crate) runs: Vec<RunFigures>,
    /// The ladder of evidence.
    pub(crate) funnel: Vec<Step>,
    /// Why tasks are bad, or worth a look.
    pub(crate) reasons: Vec<Reason>,
    /// What answers took.
    pub(crate) spending: Spending,
    /// The cost of each task that is not bad, in US dollars, the plan included. `None` without a price or a task.
    pub(crate) dollars_per_usable_task: Option<f64>,
    pub(crate) coverage: Coverage,
    pub(crate) environments: Vec<EnvironmentFigures>,
    /// The most similar tasks of one environment, as places in the list of tasks.
    pub(crate) pairs: Vec<Pair>,
    /// Nearly the same tasks of different environments, likewise.
    pub(crate) pairs_across: Vec<Pair>,
    /// The tasks, in the order of the sources, of environments and of the plan.
    pub(crate) tasks: Vec<Task>,
}

/// One source.
#[derive(Debug, Serialize)]
pub(crate) struct RunFigures {
    pub(crate) name: String,
    pub(crate) software: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) asked: Option<usize>,
    /// The passes of stage-amplify that were asked for, if that is known.
    pub(crate) passes: Vec<String>,
    pub(crate) seeds: usize,
    /// The number of tasks that were written and are not bad.
    pub(crate) done: usize,
    /// The number of bad tasks.
    pub(crate) bad: usize,
    /// How far its stages are.
    pub(crate) progress: Progress,
    /// What its answers took.
    pub(crate) spending: Spending,
    /// Failures of no task, for people.
    pub(crate) failures: Vec<String>,
    /// What is missing or damaged, for people.
    pub(crate) problems: Vec<String>,
}

impl Report {
    /// Works the figures of these sources out.
    pub(crate) fn of(runs: &[Run], workspace: &Workspace) -> Self {
        let mut tasks = Vec::new();
        let mut spending = Spending::default();
        for (number, run) in runs.iter().enumerate() {
            tasks.extend(tasks_of(number, run, workspace));
            spending.merge(&run.spending);
        }
        let Neighbours { within, across } = neighbours::find(&mut tasks);
        let usable = tasks.iter().filter(|task| task.written && !task.bad).count();
        let is_priced = spending.total.answers > 0 && spending.total.unpriced == 0;
        Self {
            funnel: figures::funnel(runs, &tasks),
            reasons: figures::reasons(&tasks),
            dollars_per_usable_task: (is_priced && usable > 0)
                .then(|| per_task(spending.total.dollars, usable)),
            coverage: figures::coverage(&tasks),
            environments: figures::environments(runs, &tasks),
            runs: runs.iter().enumerate().map(|(number, run)| RunFigures::of(number, run, &tasks)).collect(),
            pairs: within,
            pairs_across: across,
            spending,
            tasks,
        }
    }
}

fn per_task(dollars: f64, tasks: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer tasks than a float can count")]
    let tasks = tasks as f64;
    dollars / tasks
}

/// The tasks of a source: those of the plan in its order, then others by name.
fn tasks_of(number: usize, run: &Run, workspace: &Workspace) -> Vec<Task> {
    let mut by_place = BTreeMap::new();
    for ((env, name), records) in &run.records.tasks {
        let place = records.plan.as_ref().map_or(usize::MAX, |plan| plan.index);
        let mut task = Task::of(env, name, records, workspace);
        task.run = number;
        task.spent = run.spending.tasks.get(name).copied().unwrap_or_default();
        by_place.insert((env, place, name), task);
    }
    by_place.into_values().collect()
}

impl RunFigures {
    fn of(number: usize, run: &Run, tasks: &[Task]) -> Self {
        let failures = run.records.failures.iter();
        let tasks = || tasks.iter().filter(|task| task.run == number);
        Self {
            done: tasks().filter(|task| task.written && !task.bad).count(),
            bad: tasks().filter(|task| task.bad).count(),
            progress: run.progress.clone(),
            spending: run.spending.clone(),
            software: run.asked_text("software"),
            environment: run.asked_text("environment"),
            model: run.asked_text("model"),
            asked: run.asked_count(),
            passes: run.asked_passes(),
            seeds: run.records.seeds,
            failures: failures.map(|failure| format!("{}: {}", failure.stage, failure.message)).collect(),
            name: run.name.clone(),
            problems: run.problems.clone(),
        }
    }

    /// The number of tasks that were asked for and are neither done nor bad.
    pub(crate) fn left(&self) -> Option<usize> {
        Some(self.asked?.saturating_sub(self.done + self.bad))
    }
}
