//! Input: records of the stage before, or of an earlier pass, from the run directory.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use common::environment::TaskName;
use common::interrupt::Urgency;
use common::jsonl::Line;
use common::ordered::read_ahead;
use common::record::{Failure, Kind, Plan, Record};
use common::stage::Input;
use common::ui::Ui;
use crossbeam_channel::{Receiver, select_biased};
use model_client::AskError;
use task_spec::seeds;

use crate::ask::Halt;
use crate::session::Session;
use crate::settings::Settings;
use crate::writer::Writer;

/// How many lines are read ahead of their use.
const AHEAD: usize = 64;

/// The lines of the input. They are read on a thread of their own, so that an interrupt ends the wait for the next
/// one, although the input is open.
struct Lines {
    arriving: Receiver<io::Result<Line>>,
    interrupted: Receiver<Infallible>,
    has_ended: bool,
}

impl Lines {
    /// Opens the input for records of these kinds. On a terminal, the manifest at this path is read.
    fn open(session: &Session<'_>, manifest: &Path, kinds: &[Kind]) -> Result<Self> {
        let input = session.settings.stage.input(session.ui, Some(manifest), kinds)?;
        Ok(Self {
            arriving: read_ahead(input, AHEAD).context("cannot start a thread")?,
            interrupted: session.interrupt.closed_at(Urgency::Drain),
            has_ended: false,
        })
    }
}

impl Iterator for Lines {
    type Item = Result<Line, Halt>;

    /// The next line. An interrupt, or an input that cannot be read, is the last item.
    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = select_biased! {
            recv(self.interrupted) -> _ => Some(Err(Halt::Client(AskError::Interrupted))),
            recv(self.arriving) -> line => {
                line.ok().map(|line| Ok(line.context("cannot read the input")?))
            }
        };
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// All records of these kinds that come in. Other records are passed on at once. On a terminal, the manifest of
/// this name is read.
pub(crate) fn records(
    session: &Session<'_>,
    writer: &mut Writer,
    name: &str,
    kinds: &[Kind],
) -> Result<Vec<Record>, Halt> {
    let mut records = Vec::new();
    for line in Lines::open(session, &session.settings.run_dir.manifest(name), kinds)? {
        match line? {
            Line::Record(record) => records.push(record),
            Line::Other(raw) => writer.raw(&raw)?,
        }
    }
    Ok(records)
}

/// An error if there is an input and it has no record of these kinds. A wrong manifest must not go unnoticed.
pub(crate) fn ensure_any(session: &Session<'_>, records: &[Record], kinds: &str) -> Result<()> {
    ensure!(
        !records.is_empty() || !session.settings.stage.has_input(),
        "the input has no {kinds} record, so there is nothing to do"
    );
    Ok(())
}

/// Records of this kind one by one, as they come in, and the lines that pass through. Without an input, the records
/// of the manifest of this name. An interrupt, or an input that cannot be read, is the last item.
pub(crate) fn as_they_come(
    session: &Session<'_>,
    name: &str,
    kind: Kind,
) -> Result<impl Iterator<Item = Result<Line, Halt>> + Send + 'static> {
    let path = session.settings.run_dir.manifest(name);
    let (mut lines, mut stored) = (None, Vec::new());
    if session.settings.stage.has_input() {
        lines = Some(Lines::open(session, &path, &[Kind::Seed, kind])?);
    } else {
        stored = manifest(&path, kind, session.ui)?;
    }
    let stored = stored.into_iter().map(|record| Ok(Line::Record(record)));
    Ok(lines.into_iter().flatten().chain(stored))
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
pub(crate) fn plan_input(session: &Session<'_>, writer: &mut Writer) -> Result<PlanInput, Halt> {
    let (settings, ui) = (session.settings, session.ui);
    let (mut seeds, mut rows) = (Vec::new(), Vec::new());
    for record in records(session, writer, "seeds", &[Kind::Seed, Kind::Plan])? {
        match record {
            Record::Seed(seed) => seeds.push(seed.task),
            Record::Plan(row) => rows.push(row),
            _ => {}
        }
    }
    ensure_seeds(settings, &seeds, &rows)?;
    if seeds.is_empty() {
        seeds = seed_names(settings, ui)?;
    }
    let rows_came = !rows.is_empty();
    if !rows_came {
        rows = plan_rows(settings, ui)?;
    }
    Ok(PlanInput { seeds, rows, rows_came })
}

/// An error if there is an input and it brings nothing to start from: the stage before has failed, and to plan on would
/// spend money on something else than it was to propose.
fn ensure_seeds(settings: &Settings, seeds: &[String], rows: &[Plan]) -> Result<()> {
    ensure!(
        !(seeds.is_empty() && rows.is_empty()) || settings.env_seeds || !settings.stage.has_input(),
        "the input has no seed record and no plan record: see what the stage before it reported; --env-seeds starts \
         from the environment's own seeds"
    );
    Ok(())
}

/// The names of the usable tasks that come in; if none come in, those of the run directory.
pub(crate) fn usable(session: &Session<'_>, writer: &mut Writer) -> Result<Vec<String>, Halt> {
    let mut files = records(session, writer, "files", &[Kind::Files])?;
    ensure_any(session, &files, "files")?;
    let path = session.settings.run_dir.manifest("files");
    if files.is_empty() {
        files = manifest(&path, Kind::Files, session.ui)?;
    }
    if files.is_empty() {
        return Err(anyhow!("{} has no files records: add --pass files", path.display()).into());
    }
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
    let mut records = Vec::new();
    for line in Input::file(path, ui, &[kind])? {
        if let Line::Record(record) = line? {
            records.push(record);
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
            let why = format!("the name of a task is {}", TaskName::FORM);
            failures.push(unusable(&row, env, "bad_task_name", &why));
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
        ..Failure::default()
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
