//! Unpacks answers and publishes their tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use answer::ProblemCode;
use anyhow::{Context, Result};
use common::environment::{TaskName, Workspace};
use common::fingerprint::sha256_hex;
use common::jsonl::RawLine;
use common::publish::{self, Built, NewFile, Published};
use common::read::{FileError, read_beneath};
use common::record::{Dropped, Files, Problem, Task, TaskFile, TaskStatus};
use common::text::escape;
use task_spec::files::{self, Entry};

use crate::jobs::{Folders, Job, Unpack, validate};
use crate::settings::{QUARANTINE, Settings};

/// The longest file of an existing folder that is described, in bytes. The longest of a task of the published
/// benchmark has 4 MB.
const MAX_BYTES: usize = 64 << 20;

const HINT: &str = "earlier tasks are complete; run the same command again to resume";

/// The code of the problem that a file of an existing folder cannot be read.
pub(crate) const UNREADABLE: &str = "unreadable_file";

/// The result of a job.
pub(crate) enum Done {
    /// A line that passes through unchanged.
    Pass(RawLine),
    /// The record of an answer.
    Task(Task),
    /// The record of an answer beyond the limit.
    Dropped(Dropped),
}

/// A job after the part that runs in parallel.
pub(crate) enum Unpacked {
    /// It is finished.
    Done(Box<Done>),
    /// The result depends on the folders that exist when its turn comes.
    Draft(Box<Draft>),
}

/// A task before it is published.
pub(crate) struct Draft {
    task: Task,
    /// The path of its folder.
    dir: PathBuf,
    /// Its folder, built out of sight; `None` if it is not published.
    built: Option<Built>,
    /// The number of its problems that are reported if an existing folder is kept: those known without validation.
    given: usize,
}

/// Makes task folders from answers.
pub(crate) struct Unpacker<'a> {
    overwrite: bool,
    dry_run: bool,
    workspace: &'a Workspace,
    folders: &'a Folders,
    /// The folder of quarantined tasks, which are not published again.
    quarantine: Option<PathBuf>,
}

impl<'a> Unpacker<'a> {
    pub(crate) fn new(settings: &'a Settings, folders: &'a Folders) -> Self {
        let Settings { overwrite, dry_run, workspace, .. } = settings;
        let quarantine = settings.run_dir().map(|run_dir| run_dir.join(QUARANTINE));
        Self { overwrite: *overwrite, dry_run: *dry_run, workspace, folders, quarantine }
    }

    /// Does a job up to publishing. Errors are those of the disk, and end the stage.
    pub(crate) fn unpack(&self, job: Job) -> Result<Unpacked> {
        match job {
            Job::Pass(line) => Ok(Unpacked::Done(Done::Pass(line).into())),
            Job::Drop(answer) => Ok(Unpacked::Done(Done::Dropped(dropped(*answer)).into())),
            Job::Unpack(answer) => self.unpack_answer(*answer),
        }
    }

    fn unpack_answer(&self, Unpack { mut record, task: planned, folder }: Unpack) -> Result<Unpacked> {
        let mut task = Task {
            env: std::mem::take(&mut record.env),
            task: planned.as_ref().map(ToString::to_string).unwrap_or_default(),
            index: Some(record.index).filter(|&index| index > 0),
            dir: String::new(),
            status: TaskStatus::Rejected,
            files: Vec::new(),
            problems: std::mem::take(&mut record.problems),
            annotations: std::mem::take(&mut record.annotations),
        };
        let mut given = task.problems.len();
        if let (Some(name), Ok(folder)) = (&planned, &folder)
            && self.keeps(&folder.join(name.as_str()))
        {
            return self
                .existing(task, folder, TaskStatus::Kept)
                .map(|task| Unpacked::Done(Done::Task(task).into()));
        }
        if let Some(folder) = planned.as_ref().and_then(|name| self.quarantine_of(name)) {
            return self
                .existing(task, folder, TaskStatus::Quarantined)
                .map(|task| Unpacked::Done(Done::Task(task).into()));
        }
        let validation = validate(&record, planned.as_ref());
        let is_valid = validation.is_valid() && !task.problems.iter().any(answer::rejects);
        // stage-amplify has recorded the problems of its own answers; a custom stage may have recorded none. Validating
        // again finds the former a second time.
        let new: Vec<Problem> =
            validation.problems.into_iter().filter(|problem| !task.problems.contains(problem)).collect();
        task.problems.extend(new);
        let Some(name) = validation.task else { return Ok(Unpacked::Done(Done::Task(task).into())) };
        name.as_str().clone_into(&mut task.task);
        let folder = match folder {
            Ok(folder) => folder,
            Err(why) => {
                task.problems.push(Problem::new(ProblemCode::UnknownEnvironment.as_str(), why));
                return Ok(Unpacked::Done(Done::Task(task).into()));
            }
        };
        if planned.is_none() {
            given = task.problems.len();
        }
        let files = is_valid.then_some(&validation.files);
        self.draft(task, &folder, files, given).map(|draft| Unpacked::Draft(Box::new(draft)))
    }

    /// The draft of a task in `folder`. With `files`, its folder is built.
    fn draft(
        &self,
        mut task: Task,
        folder: &Path,
        files: Option<&BTreeMap<String, String>>,
        given: usize,
    ) -> Result<Draft> {
        let dir = folder.join(&task.task);
        task.dir = self.workspace.relative(&dir);
        let mut built = None;
        if let Some(files) = files {
            task.files = files.iter().map(|(name, content)| describe(name, content.as_bytes())).collect();
            task.status = TaskStatus::Planned;
            if !self.dry_run {
                built = Some(self.build(folder, &task.task, files)?);
            }
        }
        Ok(Draft { task, dir, built, given })
    }

    /// Builds a task's folder out of sight.
    fn build(&self, folder: &Path, name: &str, files: &BTreeMap<String, String>) -> Result<Built> {
        let files: Vec<NewFile<'_>> = files
            .iter()
            .map(|(name, content)| NewFile { name, bytes: content.as_bytes(), executable: is_script(name) })
            .collect();
        let workshop = self.folders.workshop(folder);
        workshop
            .and_then(|workshop| workshop.build(name, &files, self.overwrite))
            .with_context(|| format!("cannot publish the task {name}; {HINT}"))
    }

    /// Publishes a batch in order. The result is the same as that of unpacking one answer after the other.
    pub(crate) fn publish(&self, unpacked: Vec<Unpacked>) -> Result<Vec<Done>> {
        let mut done = Vec::with_capacity(unpacked.len());
        let mut batch = Vec::new();
        let mut dirs = BTreeSet::new();
        for unpacked in unpacked {
            if let Unpacked::Draft(draft) = &unpacked
                && !dirs.insert(draft.dir.clone())
            {
                // Its result depends on that of an earlier draft for the same folder.
                done.extend(self.publish_batch(std::mem::take(&mut batch))?);
                dirs = BTreeSet::from([draft.dir.clone()]);
            }
            batch.push(unpacked);
        }
        done.extend(self.publish_batch(batch)?);
        Ok(done)
    }

    /// Publishes tasks of different names.
    fn publish_batch(&self, mut batch: Vec<Unpacked>) -> Result<Vec<Done>> {
        let built = batch.iter_mut().filter_map(|unpacked| match unpacked {
            Unpacked::Draft(draft) => draft.built.take(),
            Unpacked::Done(_) => None,
        });
        let built: Vec<Built> = built.collect();
        let published = publish::publish(&built).with_context(|| format!("cannot publish; {HINT}"))?;
        let published: BTreeMap<&Path, Published> = built.iter().map(Built::target).zip(published).collect();
        let mut done = Vec::with_capacity(batch.len());
        for unpacked in batch {
            done.push(match unpacked {
                Unpacked::Done(done) => *done,
                Unpacked::Draft(draft) => {
                    let published = published.get(&*draft.dir).copied();
                    Done::Task(self.finish(*draft, published)?)
                }
            });
        }
        Ok(done)
    }

    fn finish(&self, mut draft: Draft, published: Option<Published>) -> Result<Task> {
        draft.task.status = match published {
            Some(Published::New) => TaskStatus::Written,
            Some(Published::Replaced) => TaskStatus::Replaced,
            None if !self.keeps(&draft.dir) => draft.task.status,
            None | Some(Published::Kept) => {
                draft.task.problems.truncate(draft.given);
                let folder = draft.dir.parent().unwrap_or(&draft.dir);
                return self.existing(draft.task, folder, TaskStatus::Kept);
            }
        };
        Ok(draft.task)
    }

    /// Whether an existing folder at `dir` is kept.
    fn keeps(&self, dir: &Path) -> bool {
        !self.overwrite && dir.symlink_metadata().is_ok()
    }

    /// The quarantine, if it holds this task. A task that is written again with `--overwrite` leaves it there.
    fn quarantine_of(&self, task: &TaskName) -> Option<&Path> {
        self.quarantine.as_deref().filter(|folder| !self.overwrite && folder.join(task.as_str()).is_dir())
    }

    /// The record of a task whose folder is in `folder`.
    fn existing(&self, mut task: Task, folder: &Path, status: TaskStatus) -> Result<Task> {
        task.dir = self.workspace.relative(&folder.join(&task.task));
        task.status = status;
        let (files, problems) =
            files_in(folder, &task.task).with_context(|| format!("cannot read the task {}", task.task))?;
        task.files = files;
        task.problems.extend(problems);
        Ok(task)
    }
}

/// The record of an answer beyond `--max-tasks`.
fn dropped(answer: Files) -> Dropped {
    Dropped {
        env: answer.env,
        task: answer.task,
        of: "files".to_owned(),
        stage: "extract".to_owned(),
        index: Some(answer.index).filter(|&index| index > 0),
        code: "max_tasks".to_owned(),
        message: "--max-tasks was reached".to_owned(),
        annotations: answer.annotations,
    }
}

/// The files of the existing task `task` in `folder`, and a problem for each that cannot be read. Links are not
/// followed.
pub(crate) fn files_in(folder: &Path, task: &str) -> Result<(Vec<TaskFile>, Vec<Problem>)> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for entry in files::walk(&folder.join(task), usize::MAX, |_| true) {
        let Entry { path, kind, .. } = entry?;
        let below = path.strip_prefix(folder)?;
        let name = below.strip_prefix(task)?.to_string_lossy();
        let read =
            if kind.is_symlink() { Err(FileError::Link) } else { read_beneath(folder, below, MAX_BYTES) };
        match read {
            Ok(content) => files.push(describe(&name, &content)),
            Err(why) => problems.push(Problem::new(UNREADABLE, format!("{}: {why}", escape(&name)))),
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((files, problems))
}

fn describe(name: &str, content: &[u8]) -> TaskFile {
    TaskFile { name: name.to_owned(), bytes: content.len() as u64, sha256: sha256_hex(content) }
}

/// Whether a file is executable.
fn is_script(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "sh")
}
