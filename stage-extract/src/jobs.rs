//! What is to be done, one line of input after the other.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use answer::Validation;
use anyhow::{Context, Result};
use common::environment::{TaskName, Workspace};
use common::jsonl::{Line, RawLine};
use common::publish::{Workshop, remove_unfinished};
use common::record::StopReason;
use common::record::{Files, Record};
use common::stage::Input;
use fs_err as fs;

use crate::args::{Place, Settings};

/// Something to be done.
pub(crate) enum Job {
    /// A line goes on as it is.
    Pass(RawLine),
    /// An answer is unpacked.
    Unpack(Box<Unpack>),
}

/// An answer to unpack.
pub(crate) struct Unpack {
    pub record: Files,
    /// The task's name, where the record says it.
    pub task: Option<TaskName>,
    /// Where its folder goes, or why that cannot be told.
    pub folder: Result<PathBuf, String>,
}

/// The jobs that the lines of the input are.
pub(crate) struct Jobs {
    input: Input,
    place: Place,
    left: usize,
    folders: Folders,
}

impl Jobs {
    /// The jobs in `input`. Where all folders go to the same place, that is looked at now.
    pub(crate) fn new(input: Input, settings: &Settings, folders: &Folders) -> Result<Self> {
        if let Place::Folder(folder) = &settings.place {
            folders.open(folder)?;
        }
        let place = settings.place.clone();
        Ok(Self { input, place, left: settings.max_tasks, folders: folders.clone() })
    }

    fn unpack(&self, record: Files) -> Unpack {
        let said = record.task.as_deref();
        let task = said.and_then(|name| TaskName::new(name).or_else(|| TaskName::from_text(name)));
        let folder = match &self.place {
            Place::Folder(folder) => Ok(folder.clone()),
            Place::Named => self.folders.of_environment(&record.env).map_err(|error| format!("{error:#}")),
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
                Ok(Line::Record(Record::Files(_))) if self.left == 0 => {}
                Ok(Line::Record(Record::Files(record))) => {
                    self.left -= 1;
                    return Some(Ok(Job::Unpack(Box::new(self.unpack(record)))));
                }
                // No other kind was asked for.
                Ok(Line::Record(_)) => {}
            }
        }
    }
}

/// Validates the answer in a record as the task with this name.
pub(crate) fn validate(record: &Files, task: Option<&TaskName>) -> Validation {
    let answer = if record.files.is_empty() {
        answer::parse(&record.answer, StopReason::End)
    } else {
        answer::from_files(&record.files)
    };
    answer.validate(task)
}

/// The folders that task folders go to, each looked at once.
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
        let folder = self.workspace.environment(env)?.tasks_dir();
        let is_open = self.opened().contains_key(&folder);
        if !is_open {
            self.open(&folder)?;
        }
        Ok(folder)
    }

    /// Makes the folder if need be, and clears what killed runs left in it.
    fn open(&self, folder: &Path) -> Result<()> {
        let is_there = match folder.symlink_metadata() {
            Ok(found) if found.is_symlink() => {
                anyhow::bail!(
                    "{} is a symbolic link, which is not followed; name the folder it leads to by --tasks-dir",
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
            fs::create_dir_all(folder).context("cannot make the folder for tasks")?;
        }
        self.opened().insert(folder.to_owned(), None);
        Ok(())
    }

    /// Where folders that go to this one are built.
    pub(crate) fn workshop(&self, folder: &Path) -> io::Result<Arc<Workshop>> {
        let mut opened = self.opened();
        let workshop = opened.entry(folder.to_owned()).or_default();
        match workshop {
            Some(workshop) => Ok(Arc::clone(workshop)),
            None => Ok(Arc::clone(workshop.insert(Workshop::open(folder)?))),
        }
    }

    /// Leaves nothing in the folders but what was published.
    pub(crate) fn close(&self) -> Result<()> {
        let folders: Vec<PathBuf> = std::mem::take(&mut *self.opened()).into_keys().collect();
        folders.iter().try_for_each(|folder| remove_unfinished(folder).map(drop)).context("cannot clean up")
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Option<Arc<Workshop>>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
