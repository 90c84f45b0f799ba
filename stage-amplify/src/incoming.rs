//! Input: records of the stage before, or of an earlier pass, from the run directory.

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
use common::ui::Ui;
use fs_err as fs;
use task_spec::seeds;

use crate::settings::Settings;
use crate::writer::Writer;

/// All records of these kinds that come in. Other records are passed on at once. On a terminal, the manifest of
/// this name is read.
pub(crate) fn records(
    settings: &Settings,
    ui: &Ui,
    writer: &mut Writer,
    name: &str,
    kinds: &[Kind],
) -> Result<Vec<Record>> {
    let path = settings.run_dir.manifest(name);
    let mut records = Vec::new();
    for line in settings.stage.input(ui, Some(&path), kinds)? {
        match line.context("cannot read the input")? {
            Line::Record(record) => records.push(record),
            Line::Other(raw) => writer.raw(&raw)?,
        }
    }
    Ok(records)
}

/// Records of this kind one by one, as they come in, and the lines that pass through. If the input has no such
/// record, the manifest of this name is read after it.
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

/// What the plan pass starts from.
#[derive(Debug)]
pub(crate) struct PlanInput {
    /// The names of the seeds.
    pub(crate) seeds: Vec<String>,
    /// The rows planned before.
    pub(crate) rows: Vec<Plan>,
    /// Whether the rows came in as records. If not, they are from the run directory.
    pub(crate) rows_came: bool,
}

/// The seeds and the rows of a plan that come in; if none come in, those of the run directory.
pub(crate) fn plan_input(settings: &Settings, ui: &Ui, writer: &mut Writer) -> Result<PlanInput> {
    let (mut seeds, mut rows) = (Vec::new(), Vec::new());
    for record in records(settings, ui, writer, "seeds", &[Kind::Seed, Kind::Plan])? {
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
    Ok(PlanInput { seeds, rows, rows_came })
}

/// The names of the usable tasks that come in; if none come in, those of the run directory.
pub(crate) fn usable(settings: &Settings, ui: &Ui, writer: &mut Writer) -> Result<Vec<String>> {
    let mut files = records(settings, ui, writer, "files", &[Kind::Files])?;
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

/// The names of the seeds in the run directory; without any, those that the environment names.
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

/// The records of one kind in a manifest; none if it does not exist.
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

/// The rows of a plan, which may be written by hand, in order and numbered; and a failure for each row that
/// cannot be used.
pub(crate) fn checked(plan: Vec<Plan>, env: &str) -> (Vec<Plan>, Vec<Failure>) {
    let mut rows: Vec<Plan> = Vec::new();
    let mut failures = Vec::new();
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut last = 0;
    for mut row in plan {
        if TaskName::new(&row.task).is_none() {
            let why = "a task's name has 1 to 80 characters of a-z, 0-9 and _";
            failures.push(unusable(&row, env, "bad_task_name", why));
            continue;
        }
        if !names.insert(row.task.clone()) {
            failures.push(unusable(&row, env, "duplicate_row", "another row has this name"));
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

fn unusable(row: &Plan, env: &str, code: &str, message: &str) -> Failure {
    Failure {
        env: env.to_owned(),
        task: Some(row.task.clone()),
        stage: "amplify".to_owned(),
        index: Some(row.index),
        code: code.to_owned(),
        message: message.to_owned(),
        attempts: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(task: &str, index: usize) -> Plan {
        Plan { task: task.to_owned(), index, ..Plan::default() }
    }

    #[test]
    fn handwritten_rows_are_sorted_and_numbered() {
        let (rows, failures) =
            checked(vec![row("b", 2), row("a", 1), row("c", 0), row("d", 2), row("B!", 9), row("a", 7)], "e");
        let numbered: Vec<_> = rows.iter().map(|row| (row.task.as_str(), row.index)).collect();
        assert_eq!(numbered, [("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        let codes: Vec<_> = failures.iter().map(|failure| failure.code.as_str()).collect();
        assert_eq!(codes, ["bad_task_name", "duplicate_row"]);
    }
}
