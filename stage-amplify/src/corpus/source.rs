//! The files of an environment, as far as prompts may show them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use common::environment::{Environment, task_spec};
use common::read::{FileError, Start, read_beneath, start_beneath};
use common::text::escape;
use common::ui::Ui;
use task_spec::spec;
use task_spec::value::Value;

/// The maximum number of files that are named as not sent for reasons that apply to whole folders.
const NAMED: usize = 20;

/// Reads the files of an environment for prompts. Nothing else reads them: a file is a regular one in the
/// environment's folder, and no link leads to it. Files that are refused for such a reason are remembered.
pub(crate) struct Source<'a> {
    environment: &'a Environment,
    refused: RefCell<Refused>,
}

/// Files that are not sent to the model, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused(BTreeMap<String, FileError>);

impl<'a> Source<'a> {
    /// The files of an environment.
    pub(crate) fn of(environment: &'a Environment) -> Self {
        Self { environment, refused: RefCell::default() }
    }

    /// The environment whose files it reads.
    pub(crate) fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// The content of the file `name`, a path below the environment's folder. None if there is no such file, or
    /// if it is refused.
    pub(crate) fn read(&self, name: &str, max_bytes: usize) -> Option<Vec<u8>> {
        self.found(name, read_beneath(&self.environment.root, Path::new(name), max_bytes))
    }

    /// The beginning of the file `name`.
    pub(crate) fn start(&self, name: &str, max_bytes: usize) -> Option<Start> {
        self.found(name, start_beneath(&self.environment.root, Path::new(name), max_bytes))
    }

    /// The environment's spec; null if it cannot be read.
    pub(crate) fn spec(&self) -> Value {
        let name = self.environment.spec.file_name().and_then(|name| name.to_str());
        name.and_then(|name| self.parse(name)).unwrap_or(Value::Null)
    }

    /// The name of the spec of a task, below the environment's folder, and the spec itself.
    pub(crate) fn task_spec(&self, task: &str) -> Option<(String, Value)> {
        let path = task_spec(&self.environment.task_dir(task))?;
        let name = format!("tasks/{task}/{}", path.file_name()?.to_str()?);
        let spec = self.parse(&name)?;
        Some((name, spec))
    }

    fn parse(&self, name: &str) -> Option<Value> {
        spec::parse(Path::new(name), &self.read(name, spec::MAX_BYTES)?).ok()
    }

    /// Remembers that a file is refused.
    pub(crate) fn refuse(&self, name: &str, why: FileError) {
        let name = format!("{}/{name}", self.environment.name);
        self.refused.borrow_mut().0.insert(name, why);
    }

    fn found<T>(&self, name: &str, read: Result<T, FileError>) -> Option<T> {
        match read {
            Ok(found) => Some(found),
            Err(error) => {
                if !error.is_not_found() {
                    self.refuse(name, error);
                }
                None
            }
        }
    }

    /// The files that were refused.
    pub(crate) fn into_refused(self) -> Refused {
        self.refused.into_inner()
    }
}

impl Refused {
    /// Adds those of another source.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(name, why)| (name.clone(), *why)));
    }

    /// Reports the files.
    pub(crate) fn report(&self, ui: &Ui) {
        for (name, why) in self.0.iter().take(NAMED) {
            ui.warn(format_args!("{} is not sent to the model: {why}", escape(name)));
        }
        if self.0.len() > NAMED {
            ui.warn(format_args!("{} more files are not sent to the model", self.0.len() - NAMED));
        }
    }
}
