//! The jobs: one for each line of the input.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use answer::Validation;
use anyhow::{Context, Result};
use common::environment::{TaskName, Workspace};
use common::jsonl::{Line, RawLine};
use common::publish::{PublishError, Workshop, remove_unfinished};
use common::record::StopReason;
use common::record::{Files, Record};
use common::stage::Input;
use fs_err as fs;

use crate::settings::{Destination, Settings};

/// A line of the input.
pub(crate) enum Job {
    /// It passes through unchanged.
    Pass(RawLine),
    /// It is an answer beyond the limit.
    Drop(Box<Files>),
    /// It is an answer to unpack.
    Unpack(Box<Unpack>),
}

/// An answer to unpack.
pub(crate) struct Unpack {
    pub record: Files,
    /// The task's name, if the record has one.
    pub task: Option<TaskName>,
    /// The folder that its folder goes to, or why it is unknown.
    pub folder: Result<PathBuf, String>,
}

/// Reads jobs from the input.
pub(crate) struct Jobs {
    input: Input,
    destination: Destination,
    left: usize,
    folders: Folders,
}

impl Jobs {
    /// Reads the jobs in `input`. If all tasks go to one folder, it is opened now.
    pub(crate) fn new(input: Input, settings: &Settings, folders: &Folders) -> Result<Self> {
        if let Destination::Folder(folder) = &settings.destination {
            folders.open(folder)?;
        }
        let destination = settings.destination.clone();
        Ok(Self { input, destination, left: settings.max_tasks, folders: folders.clone() })
    }

    fn unpack(&self, record: Files) -> Unpack {
        let task =
            record.task.as_deref().and_then(|name| TaskName::new(name).or_else(|| TaskName::from_text(name)));
        let folder = match &self.destination {
            Destination::Folder(folder) => Ok(folder.clone()),
            Destination::NamedByRecord => {
                self.folders.of_environment(&record.env).map_err(|error| format!("{error:#}"))
            }
        };
        Unpack { record, task, folder }
    }
}

impl Iterator for Jobs {
    type Item = io::Result<Job>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.input.next()? {
                Err(error) => return Some(Err(error)),
                Ok(Line::Other(line)) => return Some(Ok(Job::Pass(line))),
                Ok(Line::Record(Record::Files(record))) if self.left == 0 => {
                    return Some(Ok(Job::Drop(Box::new(record))));
                }
                Ok(Line::Record(Record::Files(record))) => {
                    self.left -= 1;
                    return Some(Ok(Job::Unpack(Box::new(self.unpack(record)))));
                }
                // No other kind is requested from the input.
                Ok(Line::Record(_)) => {}
            }
        }
    }
}

/// Validates the answer in a record as the task with this name.
///
/// `files` are the source of truth: stage-amplify has parsed the answer, and may have repaired them since. `answer`
/// is parsed only in records without files, which other programs write.
pub(crate) fn validate(record: &Files, task: Option<&TaskName>) -> Validation {
    let answer = if record.files.is_empty() {
        answer::parse(&record.answer, StopReason::End)
    } else {
        answer::from_files(&record.files)
    };
    answer.validate(task)
}

/// The folders that task folders go to. Each is opened once.
#[derive(Clone)]
pub(crate) struct Folders {
    workspace: Workspace,
    dry_run: bool,
    opened: Arc<Mutex<BTreeMap<PathBuf, Option<Arc<Workshop>>>>>,
}

impl Folders {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { workspace: settings.workspace.clone(), dry_run: settings.dry_run, opened: Arc::default() }
    }

    fn of_environment(&self, env: &str) -> Result<PathBuf> {
        let folder = self.workspace.environment_of_record(env)?.tasks_dir();
        let is_open = self.opened().contains_key(&folder);
        if !is_open {
            self.open(&folder)?;
        }
        Ok(folder)
    }

    /// Creates the folder if it is missing, and removes what killed runs left in it.
    fn open(&self, folder: &Path) -> Result<()> {
        let is_there = match folder.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                anyhow::bail!(
                    "{} is a symbolic link, which is not followed; pass its target by --tasks-dir",
                    folder.display()
                );
            }
            Ok(_) => true,
            Err(_) => false,
        };
        if self.dry_run {
            return Ok(());
        }
        if is_there {
            remove_unfinished(folder).context("cannot clean up what a killed run left")?;
        } else {
            fs::create_dir_all(folder).context("cannot create the folder for tasks")?;
        }
        self.opened().insert(folder.to_owned(), None);
        Ok(())
    }

    /// The workshop in which folders for this one are built.
    pub(crate) fn workshop(&self, folder: &Path) -> Result<Arc<Workshop>, PublishError> {
        let mut opened = self.opened();
        let workshop = opened.entry(folder.to_owned()).or_default();
        match workshop {
            Some(workshop) => Ok(Arc::clone(workshop)),
            None => Ok(Arc::clone(workshop.insert(Workshop::open(folder)?))),
        }
    }

    /// Removes everything from the folders that was not published.
    pub(crate) fn close(&self) -> Result<()> {
        let folders: Vec<PathBuf> = std::mem::take(&mut *self.opened()).into_keys().collect();
        folders.iter().try_for_each(|folder| remove_unfinished(folder).map(drop)).context("cannot clean up")
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Option<Arc<Workshop>>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
