//! What is to be done, one line of input after the other.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use common::answer::{self, Judged};
use common::environment::{TaskName, Workspace};
use common::manifest::{Line, RawLine};
use common::model::Stop;
use common::publish::remove_unfinished;
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
    /// What came of the answer, where that was needed to find the name.
    pub judged: Option<Judged>,
    /// Where its folder goes, or why that cannot be told.
    pub folder: Result<PathBuf, String>,
    /// When it may be published.
    pub turn: Turn,
}

/// The place of an answer among those for the same folder: they take turns in the order they came in, so
/// that the result is the same as if they were unpacked one after the other.
pub(crate) struct Turn {
    earlier: Option<Receiver<()>>,
    /// Dropped when this one is done, which the next one hears.
    _done: Sender<()>,
}

impl Turn {
    /// Waits until the answers before it are done.
    pub(crate) fn wait(&self) {
        if let Some(earlier) = &self.earlier {
            // Nothing is ever sent: it ends when the other end is gone.
            let _ = earlier.recv();
        }
    }
}

/// The jobs that the lines of the input are.
pub(crate) struct Jobs {
    input: Input,
    place: Place,
    left: usize,
    folders: Folders,
    /// The last answer for each folder, as far as it can be waited for.
    turns: HashMap<PathBuf, Receiver<()>>,
}

impl Jobs {
    /// The jobs in `input`. Where all folders go to the same place, that is looked at now.
    pub(crate) fn new(input: Input, settings: &Settings) -> Result<Self> {
        let folders = Folders::new(settings);
        if let Place::Folder(folder) = &settings.place {
            folders.open(folder)?;
        }
        let place = settings.place.clone();
        Ok(Self { input, place, left: settings.max_tasks, folders, turns: HashMap::new() })
    }

    /// The folders that are published to.
    pub(crate) fn folders(&self) -> Folders {
        self.folders.clone()
    }

    fn unpack(&mut self, record: Files) -> Unpack {
        let said = record.task.as_deref();
        let task = said.and_then(|name| TaskName::new(name).or_else(|| TaskName::from_text(name)));
        let judged = if task.is_none() { Some(judge(&record, None)) } else { None };
        let name = task.as_ref().or_else(|| judged.as_ref()?.task.as_ref());
        let folder = match &self.place {
            Place::Folder(folder) => Ok(folder.clone()),
            Place::Named => self.folders.of_environment(&record.env).map_err(|error| format!("{error:#}")),
        };
        let turn = match (&folder, name) {
            (Ok(folder), Some(name)) => self.turn(folder.join(name.as_str())),
            _ => Turn { earlier: None, _done: channel().0 },
        };
        Unpack { record, task, judged, folder, turn }
    }

    fn turn(&mut self, folder: PathBuf) -> Turn {
        let (done, wait) = channel();
        Turn { earlier: self.turns.insert(folder, wait), _done: done }
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

/// Judges the answer in a record as the task with this name.
pub(crate) fn judge(record: &Files, task: Option<&TaskName>) -> Judged {
    let answer = if record.files.is_empty() {
        answer::parse(&record.answer, Stop::End)
    } else {
        answer::from_files(&record.files)
    };
    answer.judge(task)
}

/// The folders that task folders go to, each looked at once.
#[derive(Clone)]
pub(crate) struct Folders {
    workspace: Workspace,
    dry_run: bool,
    opened: Arc<Mutex<Vec<PathBuf>>>,
}

impl Folders {
    fn new(settings: &Settings) -> Self {
        Self { workspace: settings.workspace.clone(), dry_run: settings.dry_run, opened: Arc::default() }
    }

    /// The folders that were opened.
    pub(crate) fn opened(&self) -> Vec<PathBuf> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn of_environment(&self, env: &str) -> Result<PathBuf> {
        let folder = self.workspace.environment(env)?.tasks_dir();
        if !self.opened().contains(&folder) {
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
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(folder.to_owned());
        Ok(())
    }
}
