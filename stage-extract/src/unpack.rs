//! Unpacks one answer.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use common::answer::{self, Code};
use common::fingerprint::sha256_hex;
use common::manifest::RawLine;
use common::publish::{NewFile, Published, publish_dir, replace_dir};
use common::record::{Problem, Task, TaskFile, TaskStatus};
use fs_err as fs;
use walkdir::WalkDir;

use crate::args::Options;
use crate::jobs::{Job, Unpack, judge};

/// What came of a job.
pub(crate) enum Done {
    /// A line goes on as it was.
    Pass(RawLine),
    /// An answer was unpacked, or was not.
    Task(Task),
}

/// Does a job. An error is one of the disk, after which there is no point in going on.
pub(crate) fn unpack(job: Job, options: &Options) -> Result<Done> {
    match job {
        Job::Pass(line) => Ok(Done::Pass(line)),
        Job::Unpack(answer) => answer.run(options).map(Done::Task),
    }
}

impl Unpack {
    fn run(mut self, options: &Options) -> Result<Task> {
        let mut task = Task {
            env: self.record.env.clone(),
            task: self.task.as_ref().map(ToString::to_string).unwrap_or_default(),
            index: Some(self.record.index).filter(|&index| index > 0),
            dir: String::new(),
            status: TaskStatus::Rejected,
            files: Vec::new(),
            problems: std::mem::take(&mut self.record.problems),
        };
        self.turn.wait();
        if let (Some(name), Ok(folder)) = (&self.task, &self.folder)
            && keeps(&folder.join(name.as_str()), options)
        {
            return kept(task, &folder.join(name.as_str()), options);
        }
        let judged = self.judged.take().unwrap_or_else(|| judge(&self.record, self.task.as_ref()));
        let is_sound = judged.is_sound() && !task.problems.iter().any(answer::rejects);
        let new: Vec<Problem> =
            judged.problems.into_iter().filter(|problem| !task.problems.contains(problem)).collect();
        task.problems.extend(new);
        let Some(name) = judged.task else { return Ok(task) };
        name.as_str().clone_into(&mut task.task);
        let folder = match self.folder {
            Ok(folder) => folder,
            Err(why) => {
                task.problems.push(Problem::new(Code::UnknownEnvironment.as_str(), why));
                return Ok(task);
            }
        };
        let dir = folder.join(name.as_str());
        if keeps(&dir, options) {
            return kept(task, &dir, options);
        }
        task.dir = options.workspace.relative(&dir);
        if !is_sound {
            return Ok(task);
        }
        task.files = judged.files.iter().map(|(name, content)| describe(name, content.as_bytes())).collect();
        task.status = if options.dry_run {
            TaskStatus::Planned
        } else {
            let published = publish(&folder, name.as_str(), &judged.files, options.overwrite);
            published.with_context(|| {
                format!(
                    "cannot publish the task {name}; \
                     what was published before it is complete, and the same command goes on from there"
                )
            })?
        };
        Ok(task)
    }
}

/// Whether something is at `dir` that stays there.
fn keeps(dir: &Path, options: &Options) -> bool {
    !options.overwrite && dir.symlink_metadata().is_ok()
}

fn kept(mut task: Task, dir: &Path, options: &Options) -> Result<Task> {
    task.dir = options.workspace.relative(dir);
    task.status = TaskStatus::Kept;
    task.files = files_in(dir).with_context(|| format!("cannot read the task {}", task.task))?;
    Ok(task)
}

/// The files of a folder that is there. Links are not followed.
pub(crate) fn files_in(dir: &Path) -> Result<Vec<TaskFile>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(dir)?.to_string_lossy().into_owned();
            files.push(describe(&name, &fs::read(entry.path())?));
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

fn describe(name: &str, content: &[u8]) -> TaskFile {
    TaskFile { name: name.to_owned(), bytes: content.len() as u64, sha256: sha256_hex(content) }
}

fn publish(
    folder: &Path,
    name: &str,
    files: &BTreeMap<String, String>,
    overwrite: bool,
) -> Result<TaskStatus> {
    let files: Vec<NewFile<'_>> = files
        .iter()
        .map(|(name, content)| NewFile { name, bytes: content.as_bytes(), executable: is_script(name) })
        .collect();
    let published =
        if overwrite { replace_dir(folder, name, &files) } else { publish_dir(folder, name, &files) };
    Ok(match published? {
        Published::New => TaskStatus::Written,
        Published::Replaced => TaskStatus::Replaced,
        Published::Kept => TaskStatus::Kept,
    })
}

/// Whether a file is run as a program.
fn is_script(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "sh")
}
