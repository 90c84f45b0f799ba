//! The table of tasks, as the page's script reads it: short rows, with the texts that repeat in lists beside them.

use std::collections::{BTreeMap, BTreeSet};

use common::record::Outcome;
use serde::Serialize;

use crate::report::Report;
use crate::task::Task;

/// All rows.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    /// Names the page's decisions in the browser's store.
    id: String,
    envs: Vec<&'a str>,
    codes: Vec<&'a str>,
    tasks: Vec<Row<'a>>,
}

/// A task. Field names are short because there may be thousands of rows.
#[derive(Serialize)]
struct Row<'a> {
    /// Environment, in the list.
    e: usize,
    /// Name.
    t: &'a str,
    /// Title.
    i: &'a str,
    /// Difficulty.
    d: &'a str,
    /// Occupation.
    o: &'a str,
    /// Archetype.
    a: &'a str,
    /// The ladder: `y`, `n` or `-` for each step.
    l: String,
    /// Whether it is bad.
    b: u8,
    /// Errors and warnings.
    x: usize,
    w: usize,
    /// Mutation score, trials, cost in dollars, similarity of the nearest task.
    m: Option<f64>,
    r: Option<usize>,
    c: Option<f64>,
    n: Option<f64>,
    /// The codes of its findings, in the list.
    k: BTreeSet<usize>,
    /// Its place among the worst, from 0.
    p: usize,
}

/// The rows of a report.
pub(super) fn data(report: &Report) -> Data<'_> {
    let envs: Vec<&str> = report.environments.iter().map(|figures| figures.env.as_str()).collect();
    let env_places: BTreeMap<&str, usize> =
        envs.iter().enumerate().map(|(place, env)| (*env, place)).collect();
    let mut codes: Vec<&str> = report.reasons.iter().map(|reason| reason.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let code_places: BTreeMap<&str, usize> =
        codes.iter().enumerate().map(|(place, code)| (*code, place)).collect();
    let mut places = vec![0; report.tasks.len()];
    for (place, task) in worst_first(&report.tasks).into_iter().enumerate() {
        places[task] = place;
    }
    let mut tasks = Vec::with_capacity(report.tasks.len());
    for (number, task) in report.tasks.iter().enumerate() {
        let own: BTreeSet<usize> = task
            .findings
            .iter()
            .filter_map(|finding| code_places.get(finding.code.as_str()).copied())
            .collect();
        tasks.push(Row {
            e: env_places.get(task.env.as_str()).copied().unwrap_or_default(),
            t: &task.name,
            i: &task.title,
            d: &task.difficulty,
            o: &task.occupation,
            a: &task.archetype,
            l: ladder(task).iter().map(|rung| rung.1).collect(),
            b: task.bad.into(),
            x: task.errors(),
            w: task.warnings(),
            m: task.mutation_score().map(thousandth),
            r: task.trial.as_ref().map(|trial| trial.episodes.len()),
            c: (task.spent.answers > 0 && task.spent.unpriced == 0).then(|| thousandth(task.spent.dollars)),
            n: task.nearest.map(thousandth),
            k: own,
            p: places[number],
        });
    }
    let runs: Vec<&str> = report.runs.iter().map(|run| run.name.as_str()).collect();
    Data { id: runs.join("\n"), envs, codes, tasks }
}

fn thousandth(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The steps of the ladder, and whether the task passed each: `y`, `n`, or `-` where no record tells.
pub(super) fn ladder(task: &Task) -> [(&'static str, char); 6] {
    let known = |value: Option<bool>| match value {
        Some(true) => 'y',
        Some(false) => 'n',
        None => '-',
    };
    [
        ("planned", if task.planned { 'y' } else { '-' }),
        ("written", if task.written { 'y' } else { 'n' }),
        ("valid", known(task.valid)),
        ("probed", known(task.probed)),
        ("run live", known(task.live)),
        ("shown passable", known(task.passable)),
    ]
}

/// The places of all tasks in the list, the worst first.
pub(super) fn worst_first(tasks: &[Task]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..tasks.len()).collect();
    places.sort_by(|a, b| badness(&tasks[*b]).cmp(&badness(&tasks[*a])).then(a.cmp(b)));
    places
}

/// The larger, the worse: bad tasks, then errors, states with another outcome, mutants missed, warnings.
fn badness(task: &Task) -> (bool, usize, usize, usize, usize) {
    let wrong = task.states.iter().filter(|state| state.outcome != state.expected);
    let broken = wrong.filter(|state| state.outcome != Outcome::Refused).count();
    let missed =
        task.mutation.as_ref().map_or(0, |mutation| mutation.mutants.saturating_sub(mutation.caught));
    (task.bad, task.errors(), broken, missed, task.warnings())
}
