//! Moves bad tasks out of their environment.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use common::environment::is_folder_name;
use common::interrupt::{Interrupt, Urgency};
use common::jsonl::Line;
use common::ordered::Ordered;
use common::publish::{move_dir, write_file_atomic};
use common::record::{
    Annotations, Choice, Decision, Decisions, Issue, Kind, Problem, REJECTED_BY_PERSON, Record, Severity,
    SpecKind, Task, TaskStatus,
};
use common::stage::Input;
use common::text::{count, with_hint};
use common::ui::Ui;
use fs_err as fs;
use serde_json::{Value, json};
use task_spec::seeds;

use crate::results::Results;
use crate::settings::{Destination, QUARANTINE, Settings};
use crate::unpack::{Done, files_in};

/// A bad task, reported by any stage.
struct Bad {
    env: String,
    task: String,
    problems: Vec<Problem>,
    annotations: Annotations,
}

/// Moves every task that a `verdict`, `probe`, `trial` or `decision` record reports as bad, until an interrupt, unless a
/// person accepted it: in `decisions.jsonl` of the run directory, or earlier in the input. Returns the records of the
/// moved tasks.
pub(crate) fn run(
    input: Input,
    interrupt: &Interrupt,
    settings: &Settings,
    results: &mut Results,
    ui: &Ui,
) -> Result<Vec<Task>> {
    let mut mover = Mover {
        settings,
        results,
        ui,
        decisions: Decisions::default(),
        done: HashSet::new(),
        moved: Vec::new(),
        unjudged: 0,
        accepted: 0,
    };
    mover.take_decisions_of_run()?;
    Ordered::on_threads(1).until(interrupt.closed_at(Urgency::Drain)).each(
        input,
        |line| line,
        |line| mover.take(line),
    )?;
    let Mover { moved, unjudged, accepted, .. } = mover;
    if unjudged > 0 {
        ui.info(format_args!("{} could not be probed on this machine: not moved", count(unjudged, "task")));
    }
    if accepted > 0 {
        ui.info(format_args!("not moved, as a person accepted them: {}", count(accepted, "bad task")));
    }
    Ok(moved)
}

/// Moves one task after the other.
struct Mover<'a> {
    settings: &'a Settings,
    results: &'a mut Results,
    ui: &'a Ui,
    decisions: Decisions,
    /// Several stages may report a task; it is moved once.
    done: HashSet<PathBuf>,
    moved: Vec<Task>,
    unjudged: u64,
    accepted: u64,
}

impl Mover<'_> {
    /// Takes the last decision about each task from the run directory.
    fn take_decisions_of_run(&mut self) -> Result<()> {
        let file = self.settings.run_dir().map(|dir| dir.join("decisions.jsonl"));
        let Some(file) = file.filter(|file| file.exists()) else { return Ok(()) };
        let mut last = BTreeMap::new();
        for line in Input::file(&file, self.ui, &[Kind::Decision])? {
            if let Line::Record(Record::Decision(decision)) = line? {
                last.insert((decision.env.clone(), decision.task.clone()), decision);
            }
        }
        last.into_values().try_for_each(|decision| self.take(Line::Record(Record::Decision(decision))))
    }

    fn take(&mut self, line: Line) -> Result<()> {
        match line {
            Line::Other(line) => self.results.add(Done::Pass(line)),
            Line::Record(Record::Probe(probe)) if probe.is_unjudged() => {
                self.unjudged += 1;
                Ok(())
            }
            Line::Record(record) => {
                if let Record::Decision(decision) = &record {
                    self.decisions.add(decision);
                }
                bad(record).map_or(Ok(()), |bad| self.take_bad(bad))
            }
        }
    }

    fn take_bad(&mut self, bad: Bad) -> Result<()> {
        if !is_folder_name(&bad.task) {
            self.ui.error(format_args!("{} is not the name of a task folder; nothing was moved", bad.task));
            return Ok(());
        }
        let place = Quarantine::of(&bad, self.settings)?;
        if self.decisions.accept(&bad.env, &bad.task) {
            self.accepted += u64::from(self.done.insert(place.tasks.join(&bad.task)));
            return Ok(());
        }
        if !self.done.insert(place.tasks.join(&bad.task)) {
            return Ok(());
        }
        if !place.tasks.join(&bad.task).is_dir() {
            self.ui.warn(format_args!("the task {} is not in {}", bad.task, place.tasks.display()));
            return Ok(());
        }
        let task = place.take(bad, self.settings)?;
        if task.status == TaskStatus::Quarantined {
            self.moved.push(task.clone());
        }
        self.results.add(Done::Task(task))
    }
}

/// Updates the manifest of tasks at `path`, if there is one: it says where the `moved` tasks are now, so that later
/// stages do not look for them. Everything else in it stays as it is.
pub(crate) fn update_manifest(path: &Path, moved: &[Task]) -> Result<()> {
    if moved.is_empty() || !path.exists() {
        return Ok(());
    }
    let mut updated = Vec::new();
    for line in BufReader::new(fs::File::open(path)?).split(b'\n') {
        let line = line?;
        match moved_record(&line, moved) {
            Some(record) => serde_json::to_writer(&mut updated, &record)?,
            None => updated.extend(line),
        }
        updated.push(b'\n');
    }
    Ok(write_file_atomic(path, &updated)?)
}

/// The record in `line` as it is after its task was moved.
fn moved_record(line: &[u8], moved: &[Task]) -> Option<Value> {
    let mut record: Value =
        serde_json::from_slice(line).ok().filter(|record: &Value| record["record"] == "task")?;
    let task = moved.iter().find(|task| record["env"] == task.env && record["task"] == task.task)?;
    record["status"] = json!(task.status);
    record["dir"] = json!(task.dir);
    Some(record)
}

/// The task that a record reports as bad, if any.
fn bad(record: Record) -> Option<Bad> {
    let (env, task, issues, annotations) = match record {
        Record::Verdict(verdict) if !verdict.ok && verdict.kind == SpecKind::Task => {
            (verdict.env, verdict.task?, verdict.issues, verdict.annotations)
        }
        Record::Probe(probe) if !probe.ok => (probe.env, probe.task, probe.issues, probe.annotations),
        // A trial that was not run says nothing about its task.
        Record::Trial(trial) if !trial.ok && trial.not_run.is_none() => {
            (trial.env, trial.task, trial.issues, trial.annotations)
        }
        Record::Decision(decision) if decision.choice == Choice::Reject => return Some(rejected(decision)),
        _ => return None,
    };
    Some(Bad { env, task, problems: issues.into_iter().filter_map(problem).collect(), annotations })
}

fn rejected(decision: Decision) -> Bad {
    let Decision { env, task, comment, annotations, .. } = decision;
    let message = if comment.is_empty() { "a person rejected it".to_owned() } else { comment };
    Bad { env, task, problems: vec![Problem::new(REJECTED_BY_PERSON, message)], annotations }
}

fn problem(issue: Issue) -> Option<Problem> {
    (issue.severity == Severity::Error).then(|| Problem::new(issue.code, issue.message))
}

/// The folder of a task, and the folder it is moved to.
struct Quarantine {
    tasks: PathBuf,
    folder: PathBuf,
}

impl Quarantine {
    fn of(bad: &Bad, settings: &Settings) -> Result<Self> {
        let tasks = match &settings.destination {
            Destination::Folder(tasks) => tasks.clone(),
            Destination::NamedByRecord => settings.workspace.environment_of_record(&bad.env)?.tasks_dir(),
        };
        let named = settings.run_dir();
        let is_named = named.is_some();
        let run_dir = named.unwrap_or_else(|| settings.workspace.run_dir(&bad.env));
        if !is_named && !is_folder_name(&bad.env) {
            bail!("the record of {} does not name an environment; pass --env-dir", bad.task);
        }
        ensure!(
            !tasks.is_symlink(),
            "{} is a symbolic link, which is not followed; pass its target by --tasks-dir",
            tasks.display()
        );
        Ok(Self { tasks, folder: run_dir.join(QUARANTINE) })
    }

    /// Removes the task from the list of seeds, then from the environment. In this order, a run that is killed in
    /// between can be repeated.
    fn take(&self, bad: Bad, settings: &Settings) -> Result<Task> {
        let dir = self.tasks.join(&bad.task);
        let (files, unreadable) =
            files_in(&self.tasks, &bad.task).with_context(|| format!("cannot read the task {}", bad.task))?;
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
        let problems = [bad.problems, unreadable].concat();
        let Bad { env, task, annotations, .. } = bad;
        Ok(Task { env, task, index: None, dir, status, files, problems, annotations })
    }
}
