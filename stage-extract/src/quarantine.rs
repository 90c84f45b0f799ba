//! Moves tasks that stay bad out of their environment, where nobody takes them for good ones.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use common::jsonl::Line;
use common::publish::move_dir;
use common::record::{Issue, Problem, Record, Severity, SpecKind, Task, TaskStatus};
use common::stage::Input;
use common::text::with_hint;
use common::ui::Ui;
use task_spec::seeds;

use crate::args::{Place, Settings};
use crate::report::Report;
use crate::unpack::{Done, files_in};

/// The folder of a run directory that bad tasks are moved to, and the manifest of those that were.
pub(crate) const QUARANTINE: &str = "quarantine";

/// A verdict, of whichever stage, that a task is bad.
struct Bad {
    env: String,
    task: String,
    problems: Vec<Problem>,
}

/// Moves every task that a `verdict` or `probe` record calls bad.
pub(crate) fn run(input: Input, settings: &Settings, report: &mut Report, ui: &Ui) -> Result<()> {
    // A task has a record of each stage that looked at it, and is moved once.
    let mut done: HashSet<PathBuf> = HashSet::new();
    for line in input {
        let bad = match line.context("cannot read the input")? {
            Line::Other(line) => {
                report.add(Done::Pass(line))?;
                continue;
            }
            Line::Record(record) => bad(record),
        };
        let Some(bad) = bad else { continue };
        if !is_folder_name(&bad.task) {
            ui.error(format_args!("{} is no name of a task folder, so nothing was moved", bad.task));
            continue;
        }
        let place = Quarantine::of(&bad, settings)?;
        if !done.insert(place.tasks.join(&bad.task)) {
            continue;
        }
        if !place.tasks.join(&bad.task).is_dir() {
            ui.warn(format_args!("the task {} is not in {}", bad.task, place.tasks.display()));
            continue;
        }
        report.add(Done::Task(place.take(bad, settings)?))?;
    }
    Ok(())
}

/// What a record finds bad, if it does.
fn bad(record: Record) -> Option<Bad> {
    let (env, task, issues) = match record {
        Record::Verdict(verdict) if !verdict.ok && verdict.kind == SpecKind::Task => {
            (verdict.env, verdict.task?, verdict.issues)
        }
        Record::Probe(probe) if !probe.ok => (probe.env, probe.task, probe.issues),
        _ => return None,
    };
    Some(Bad { env, task, problems: issues.into_iter().filter_map(problem).collect() })
}

fn problem(issue: Issue) -> Option<Problem> {
    (issue.severity == Severity::Error).then(|| Problem::new(issue.code, issue.message))
}

/// Whether `name` is one part of a path, and no hidden one. Tasks of other authors have other names than ours.
fn is_folder_name(name: &str) -> bool {
    !name.starts_with('.')
        && !name.contains(['\0', '\\'])
        && Path::new(name).file_name() == Some(name.as_ref())
}

/// Where a task is, and where it goes.
struct Quarantine {
    tasks: PathBuf,
    folder: PathBuf,
}

impl Quarantine {
    fn of(bad: &Bad, settings: &Settings) -> Result<Self> {
        let tasks = match &settings.place {
            Place::Folder(tasks) => tasks.clone(),
            Place::Named => settings.workspace.environment(&bad.env)?.tasks_dir(),
        };
        let run_dir = settings.run_dir.clone().unwrap_or_else(|| settings.workspace.run_dir(&bad.env));
        if settings.run_dir.is_none() && bad.env.is_empty() {
            bail!("the record of {} names no environment: name it by --env-dir", bad.task);
        }
        Ok(Self { tasks, folder: run_dir.join(QUARANTINE) })
    }

    /// Takes the task out of the list of seeds, then out of the environment: killed in between, the next run
    /// finds it there and goes on.
    fn take(&self, bad: Bad, settings: &Settings) -> Result<Task> {
        let dir = self.tasks.join(&bad.task);
        let files = files_in(&dir).with_context(|| format!("cannot read the task {}", bad.task))?;
        let (dir, status) = if settings.dry_run {
            (dir, TaskStatus::Planned)
        } else {
            seeds::remove(&self.tasks, &bad.task)
                .map_err(|error| anyhow!(with_hint(&error, error.hint())))?;
            let moved = move_dir(&dir, &self.folder, &bad.task)
                .with_context(|| format!("cannot move the task {} to {}", bad.task, self.folder.display()))?;
            (moved, TaskStatus::Quarantined)
        };
        let dir = settings.workspace.relative(&dir);
        Ok(Task { env: bad.env, task: bad.task, index: None, dir, status, files, problems: bad.problems })
    }
}
