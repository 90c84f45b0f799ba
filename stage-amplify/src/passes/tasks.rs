//! The tasks that a pass over existing tasks works on.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use common::record::{Annotations, Failure, Files, Kind, Record, Seed, Task};
use common::ui::Ui;
use serde_json::{Map, Value, json};
use task_spec::files::{Role, read_folder};

use super::unreadable;
use crate::ask::{Halt, Unanswered};
use crate::corpus::{Source, excerpts};
use crate::incoming;
use crate::pipeline;
use crate::session::Session;
use crate::settings::{OverTasks, Settings};
use crate::writer::Writer;

/// The tasks that come in as `files`, `task` or `seed` records; if none comes in, those in the files manifest of the
/// run directory, with what later passes have added to them. Files with a role in `hidden` are not shown to the model.
pub(super) fn incoming(
    session: &Session<'_>,
    writer: &mut Writer,
    hidden: &[Role],
) -> Result<Vec<Files>, Halt> {
    let (settings, ui) = (session.settings, session.ui);
    let mut records = incoming::records(session, writer, "files", &[Kind::Files, Kind::Task, Kind::Seed])?;
    incoming::ensure_any(session, &records, "files, task or seed")?;
    session.begin(writer)?;
    if records.is_empty() {
        records = stored(settings, ui)?;
    }
    let mut tasks = Vec::new();
    for record in records {
        match record {
            Record::Files(files) if files.task.is_some() && !files.files.is_empty() => tasks.push(files),
            Record::Task(task) if task.status.is_live() => {
                tasks.extend(read_task(session, writer, task.into(), hidden)?);
            }
            Record::Seed(seed) => tasks.extend(read_task(session, writer, seed.into(), hidden)?),
            _ => {}
        }
    }
    Ok(tasks)
}

/// The tasks in the run directory: those of the files manifest, with the checklists and fixtures that single passes have
/// added. What such a pass wrote for other files of the task is left out.
fn stored(settings: &Settings, ui: &Ui) -> Result<Vec<Record>> {
    let manifest = |name| incoming::manifest(&settings.run_dir.manifest(name), Kind::Files, ui);
    let mut records = manifest("files")?;
    for pass in [OverTasks::Checklist, OverTasks::Fixtures] {
        for record in manifest(pass.manifest())? {
            complete(&mut records, record);
        }
    }
    Ok(records)
}

/// Adds the files of a record to those of the same task, if both agree on the files that they have.
fn complete(records: &mut [Record], added: Record) {
    let Record::Files(added) = added else { return };
    for record in records {
        let Record::Files(task) = record else { continue };
        let agrees =
            |(name, text): (&String, &String)| added.files.get(name).is_none_or(|other| other == text);
        if task.task == added.task && task.files.iter().all(agrees) {
            task.files.extend(added.files.clone());
            return;
        }
    }
}

/// A task folder that a record names.
struct Named {
    env: String,
    task: String,
    /// 0 for a seed, which has no row in the plan.
    index: usize,
    dir: String,
    annotations: Annotations,
}

impl From<Task> for Named {
    fn from(task: Task) -> Self {
        let Task { env, task, index, dir, annotations, .. } = task;
        Self { env, task, index: index.unwrap_or_default(), dir, annotations }
    }
}

impl From<Seed> for Named {
    fn from(seed: Seed) -> Self {
        let Seed { env, task, dir, annotations, .. } = seed;
        Self { env, task, index: 0, dir, annotations }
    }
}

/// The files of a task folder; none, and a failure record, if it is not in its environment.
fn read_task(
    session: &Session<'_>,
    writer: &mut Writer,
    named: Named,
    hidden: &[Role],
) -> Result<Option<Files>> {
    match read_files(session, &named.dir, hidden) {
        Ok(files) => {
            let Named { env, task, index, annotations, .. } = named;
            Ok(Some(Files { env, task: Some(task), index, files, annotations, ..Files::default() }))
        }
        Err(error) => {
            let env = &session.settings.environment.name;
            let failure = unreadable(env, &named.task, named.index, &format!("{error:#}"));
            writer.record(&Record::Failure(*failure))?;
            Ok(None)
        }
    }
}

fn read_files(session: &Session<'_>, dir: &str, hidden: &[Role]) -> Result<BTreeMap<String, String>> {
    let (workspace, environment) = (&session.settings.workspace, &session.settings.environment);
    let dir = workspace.resolve(dir)?;
    let below = dir.strip_prefix(&environment.root);
    let below =
        below.with_context(|| format!("{} is not in the environment {}", dir.display(), environment.name))?;
    let files = read_folder(&environment.root, below)?;
    let source = Source::of(environment, &session.settings.send);
    source
        .check_task(&below.to_string_lossy(), &files, hidden)
        .map_err(|refused| anyhow!(refused.to_string()))?;
    Ok(files)
}

/// Writes each of the tasks with the files that `add` adds to it. A task to which none could be added is written as it
/// is, and the failure after it.
pub(super) fn add_to_each(
    session: &Session<'_>,
    writer: &mut Writer,
    tasks: Vec<Files>,
    add: impl Fn(&mut Files) -> Result<Option<Box<Failure>>, Unanswered> + Sync,
) -> Result<(), Halt> {
    pipeline::write_tasks(session, writer, tasks, |task| {
        let mut task = task.clone();
        let failure = add(&mut task)?;
        let failure = failure.map(|failure| Record::Failure(*failure));
        Ok([Record::Files(task)].into_iter().chain(failure).collect())
    })
}

/// What a question about a task shows: its name, and its files without those with a role in `hidden`.
pub(super) fn variables(task: &str, files: &BTreeMap<String, String>, hidden: &[Role]) -> Map<String, Value> {
    let files = json!(excerpts(files, hidden));
    [("task".to_owned(), task.into()), ("files".to_owned(), files)].into_iter().collect()
}

/// The name of a task; empty without one.
pub(super) fn task_name(task: &Files) -> &str {
    task.task.as_deref().unwrap_or_default()
}
