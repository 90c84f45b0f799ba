//! Sandboxes as processes: started, asked to run programs, and ended.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rustix::fs::chown;
use rustix::process::{Gid, Pid, Signal, Uid, kill_process_group};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::error::{Action, SandboxError};
use crate::harness::{self, HARNESS};
use crate::interpreter::Interpreter;
use crate::launch::{Launch, ROLE, UNPRIVILEGED, is_root, python};
use crate::live::{Environment, Question};
use crate::program::{Program, Repetition, State};
use crate::run::{RawRun, Runs, Unreadable};

/// How long a sandbox may take to start, and to answer beyond the time limit of a run. Its harness is trusted;
/// this is for an overloaded machine, or for one that ends the process.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many replies are read ahead.
const REPLIES: usize = 64;

/// How to start sandboxes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The interpreter that runs programs.
    pub interpreter: Interpreter,
    /// Whether to confine programs, or to run them without the protection that this machine does not offer.
    pub confined: bool,
    /// Closed when waiting is not worthwhile any more.
    pub stop: Receiver<Infallible>,
}

/// A sandbox with a Python in it. Runs one program at a time. Dropping it ends everything in it.
#[derive(Debug)]
pub struct Sandbox {
    process: Child,
    requests: ChildStdin,
    replies: Receiver<String>,
    stop: Receiver<Infallible>,
    landlock: i64,
    visible: Vec<PathBuf>,
    /// Replaces the root of the sandbox where there is none.
    _root: Option<TempDir>,
}

/// A program to run in each of some states, as the harness reads it.
#[derive(Debug, Serialize)]
struct Request<'a> {
    env: &'a str,
    task: &'a str,
    env_id: &'a str,
    file: &'a str,
    function: &'a str,
    task_info: &'a Value,
    states: &'a [&'a State],
    repeat: u32,
    seconds: u64,
    wall_seconds: u64,
    /// Whether `copy_from_env` and `exec_capture` ask questions instead of using the states.
    live: bool,
    /// Name and size of the files whose contents follow.
    files: Vec<(&'a str, usize)>,
    /// Size of each screenshot of the trajectory. Their contents come last.
    screens: Vec<usize>,
}

/// What the harness writes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    /// It has started.
    Ready { landlock: i64 },
    /// A run ended.
    Run(RawRun),
    /// A run asks about the real environment.
    Question(Question),
    /// A state could not be set up.
    Unreadable(Unreadable),
    /// The program does not compile.
    Uncompilable(String),
    /// The harness failed.
    Broken(String),
    /// All is done: how the keeper exited.
    End(String),
}

impl Sandbox {
    /// Starts a sandbox and waits until it is ready.
    pub fn start(settings: &Settings) -> Result<Self, SandboxError> {
        let root = if settings.confined {
            None
        } else {
            Some(tempfile::tempdir().action("create a folder for the sandbox")?)
        };
        let mut command = match &root {
            None => confined(&settings.interpreter)?,
            Some(root) => unconfined(&settings.interpreter, root)?,
        };
        // Ctrl-C must reach this program only. It ends its sandboxes when their work is done.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().action("start a sandbox")?;
        let (Some(requests), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(SandboxError::Ended);
        };
        let (sender, replies) = bounded(REPLIES);
        thread::spawn(move || forward_lines(output, &sender));
        let stop = settings.stop.clone();
        let visible = settings.interpreter.visible.clone();
        let mut sandbox = Self { process, requests, replies, stop, landlock: 0, visible, _root: root };
        match sandbox.reply(0)? {
            Reply::Ready { landlock } => sandbox.landlock = landlock,
            other => return Err(SandboxError::BadReply(format!("{other:?}"))),
        }
        Ok(sandbox)
    }

    /// The version of the kernel's Landlock interface. Below 1 there is none.
    pub fn landlock_version(&self) -> i64 {
        self.landlock
    }

    /// The files and folders of this machine that programs can read.
    pub(crate) fn visible(&self) -> &[PathBuf] {
        &self.visible
    }

    /// Runs a program in each of these states. After an error the sandbox cannot be used any more.
    pub fn run(
        &mut self,
        program: &Program,
        states: &[&State],
        repetition: Repetition,
    ) -> Result<Runs, SandboxError> {
        self.send(program, states, repetition, None)?;
        self.receive(states.len(), repetition, None)
    }

    /// Runs a program once in a real environment. `state` provides what the environment does not: the answer of a
    /// vision model. `screens` are the screenshots of the trajectory, as PNG, the final one last.
    pub fn run_live(
        &mut self,
        program: &Program,
        state: &State,
        seconds: u64,
        screens: &[Vec<u8>],
        environment: &mut dyn Environment,
    ) -> Result<Runs, SandboxError> {
        let once = Repetition { times: 1, seconds };
        self.send(program, &[state], once, Some(screens))?;
        self.receive(1, once, Some(environment))
    }

    /// Receives the runs, and answers their questions.
    fn receive(
        &mut self,
        states: usize,
        repetition: Repetition,
        mut environment: Option<&mut dyn Environment>,
    ) -> Result<Runs, SandboxError> {
        let mut runs = Runs { by_state: vec![Vec::new(); states], ..Runs::default() };
        loop {
            match self.reply(repetition.wall_seconds())? {
                Reply::Run(run) => match runs.by_state.get_mut(run.state) {
                    Some(state) => state.push(run.into_run()),
                    None => return Err(SandboxError::BadReply(format!("a run in state {}", run.state))),
                },
                Reply::Question(question) => {
                    let Some(environment) = &mut environment else {
                        return Err(SandboxError::BadReply(format!("{question:?}")));
                    };
                    self.write(&question.answer(*environment))?;
                }
                Reply::Unreadable(state) => runs.unreadable.push(state),
                Reply::Uncompilable(reason) => runs.uncompilable = Some(reason),
                Reply::Broken(reason) => runs.broken = Some(reason),
                Reply::End(how) => {
                    if how != "exit 0" {
                        runs.broken.get_or_insert(format!("the process that holds the program ended: {how}"));
                    }
                    return Ok(runs);
                }
                Reply::Ready { .. } => return Err(SandboxError::BadReply("ready".to_owned())),
            }
        }
    }

    fn send(
        &mut self,
        program: &Program,
        states: &[&State],
        repetition: Repetition,
        live: Option<&[Vec<u8>]>,
    ) -> Result<(), SandboxError> {
        let screens = live.unwrap_or_default();
        let request = Request {
            env: &program.env,
            task: &program.task,
            env_id: &program.env_id,
            file: &program.file,
            function: &program.function,
            task_info: &program.task_info,
            states,
            repeat: repetition.times,
            seconds: repetition.seconds,
            wall_seconds: repetition.wall_seconds(),
            live: live.is_some(),
            files: program.files.iter().map(|(name, content)| (name.as_str(), content.len())).collect(),
            screens: screens.iter().map(Vec::len).collect(),
        };
        let mut message = serde_json::to_vec(&request).action("write a request")?;
        message.push(b'\n');
        for (_, content) in &program.files {
            message.extend_from_slice(content);
        }
        message.extend(screens.iter().flatten());
        self.write(&message)
    }

    fn write(&mut self, message: &[u8]) -> Result<(), SandboxError> {
        let sent = self.requests.write_all(message).and_then(|()| self.requests.flush());
        sent.action("send a request to the sandbox")
    }

    /// The next reply, which comes at the latest when a run of this many seconds ends.
    fn reply(&mut self, seconds: u64) -> Result<Reply, SandboxError> {
        let line = select! {
            recv(self.replies) -> line => line.map_err(|_| SandboxError::Ended)?,
            recv(self.stop) -> _ => return Err(SandboxError::Interrupted),
            default(PATIENCE + Duration::from_secs(seconds)) => return Err(SandboxError::NoAnswer),
        };
        serde_json::from_str(&line).map_err(|_| SandboxError::BadReply(line))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The kernel ends everything in the sandbox with its first process; without a sandbox, the group ends.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        drop(self.process.wait());
    }
}

/// This program, started again as the parent of a sandbox.
fn confined(interpreter: &Interpreter) -> Result<Command, SandboxError> {
    let launch = Launch {
        python: interpreter.executable.clone(),
        visible: interpreter.visible.clone(),
        library_path: interpreter.library_path.clone(),
        harness: harness::argument(interpreter, true, "/")?,
    };
    let description = serde_json::to_string(&launch).action("describe the sandbox")?;
    let mut command = Command::new("/proc/self/exe");
    command.arg(ROLE).arg(description).env_clear();
    Ok(command)
}

/// Python without a sandbox, but not as root.
fn unconfined(interpreter: &Interpreter, root: &TempDir) -> Result<Command, SandboxError> {
    let argument = harness::argument(interpreter, false, &root.path().to_string_lossy())?;
    let mut command = python(&interpreter.executable, &interpreter.library_path);
    command.env("HOME", root.path()).args(["-B", "-c", HARNESS, &argument]);
    if is_root() {
        let (user, group) = (Uid::from_raw(UNPRIVILEGED), Gid::from_raw(UNPRIVILEGED));
        chown(root.path(), Some(user), Some(group)).action("give the sandbox its folder")?;
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    Ok(command)
}

/// Forwards lines until the process ends or the receiver is dropped.
fn forward_lines(output: impl Read, sender: &Sender<String>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if sender.send(line).is_err() {
            return;
        }
    }
}
