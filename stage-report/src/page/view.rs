//! What the template of the page is rendered with: the report, with widths of bars and shades of cells.

use std::collections::BTreeMap;

use common::record::Severity;
use serde::Serialize;

use super::rows::worst_first;
use crate::figures::{Coverage, EnvironmentFigures, Grid, Reason, Step};
use crate::neighbours::Pair;
use crate::report::{Report, RunFigures};
use crate::spending::Spent;
use crate::task::Task;

/// The width of the longest bar, in units of its chart.
const BAR: usize = 1000;
/// The number of shades of a heat map.
const SHADES: usize = 5;
/// The number of tasks that are named as the worst.
const WORST: usize = 10;
/// The number of pairs of tasks of different environments that are shown.
const MAX_ACROSS: usize = 50;

/// The report as the template shows it.
#[derive(Serialize)]
pub(super) struct View<'a> {
    title: String,
    runs: &'a [RunFigures],
    funnel: Vec<Bar>,
    difficulty: Vec<Bar>,
    max_steps: Vec<Bar>,
    expert_steps: Vec<Bar>,
    reasons: Vec<&'a Reason>,
    warnings: Vec<&'a Reason>,
    total: &'a Spent,
    cache_share: Option<f64>,
    passes: &'a BTreeMap<String, Spent>,
    models: &'a BTreeMap<String, Spent>,
    dollars_per_usable_task: Option<f64>,
    occupations: Option<HeatMap<'a>>,
    features: Option<HeatMap<'a>>,
    worst: Vec<Worst<'a>>,
    pairs: Vec<PairView<'a>>,
    pairs_across: Vec<PairView<'a>>,
    /// The number of pairs of tasks of different environments, those that are not shown too.
    all_across: usize,
    environments: &'a [EnvironmentFigures],
    tasks: usize,
    problems: usize,
}

/// A bar of a chart.
#[derive(Serialize)]
struct Bar {
    name: String,
    count: Option<usize>,
    width: usize,
}

/// A grid with a shade for each cell.
#[derive(Serialize)]
struct HeatMap<'a> {
    columns: &'a [String],
    rows: Vec<(&'a str, Vec<(usize, usize)>)>,
}

/// One of the worst tasks.
#[derive(Serialize)]
struct Worst<'a> {
    number: usize,
    task: &'a Task,
    why: String,
}

/// Two tasks that resemble one another.
#[derive(Serialize)]
struct PairView<'a> {
    similarity: f64,
    sides: [Side<'a>; 2],
}

#[derive(Serialize)]
struct Side<'a> {
    number: usize,
    task: &'a Task,
    description: &'a str,
}

impl<'a> View<'a> {
    /// The view of a report.
    pub(super) fn of(report: &'a Report) -> Self {
        let (reasons, warnings) =
            report.reasons.iter().partition(|reason| reason.severity == Severity::Error);
        let is_shown = |step: &&Step| step.name != "left out" || step.count.is_some();
        let steps = report.funnel.iter().filter(is_shown).map(|step| (step.name.to_owned(), step.count));
        let Coverage { occupation_by_archetype, feature_by_archetype, difficulty, max_steps, expert_steps } =
            &report.coverage;
        let counted = |(name, count): &(String, usize)| (name.replace('_', " "), Some(*count));
        let steps_bar = |(from, count): &(u64, usize)| (format!("{from}–{}", from + 9), Some(*count));
        Self {
            title: title(report),
            runs: &report.runs,
            funnel: bars(steps.collect()),
            difficulty: bars(difficulty.iter().map(counted).collect()),
            max_steps: bars(max_steps.iter().map(steps_bar).collect()),
            expert_steps: bars(expert_steps.iter().map(steps_bar).collect()),
            reasons,
            warnings,
            total: &report.spending.total,
            cache_share: report.spending.total.cache_share(),
            passes: &report.spending.passes,
            models: &report.spending.models,
            dollars_per_usable_task: report.dollars_per_usable_task,
            occupations: heat_map(occupation_by_archetype),
            features: heat_map(feature_by_archetype),
            worst: worst(&report.tasks),
            pairs: pairs(report, &report.pairs),
            pairs_across: pairs(
                report,
                report.pairs_across.get(..MAX_ACROSS).unwrap_or(&report.pairs_across),
            ),
            all_across: report.pairs_across.len(),
            environments: &report.environments,
            tasks: report.tasks.len(),
            problems: report.runs.iter().map(|run| run.problems.len() + run.failures.len()).sum(),
        }
    }
}

fn title(report: &Report) -> String {
    match (report.environments.as_slice(), report.runs.as_slice()) {
        ([one], [run]) => {
            run.software.as_ref().map_or_else(|| one.env.clone(), |name| format!("{name} · {}", one.env))
        }
        ([], [run]) => run.name.clone(),
        (envs, _) => format!("{} environments", envs.len()),
    }
}

fn bars(counts: Vec<(String, Option<usize>)>) -> Vec<Bar> {
    let most = counts.iter().filter_map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let width = |count: Option<usize>| count.unwrap_or_default() * BAR / most;
    counts.into_iter().map(|(name, count)| Bar { name, count, width: width(count) }).collect()
}

fn heat_map(grid: &Grid) -> Option<HeatMap<'_>> {
    let most = grid.counts.iter().flatten().copied().max().filter(|most| *most > 0)?;
    // A few tasks do not make a hot spot.
    let most = most.max(SHADES);
    let shade = |count: &usize| (*count, (*count * SHADES).div_ceil(most));
    let rows = grid.rows.iter().zip(&grid.counts);
    Some(HeatMap {
        columns: &grid.columns,
        rows: rows.map(|(row, counts)| (row.as_str(), counts.iter().map(shade).collect())).collect(),
    })
}

fn worst(tasks: &[Task]) -> Vec<Worst<'_>> {
    let worst = worst_first(tasks).into_iter().map(|number| (number, &tasks[number]));
    let with_reason = worst.filter_map(|(number, task)| Some(Worst { number, task, why: why(task)? }));
    with_reason.take(WORST).collect()
}

/// Why a task is among the worst, if anything speaks against it.
fn why(task: &Task) -> Option<String> {
    let first = task.findings.iter().min_by_key(|finding| finding.severity);
    let missed = || task.mutation.as_ref()?.missed.first().map(|missed| format!("mutant missed: {missed}"));
    first.map(|finding| format!("{}: {}", finding.code, finding.message)).or_else(missed)
}

fn pairs<'a>(report: &'a Report, pairs: &[Pair]) -> Vec<PairView<'a>> {
    let side = |number: usize| {
        report.tasks.get(number).map(|task| Side { number, task, description: &task.description })
    };
    pairs
        .iter()
        .filter_map(|pair| {
            Some(PairView { similarity: pair.similarity, sides: [side(pair.first)?, side(pair.second)?] })
        })
        .collect()
}
