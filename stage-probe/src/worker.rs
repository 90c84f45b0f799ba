//! Workers: sandboxes with a Python in them, each running one verifier at a time.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, bounded, select};
use rustix::fs::chown;
use rustix::process::{Gid, Pid, Signal, Uid, kill_process_group};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::python::Interpreter;
use crate::sandbox::{HARNESS, HarnessConfig, Launch, NOBODY, ROLE, is_root, python};
use crate::states::State;

/// How long a worker may take to start, and how much longer than its limits to answer. It is trusted code;
/// this is for the machine that is too busy, or that takes the worker away.
const PATIENCE: Duration = Duration::from_mins(1);

/// A verifier to run, in each of its states.
#[derive(Debug, Serialize)]
pub(crate) struct Request<'a> {
    /// The environment's folder name.
    pub(crate) env: &'a str,
    /// The task's folder name.
    pub(crate) task: &'a str,
    /// The environment's id, for the verifier.
    pub(crate) env_id: &'a str,
    /// The verifier's file in the task folder.
    pub(crate) verifier: &'a str,
    /// The function in it.
    pub(crate) function: &'a str,
    /// The third argument of the verifier.
    pub(crate) task_info: &'a Value,
    /// The states to run it in.
    pub(crate) states: &'a [State],
    /// How often to run it in each.
    pub(crate) repeat: u32,
    /// How long each run may take, in seconds: on the clock, and on a processor.
    pub(crate) seconds: u64,
    /// Name below the environment, and size, of the files whose contents follow.
    pub(crate) files: Vec<(&'a str, usize)>,
}

/// What the harness says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// It has started.
    Ready(Ready),
    /// A run came to its end.
    Run(Run),
    /// What a state delivers could not be found out.
    Unreadable(Unreadable),
    /// The verifier does not compile.
    Uncompilable(String),
    /// The probe itself failed, or the machine did.
    Broken(String),
    /// All is done: the keeper's exit.
    End(String),
}

/// What the harness found when it started.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Ready {
    /// The version of Landlock's interface; below one, there is none.
    pub(crate) landlock: i64,
}

/// A state that could not be made.
#[derive(Debug, Deserialize)]
pub(crate) struct Unreadable {
    pub(crate) state: usize,
    pub(crate) why: String,
}

/// How a run ended.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    /// The number of the state.
    pub(crate) state: usize,
    /// What the run reported, if it did.
    pub(crate) report: Option<String>,
    /// Whether something else was found where the report belongs.
    pub(crate) tampered: bool,
    /// `exit 0`, the name of a signal, or `timeout`.
    pub(crate) ended: String,
    /// The start of what it printed.
    pub(crate) output: String,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// What a run reports.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// A dict was returned; what is neither a number nor text in it is there by its type's name alone.
    Returned(Map<String, Value>),
    /// Something else was.
    NotADict(Value),
    /// An exception was raised.
    Raised(Raised),
}

/// An exception that a verifier did not catch.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Raised {
    /// `import` or `call`.
    pub(crate) phase: String,
    /// The class.
    #[serde(rename = "type")]
    pub(crate) class: String,
    pub(crate) message: String,
    /// The line of the verifier's own file that it came from or through.
    pub(crate) line: Option<u64>,
    pub(crate) errno: Option<i32>,
    /// The module that is missing, where one is.
    pub(crate) module: Option<String>,
}

/// How to start workers.
#[derive(Clone, Debug)]
pub(crate) struct WorkerSettings {
    pub(crate) interpreter: Interpreter,
    /// Whether to confine verifiers, or to run them without what this machine does not have.
    pub(crate) confined: bool,
    /// Closed when nothing is worth waiting for any more.
    pub(crate) given_up: Receiver<Infallible>,
}

/// A sandbox with a Python in it.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Child,
    requests: ChildStdin,
    replies: Receiver<String>,
    given_up: Receiver<Infallible>,
    pub(crate) ready: Ready,
    /// What stands in for the sandbox's own root where there is none.
    _root: Option<TempDir>,
}

impl Worker {
    /// Starts a worker and waits until it is ready.
    pub(crate) fn start(settings: &WorkerSettings) -> Result<Self> {
        let root = if settings.confined { None } else { Some(tempfile::tempdir()?) };
        let mut command = match &root {
            None => Self::sandbox(settings)?,
            Some(root) => Self::unconfined(settings, root)?,
        };
        // Ctrl-C is for this program to hear, and to end its sandboxes when their work is done.
        let command = command.process_group(0);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start a sandbox")?;
        let (Some(requests), Some(replies)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("a sandbox has no pipes");
        };
        let (give, lines) = bounded(64);
        thread::spawn(move || {
            let lines = BufReader::new(replies).lines();
            // Ends with the process, or with the worker that nobody listens to any more.
            lines.map_while(Result::ok).try_for_each(|line| give.send(line))
        });
        let mut worker = Self {
            process,
            requests,
            replies: lines,
            given_up: settings.given_up.clone(),
            ready: Ready { landlock: 0 },
            _root: root,
        };
        match worker.reply(0).context("cannot set a sandbox up")? {
            Reply::Ready(ready) => worker.ready = ready,
            other => bail!("a sandbox greets with {other:?}"),
        }
        Ok(worker)
    }

    fn sandbox(settings: &WorkerSettings) -> Result<Command> {
        let launch = Launch {
            python: settings.interpreter.executable.clone(),
            readable: settings.interpreter.folders.clone(),
            harness: HarnessConfig::argument(true, "/")?,
        };
        let mut command = Command::new("/proc/self/exe");
        command.arg(ROLE).arg(serde_json::to_string(&launch)?).env_clear();
        Ok(command)
    }

    /// Without a sandbox, but still not as root.
    fn unconfined(settings: &WorkerSettings, root: &TempDir) -> Result<Command> {
        let harness = HarnessConfig::argument(false, &root.path().to_string_lossy())?;
        let mut command = python(&settings.interpreter.executable);
        command.env("HOME", root.path()).args(["-B", "-c", HARNESS, &harness]);
        if is_root() {
            let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
            chown(root.path(), Some(user), Some(group))?;
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(command)
    }

    /// Asks for a verifier's runs. `contents` are those of the request's files.
    pub(crate) fn ask(&mut self, request: &Request, contents: &[&[u8]]) -> Result<()> {
        let mut message = serde_json::to_vec(request).context("cannot write a request")?;
        message.push(b'\n');
        for content in contents {
            message.extend_from_slice(content);
        }
        self.requests.write_all(&message).and_then(|()| self.requests.flush()).context("a sandbox is gone")
    }

    /// The next thing that the harness says, which is at the latest when a run of this many seconds ends.
    pub(crate) fn reply(&mut self, seconds: u64) -> Result<Reply> {
        let line = select! {
            recv(self.replies) -> line => line.ok().context("a sandbox ended unasked")?,
            recv(self.given_up) -> _ => bail!("interrupted"),
            default(PATIENCE + Duration::from_secs(seconds)) => bail!("a sandbox did not answer in time"),
        };
        serde_json::from_str(&line).with_context(|| format!("a sandbox says {line}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The kernel ends everything in the sandbox with its first process; where there is none, the group.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        drop(self.process.wait());
    }
}
