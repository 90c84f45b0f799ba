//! The files of an environment, as far as prompts may show them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use common::environment::{Environment, task_spec};
use common::read::{FileError, Start, read_beneath, start_beneath};
use common::text::escape;
use common::ui::Ui;
use fs_err as fs;
use task_spec::files::{CORE_FILES, Role};
use task_spec::spec;
use task_spec::value::Value;

use super::secrets::secret;

/// The maximum number of refused files that are named, besides those that look like secrets.
const NAMED: usize = 20;

/// Reads the files of an environment for prompts. Nothing else reads them: a file is a regular one in the
/// environment's folder, no link leads to it, and it does not look like a secret. Files that are refused for such
/// a reason are remembered.
pub(crate) struct Source<'a> {
    environment: &'a Environment,
    /// Canonical paths of the files that are sent even if they look like secrets.
    sent: &'a [PathBuf],
    refused: RefCell<Refused>,
}

/// Why a file is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is not read.
    Unread(FileError),
    /// It looks like a secret, for this reason.
    Secret(&'static str),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(error) => write!(f, "{error}"),
            Self::Secret(why) => write!(f, "it {why}; pass --send with its path to send it"),
        }
    }
}

/// Files that are not sent to the model, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused(BTreeMap<String, Why>);

impl<'a> Source<'a> {
    /// The files of an environment. Those in `sent` are sent even if they look like secrets.
    pub(crate) fn of(environment: &'a Environment, sent: &'a [PathBuf]) -> Self {
        Self { environment, sent, refused: RefCell::default() }
    }

    /// The environment whose files it reads.
    pub(crate) fn environment(&self) -> &'a Environment {
        self.environment
    }

    /// The content of the file `name`, a path below the environment's folder. None if it does not exist, or if
    /// it is refused.
    pub(crate) fn read(&self, name: &str, max_bytes: usize) -> Option<Vec<u8>> {
        let content = self.found(name, read_beneath(&self.environment.root, Path::new(name), max_bytes))?;
        self.may_send(name, &content).then_some(content)
    }

    /// The same for a file that is searched and not shown: if it is refused, that is not remembered.
    pub(crate) fn peek(&self, name: &str, max_bytes: usize) -> Option<Vec<u8>> {
        let content = read_beneath(&self.environment.root, Path::new(name), max_bytes).ok()?;
        self.withheld(name, &content).is_none().then_some(content)
    }

    /// The beginning of the file `name`.
    pub(crate) fn start(&self, name: &str, max_bytes: usize) -> Option<Start> {
        let start = self.found(name, start_beneath(&self.environment.root, Path::new(name), max_bytes))?;
        self.may_send(name, &start.bytes).then_some(start)
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

    /// Whether the file `name` with this content may be sent. If not, it is refused.
    fn may_send(&self, name: &str, content: &[u8]) -> bool {
        let Some(why) = self.withheld(name, content) else { return true };
        self.refuse(name, Why::Secret(why));
        false
    }

    /// Why the file `name` with this content looks like a secret, unless `--send` names it.
    fn withheld(&self, name: &str, content: &[u8]) -> Option<&'static str> {
        secret(name, content).filter(|_| !self.is_chosen(name))
    }

    /// Checks the core files of the task in `folder` that prompts show. Those with a role in `hidden` are not shown.
    pub(crate) fn check_task(
        self,
        folder: &str,
        files: &BTreeMap<String, String>,
        hidden: &[Role],
    ) -> Result<(), Refused> {
        for file in CORE_FILES.iter().filter(|file| !hidden.contains(&file.role)) {
            if let Some(content) = files.get(file.name) {
                self.may_send(&format!("{folder}/{}", file.name), content.as_bytes());
            }
        }
        let refused = self.into_refused();
        if refused.0.is_empty() { Ok(()) } else { Err(refused) }
    }

    /// Whether `--send` names the file.
    fn is_chosen(&self, name: &str) -> bool {
        let path = self.environment.root.join(name);
        !self.sent.is_empty() && fs::canonicalize(path).is_ok_and(|path| self.sent.contains(&path))
    }

    /// Remembers that a file is refused.
    pub(crate) fn refuse(&self, name: &str, why: Why) {
        let name = format!("{}/{name}", self.environment.name);
        self.refused.borrow_mut().0.insert(name, why);
    }

    fn found<T>(&self, name: &str, read: Result<T, FileError>) -> Option<T> {
        match read {
            Ok(found) => Some(found),
            Err(error) => {
                if !error.is_not_found() {
                    self.refuse(name, Why::Unread(error));
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

    /// Reports the files: all that look like secrets, and some of the others.
    pub(crate) fn report(&self, ui: &Ui) {
        let (secrets, unread): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(_, why)| matches!(why, Why::Secret(_)));
        for (name, why) in secrets.iter().chain(unread.iter().take(NAMED)) {
            ui.warn(format_args!("{} is not sent to the model: {why}", escape(name)));
        }
        if unread.len() > NAMED {
            ui.warn(format_args!("{} more files are not sent to the model", unread.len() - NAMED));
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, why) in &self.0 {
            write!(f, "{separator}{}: {why}", escape(name))?;
            separator = "; ";
        }
        Ok(())
    }
}
