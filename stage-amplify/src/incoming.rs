//! What comes in: records of the stage before, or what an earlier pass left in the run directory.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use common::environment::TaskName;
use common::jsonl::{Line, ReadError, Reader};
use common::record::{Failure, Kind, Plan, Record};
use common::stage::Output;
use common::ui::Ui;
use fs_err as fs;
use task_spec::seeds;

use crate::settings::Settings;

/// Everything of these kinds that comes in. What is none of this stage's business goes out at once. On a
/// terminal, the manifest of this name is read.
pub(crate) fn records(
    settings: &Settings,
    ui: &Ui,
    output: &mut Output,
    name: &str,
    kinds: &[Kind],
) -> Result<Vec<Record>> {
    let path = settings.run_dir.manifest(name);
    let mut records = Vec::new();
    for line in settings.stage.input(ui, Some(&path), kinds)? {
        match line.context("cannot read the input")? {
            Line::Record(record) => records.push(record),
            Line::Other(raw) => output.raw(&raw)?,
        }
    }
    Ok(records)
}

/// Records of this kind one by one, as they come in, and whatever passes through; once the input has ended
/// without any, those of the manifest of this name.
pub(crate) fn as_they_come(
    settings: &Settings,
    ui: &Ui,
    name: &str,
    kind: Kind,
) -> Result<impl Iterator<Item = Line> + Send + 'static> {
    let path = settings.run_dir.manifest(name);
    let input = settings.stage.input(ui, Some(&path), &[Kind::Seed, kind])?;
    let came = Arc::new(AtomicBool::new(false));
    let ui = ui.clone();
    let lines = input.map_while({
        let (came, ui) = (came.clone(), ui.clone());
        move |line| match line {
            Ok(line) => {
                let of_kind = matches!(&line, Line::Record(record) if !matches!(record, Record::Seed(_)));
                came.fetch_or(of_kind, Ordering::Relaxed);
                Some(line)
            }
            Err(error) => {
                ui.error(format_args!("cannot read the input: {error}"));
                None
            }
        }
    });
    let stored = iter::once_with(move || {
        if came.load(Ordering::Relaxed) {
            return Vec::new();
        }
        manifest(&path, kind, &ui).unwrap_or_else(|error| {
            ui.error(format_args!("{error:#}"));
            Vec::new()
        })
    });
    Ok(lines.chain(stored.flatten().map(Line::Record)))
}

/// What a plan is made from and goes on from.
#[derive(Debug)]
pub(crate) struct Start {
    /// The names of the seeds.
    pub(crate) seeds: Vec<String>,
    /// The rows that are planned already.
    pub(crate) rows: Vec<Plan>,
    /// Whether the rows came in, rather than being in the run directory.
    pub(crate) rows_came: bool,
}

/// The seeds and the rows of a plan that come in; where none come, those that an earlier stage or pass has
/// left in the run directory.
pub(crate) fn start(settings: &Settings, ui: &Ui, output: &mut Output) -> Result<Start> {
    let (mut seeds, mut rows) = (Vec::new(), Vec::new());
    for record in records(settings, ui, output, "seeds", &[Kind::Seed, Kind::Plan])? {
        match record {
            Record::Seed(seed) => seeds.push(seed.task),
            Record::Plan(row) => rows.push(row),
            _ => {}
        }
    }
    if seeds.is_empty() {
        seeds = seed_names(settings, ui)?;
    }
    let rows_came = !rows.is_empty();
    if !rows_came {
        rows = plan_rows(settings, ui)?;
    }
    Ok(Start { seeds, rows, rows_came })
}

/// The names of the usable tasks that come in, or that stand in the run directory.
pub(crate) fn usable(settings: &Settings, ui: &Ui, output: &mut Output) -> Result<Vec<String>> {
    let mut files = records(settings, ui, output, "files", &[Kind::Files])?;
    let path = settings.run_dir.manifest("files");
    if files.is_empty() {
        files = manifest(&path, Kind::Files, ui)?;
    }
    ensure!(!files.is_empty(), "{} has no files records: add --pass files", path.display());
    Ok(files
        .into_iter()
        .filter_map(|record| match record {
            Record::Files(files) => files.task,
            _ => None,
        })
        .collect())
}

/// Names of the seeds where none came in: those of the run directory, else the environment's own.
pub(crate) fn seed_names(settings: &Settings, ui: &Ui) -> Result<Vec<String>> {
    let seeds = manifest(&settings.run_dir.manifest("seeds"), Kind::Seed, ui)?;
    let names: Vec<String> = seeds
        .into_iter()
        .filter_map(|record| match record {
            Record::Seed(seed) => Some(seed.task),
            _ => None,
        })
        .collect();
    if names.is_empty() { Ok(seeds::names(&settings.environment)?) } else { Ok(names) }
}

/// The rows of the plan in the run directory.
pub(crate) fn plan_rows(settings: &Settings, ui: &Ui) -> Result<Vec<Plan>> {
    let records = manifest(&settings.run_dir.manifest("plan"), Kind::Plan, ui)?;
    Ok(records
        .into_iter()
        .filter_map(|record| match record {
            Record::Plan(row) => Some(row),
            _ => None,
        })
        .collect())
}

/// The records of one kind in a manifest of the run directory; none where it is not there.
pub(crate) fn manifest(path: &Path, kind: Kind, ui: &Ui) -> Result<Vec<Record>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let lines = BufReader::new(fs::File::open(path)?);
    let mut records = Vec::new();
    for line in Reader::new(&path.to_string_lossy(), lines, &[kind]) {
        match line {
            Ok(Line::Record(record)) => records.push(record),
            Ok(Line::Other(_)) => {}
            Err(ReadError::Bad(bad)) => ui.error(bad),
            Err(ReadError::Io(error)) => return Err(error.into()),
        }
    }
    Ok(records)
}

/// The rows of a plan that somebody may have written by hand, in order and numbered, and what is wrong with
/// those that cannot be used.
pub(crate) fn checked(plan: Vec<Plan>, env: &str) -> (Vec<Plan>, Vec<Failure>) {
    let mut rows: Vec<Plan> = Vec::new();
    let mut failures = Vec::new();
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut last = 0;
    for mut row in plan {
        let why = if TaskName::new(&row.task).is_none() {
            Some(("bad_task_name", "a task's name is made of a-z, 0-9 and _, at most 80 of them"))
        } else if !names.insert(row.task.clone()) {
            Some(("duplicate_row", "another row has this name"))
        } else {
            None
        };
        if let Some((code, message)) = why {
            failures.push(Failure {
                env: env.to_owned(),
                task: Some(row.task),
                stage: "amplify".to_owned(),
                index: Some(row.index),
                code: code.to_owned(),
                message: message.to_owned(),
                attempts: 0,
            });
            continue;
        }
        if row.index == 0 || !numbers.insert(row.index) {
            row.index = last + 1;
            numbers.insert(row.index);
        }
        last = last.max(row.index);
        env.clone_into(&mut row.env);
        rows.push(row);
    }
    rows.sort_by_key(|row| row.index);
    (rows, failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(task: &str, index: usize) -> Plan {
        Plan { task: task.to_owned(), index, ..Plan::default() }
    }

    #[test]
    fn rows_by_hand_are_put_in_order_and_numbered() {
        let (rows, failures) =
            checked(vec![row("b", 2), row("a", 1), row("c", 0), row("d", 2), row("B!", 9), row("a", 7)], "e");
        let numbered: Vec<_> = rows.iter().map(|row| (row.task.as_str(), row.index)).collect();
        assert_eq!(numbered, [("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        let codes: Vec<_> = failures.iter().map(|failure| failure.code.as_str()).collect();
        assert_eq!(codes, ["bad_task_name", "duplicate_row"]);
    }
}
