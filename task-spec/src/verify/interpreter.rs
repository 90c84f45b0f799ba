//! The Python that runs verifiers: its version, and which modules it has.
//!
//! It is asked once. A small script runs in it and answers from its import machinery, without importing the
//! modules; no code of a task is executed. The answers are cached in a file below
//! `$XDG_CACHE_HOME/propose-amplify` (`~/.cache` if that is not set), one for each Python and each process
//! environment. The cache is discarded when the program, a folder on its path, or one of the variables that
//! change the path has changed: installing a package changes its folder. A cache that cannot be read or
//! written is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use etcetera::base_strategy::{BaseStrategy, Xdg};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::python::{self, Version};
use common::fingerprint::sha256_hex;
use common::read::start_of_regular;

/// What the Python runs, and how it is talked to: a line of JSON with what it is, then a line for each line.
const SCRIPT: &str = include_str!("ask.py");

/// How long an answer may take. The first one comes after the Python has started, from a slow disk perhaps.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Variables that change what a Python finds.
const VARIABLES: [&str; 8] = [
    "PATH",
    "PYENV_VERSION",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONUSERBASE",
    "VIRTUAL_ENV",
];

/// Names of the modules of the standard library where no Python says them: those of 3.11.
static STANDARD: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| include_str!("stdlib.txt").lines().map(str::to_owned).collect());

/// The Python that runs verifiers, or what is known without one.
pub struct Interpreter {
    program: Option<Program>,
    version: Version,
    standard: BTreeSet<String>,
    state: Mutex<State>,
}

/// Why the Python cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It is not there, or cannot be started.
    #[error("cannot start the Python '{program}'")]
    Start {
        /// What was to be started.
        program: String,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// It ended, or said something else.
    #[error("the Python '{program}' does not answer: {why}")]
    Answer {
        /// What was started.
        program: String,
        /// What came instead of an answer.
        why: String,
    },
}

/// Where a module is, as far as its source tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Located {
    /// Nowhere.
    Missing,
    /// In this source file.
    Source(PathBuf),
    /// It has no source, but is there.
    Opaque,
}

#[derive(Default)]
struct State {
    answers: Answers,
    conversation: Option<Conversation>,
    changed: bool,
}

/// Answers by question.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Answers {
    installed: BTreeMap<String, bool>,
    located: BTreeMap<String, Located>,
}

/// A Python program in the surroundings in which it answered.
struct Program {
    name: String,
    /// How long it may take to answer.
    limit: Duration,
    cache: Option<PathBuf>,
    identity: Identity,
    /// Folders on its path, and when they last changed.
    path: Vec<Dated>,
}

/// What tells one Python and its surroundings from another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Identity {
    /// Changes with [`SCRIPT`] and with this file's form.
    script: String,
    program: Dated,
    /// For programs that are scripts themselves and choose a Python by the working directory.
    directory: Option<PathBuf>,
    variables: BTreeMap<String, String>,
}

/// A file and what changes when it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Dated {
    path: PathBuf,
    /// Inode, and time of the last change in nanoseconds; `None` if the file does not exist.
    stamp: Option<(u64, i64, i64)>,
}

impl Dated {
    fn now(path: PathBuf) -> Self {
        let metadata = fs::metadata(&path).ok();
        let stamp = metadata.map(|file| (file.ino(), file.mtime(), file.mtime_nsec()));
        Self { path, stamp }
    }

    fn is_current(&self) -> bool {
        Self::now(self.path.clone()) == *self
    }
}

/// The file of the cache.
#[derive(Serialize, Deserialize)]
struct Cached {
    identity: Identity,
    greeting: Greeting,
    path: Vec<Dated>,
    answers: Answers,
}

/// What a Python says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Greeting {
    version: (u8, u8),
    standard: BTreeSet<String>,
    path: Vec<PathBuf>,
}

impl Interpreter {
    /// Without a Python: the standard library is known, and nothing else.
    pub fn none() -> Self {
        Self {
            program: None,
            version: python::DEFAULT_VERSION,
            standard: STANDARD.clone(),
            state: Mutex::default(),
        }
    }

    /// The Python that `name` means, a program's name or path.
    pub fn open(name: &str) -> Result<Self, AskError> {
        Self::open_with(name, cache_folder().as_deref(), TIME_LIMIT)
    }

    /// The same, with the cache in a folder, and so much time for each answer.
    pub(super) fn open_with(name: &str, folder: Option<&Path>, limit: Duration) -> Result<Self, AskError> {
        let identity = Identity::of(name).ok_or_else(|| AskError::Start {
            program: name.to_owned(),
            source: io::ErrorKind::NotFound.into(),
        })?;
        let cache = folder.and_then(|folder| Some(folder.join(identity.file_name()?)));
        if let Some(cached) = cache.as_deref().and_then(|file| Cached::read(file, &identity)) {
            let program = Program { name: name.to_owned(), limit, cache, identity, path: cached.path };
            return Ok(Self::new(program, cached.greeting, cached.answers, None));
        }
        let (conversation, greeting) = Conversation::start(name, limit)?;
        let path = greeting.path.iter().cloned().map(Dated::now).collect();
        let program = Program { name: name.to_owned(), limit, cache, identity, path };
        Ok(Self::new(program, greeting, Answers::default(), Some(conversation)))
    }

    fn new(
        program: Program,
        greeting: Greeting,
        answers: Answers,
        conversation: Option<Conversation>,
    ) -> Self {
        let changed = conversation.is_some();
        Self {
            program: Some(program),
            version: Version { major: greeting.version.0, minor: greeting.version.1 },
            standard: greeting.standard,
            state: Mutex::new(State { answers, conversation, changed }),
        }
    }

    /// The version of Python that verifiers are to be parsed as.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether a top-level module belongs to the standard library or is installed. `None` without a Python to
    /// ask.
    pub(super) fn has(&self, module: &str) -> Result<Option<bool>, AskError> {
        if self.standard.contains(module) {
            return Ok(Some(true));
        }
        let Some(program) = &self.program else { return Ok(None) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&known) = state.answers.installed.get(module) {
            return Ok(Some(known));
        }
        let answer: bool = state.ask(program, &Question::Installed(module))?;
        state.answers.installed.insert(module.to_owned(), answer);
        Ok(Some(answer))
    }

    /// The location of the module with a dotted name. `None` without a Python to ask.
    pub(super) fn locate(&self, module: &str) -> Result<Option<Located>, AskError> {
        let Some(program) = &self.program else { return Ok(None) };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.answers.located.get(module) {
            return Ok(Some(known.clone()));
        }
        let answer: Located = state.ask(program, &Question::Located(module))?;
        state.answers.located.insert(module.to_owned(), answer.clone());
        Ok(Some(answer))
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(program) = self.program.take().filter(|_| state.changed) else { return };
        let Some(file) = &program.cache else { return };
        let greeting = Greeting {
            version: (self.version.major, self.version.minor),
            standard: std::mem::take(&mut self.standard),
            path: program.path.iter().map(|dated| dated.path.clone()).collect(),
        };
        let answers = std::mem::take(&mut state.answers);
        let cached = Cached { identity: program.identity, greeting, path: program.path, answers };
        // Next time it is asked again.
        drop(cached.write(file));
    }
}

impl State {
    fn ask<T: serde::de::DeserializeOwned>(
        &mut self,
        program: &Program,
        question: &Question<'_>,
    ) -> Result<T, AskError> {
        self.changed = true;
        if self.conversation.is_none() {
            self.conversation = Some(Conversation::start(&program.name, program.limit)?.0);
        }
        let refused = |why: String| AskError::Answer { program: program.name.clone(), why };
        match &mut self.conversation {
            Some(conversation) => conversation.ask(question).map_err(|error| refused(error.to_string())),
            None => Err(refused("it is not running".to_owned())),
        }
    }
}

/// What a Python can be asked.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Question<'a> {
    Installed(&'a str),
    Located(&'a str),
}

/// A Python that runs [`SCRIPT`].
struct Conversation {
    child: Child,
    questions: Option<ChildStdin>,
    answers: Receiver<io::Result<String>>,
    limit: Duration,
}

impl Conversation {
    fn start(program: &str, limit: Duration) -> Result<(Self, Greeting), AskError> {
        let failed = |source| AskError::Start { program: program.to_owned(), source };
        let mut child = Command::new(program)
            .args(["-B", "-c", SCRIPT])
            // Ctrl-C at the terminal is for this process, which ends the other one.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let mut conversation = Self { child, questions, answers: lines_of(answers), limit };
        let greeting = conversation
            .answer()
            .map_err(|error| AskError::Answer { program: program.to_owned(), why: error.to_string() })?;
        Ok((conversation, greeting))
    }

    fn ask<T: serde::de::DeserializeOwned>(&mut self, question: &Question<'_>) -> io::Result<T> {
        let questions = self.questions.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = serde_json::to_string(question)?;
        line.push('\n');
        questions.write_all(line.as_bytes())?;
        self.answer()
    }

    fn answer<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<T> {
        match self.answers.recv_timeout(self.limit) {
            Ok(line) => Ok(serde_json::from_str(&line?)?),
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("it ended early; is it Python 3.8 or later?"))
            }
            Err(RecvTimeoutError::Timeout) => {
                // What is asked next must not be waited for as long again.
                drop(self.questions.take());
                drop(self.child.kill());
                let seconds = self.limit.as_secs_f64();
                Err(io::Error::other(format!(
                    "it said nothing for {seconds} seconds and was ended; start it by hand to see why"
                )))
            }
        }
    }
}

/// Lines of an output as they come. Not every wait for one can be given up, so a thread of its own waits.
fn lines_of(output: ChildStdout) -> Receiver<io::Result<String>> {
    let (give, lines) = bounded(1);
    thread::spawn(move || BufReader::new(output).lines().try_for_each(|line| give.send(line)));
    lines
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // At the end of its questions the script ends.
        let was_talking = self.questions.take().is_some();
        if was_talking
            && !matches!(self.answers.recv_timeout(self.limit), Err(RecvTimeoutError::Disconnected))
        {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

impl Identity {
    fn of(name: &str) -> Option<Self> {
        let path = which::which(name).ok()?;
        let directory = is_script(&path).then(|| env::current_dir().ok()).flatten();
        let variable = |name: &str| Some((name.to_owned(), env::var(name).ok()?));
        Some(Self {
            script: sha256_hex(SCRIPT.as_bytes()),
            program: Dated::now(path),
            directory,
            variables: VARIABLES.into_iter().filter_map(variable).collect(),
        })
    }

    /// The name of the file that its answers are kept in.
    fn file_name(&self) -> Option<String> {
        let key = serde_json::to_vec(&(&self.program.path, &self.directory, &self.variables)).ok()?;
        let name: String = sha256_hex(&key).chars().take(16).collect();
        Some(format!("python-{name}.json"))
    }
}

fn is_script(path: &Path) -> bool {
    start_of_regular(path, 2).is_ok_and(|start| start.bytes == b"#!")
}

fn cache_folder() -> Option<PathBuf> {
    Some(Xdg::new().ok()?.cache_dir().join("propose-amplify"))
}

impl Cached {
    /// What is in the file, if it is still true.
    fn read(file: &Path, identity: &Identity) -> Option<Self> {
        let cached: Self = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let true_still = cached.identity == *identity && cached.path.iter().all(Dated::is_current);
        true_still.then_some(cached)
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        let folder = file.parent().ok_or(io::ErrorKind::NotFound)?;
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(&serde_json::to_vec(self)?)?;
        new.persist(file)?;
        Ok(())
    }
}
