//! Counts over all tasks.

use std::collections::{BTreeMap, BTreeSet};

use common::record::Severity;
use serde::Serialize;

use crate::source::Run;
use crate::task::Task;

/// A step of the ladder of evidence, and how many tasks reached it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// `None` if no record tells.
    pub(crate) count: Option<usize>,
}

/// Why tasks are bad, or worth a look: all findings with one code.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) severity: Severity,
    /// The number of findings.
    pub(crate) findings: usize,
    /// The number of tasks that have one.
    pub(crate) tasks: usize,
    /// The message of the first.
    pub(crate) example: String,
}

/// The tasks of one environment.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct EnvironmentFigures {
    pub(crate) env: String,
    /// Whether its own spec is valid, if that was checked.
    pub(crate) valid: Option<bool>,
    pub(crate) tasks: usize,
    pub(crate) bad: usize,
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    /// What is wrong with its own spec, or worth a look.
    pub(crate) issues: Vec<String>,
}

/// Tasks by two properties of theirs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Grid {
    pub(crate) rows: Vec<String>,
    pub(crate) columns: Vec<String>,
    /// A line for each row.
    pub(crate) counts: Vec<Vec<usize>>,
}

/// How the tasks are spread over what they could be about.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Coverage {
    pub(crate) occupation_by_archetype: Grid,
    pub(crate) feature_by_archetype: Grid,
    /// The number of tasks of each difficulty, the easiest first.
    pub(crate) difficulty: Vec<(String, usize)>,
    /// The number of tasks by the most steps that their spec allows, in tens.
    pub(crate) max_steps: Vec<(u64, usize)>,
    /// The number of tasks by an expert's actions, as their README estimates them, in tens.
    pub(crate) expert_steps: Vec<(u64, usize)>,
}

/// The ladder of evidence. A step that no record tells of has no count.
pub(crate) fn funnel(runs: &[Run], tasks: &[Task]) -> Vec<Step> {
    let asked: Option<usize> = runs.iter().map(Run::asked_count).sum();
    let count = |is_counted: &dyn Fn(&Task) -> bool| tasks.iter().filter(|task| is_counted(task)).count();
    let known = |value: &dyn Fn(&Task) -> Option<bool>| {
        let known = tasks.iter().any(|task| value(task).is_some());
        known.then(|| tasks.iter().filter(|task| value(task) == Some(true)).count())
    };
    let planned = count(&|task| task.planned);
    let dropped: usize = runs.iter().map(|run| run.records.dropped.len()).sum();
    vec![
        Step { name: "asked", count: asked },
        Step { name: "planned", count: (planned > 0).then_some(planned) },
        Step { name: "left out", count: (dropped > 0).then_some(dropped) },
        Step { name: "written", count: Some(count(&|task| task.written)) },
        Step { name: "valid", count: known(&|task| task.valid) },
        Step { name: "probed", count: known(&|task| task.probed) },
        Step { name: "run live", count: known(&|task| task.live) },
        Step { name: "shown passable", count: known(&|task| task.passable) },
        Step { name: "bad", count: Some(count(&|task| task.bad)) },
    ]
}

/// All codes of findings; those that make most tasks bad come first.
pub(crate) fn reasons(tasks: &[Task]) -> Vec<Reason> {
    let mut by_code: BTreeMap<(Severity, &str), Reason> = BTreeMap::new();
    for task in tasks {
        let mut counted = BTreeSet::new();
        for finding in &task.findings {
            let key = (finding.severity, finding.code.as_str());
            let reason = by_code.entry(key).or_insert_with(|| Reason {
                code: finding.code.clone(),
                severity: finding.severity,
                findings: 0,
                tasks: 0,
                example: finding.message.clone(),
            });
            reason.findings += 1;
            reason.tasks += usize::from(counted.insert(key));
        }
    }
    let mut reasons: Vec<Reason> = by_code.into_values().collect();
    reasons.sort_by(|a, b| (a.severity, b.tasks, &a.code).cmp(&(b.severity, a.tasks, &b.code)));
    reasons
}

/// The environments, by name.
pub(crate) fn environments(runs: &[Run], tasks: &[Task]) -> Vec<EnvironmentFigures> {
    let mut by_name: BTreeMap<&str, EnvironmentFigures> = BTreeMap::new();
    for (name, verdict) in runs.iter().flat_map(|run| &run.records.environments) {
        let figures = by_name.entry(name).or_default();
        figures.valid = Some(verdict.ok);
        figures.issues =
            verdict.issues.iter().map(|issue| format!("{}: {}", issue.code, issue.message)).collect();
    }
    for task in tasks {
        let figures = by_name.entry(&task.env).or_default();
        figures.tasks += 1;
        figures.bad += usize::from(task.bad);
        figures.errors += task.errors();
        figures.warnings += task.warnings();
    }
    by_name
        .into_iter()
        .map(|(name, figures)| EnvironmentFigures { env: name.to_owned(), ..figures })
        .collect()
}

/// The spread of the tasks.
pub(crate) fn coverage(tasks: &[Task]) -> Coverage {
    Coverage {
        occupation_by_archetype: grid(tasks, |task| vec![&task.occupation]),
        feature_by_archetype: grid(tasks, |task| task.features.iter().map(String::as_str).collect()),
        difficulty: difficulties(tasks),
        max_steps: in_tens(tasks.iter().filter_map(|task| task.max_steps)),
        expert_steps: in_tens(tasks.iter().filter_map(|task| task.expert_steps.map(u64::from))),
    }
}

/// How many of the numbers are in each ten, by its first number.
fn in_tens(numbers: impl Iterator<Item = u64>) -> Vec<(u64, usize)> {
    let mut tens: BTreeMap<u64, usize> = BTreeMap::new();
    for number in numbers {
        *tens.entry(number / 10 * 10).or_default() += 1;
    }
    tens.into_iter().collect()
}

/// Labels of difficulty, the easiest first; others follow.
const DIFFICULTIES: [&str; 4] = ["easy", "medium", "hard", "very_hard"];

fn difficulties(tasks: &[Task]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for task in tasks.iter().filter(|task| !task.difficulty.is_empty()) {
        let place = DIFFICULTIES.iter().position(|label| *label == task.difficulty);
        *counts.entry((place.unwrap_or(DIFFICULTIES.len()), &task.difficulty)).or_default() += 1;
    }
    counts.into_iter().map(|((_, label), count)| (label.to_owned(), count)).collect()
}

/// The most rows of a grid: the most frequent values.
const MAX_ROWS: usize = 20;

fn grid<'a>(tasks: &'a [Task], values: impl Fn(&'a Task) -> Vec<&'a str>) -> Grid {
    let mut cells: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    let mut columns: BTreeSet<&str> = BTreeSet::new();
    for task in tasks.iter().filter(|task| !task.archetype.is_empty()) {
        for value in values(task).into_iter().filter(|value| !value.is_empty()) {
            *cells.entry((value, &task.archetype)).or_default() += 1;
            *totals.entry(value).or_default() += 1;
            columns.insert(&task.archetype);
        }
    }
    let mut rows: Vec<(&str, usize)> = totals.into_iter().collect();
    rows.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    rows.truncate(MAX_ROWS);
    let cell = |row, column| cells.get(&(row, column)).copied().unwrap_or_default();
    Grid {
        counts: rows
            .iter()
            .map(|(row, _)| columns.iter().map(|column| cell(row, column)).collect())
            .collect(),
        rows: rows.into_iter().map(|(row, _)| row.to_owned()).collect(),
        columns: columns.into_iter().map(str::to_owned).collect(),
    }
}
