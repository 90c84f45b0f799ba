//! The runners of gym-anything: virtual machines and containers, for environments that have no image of their own.
//!
//! A machine is a process of Python that holds a runner and answers requests (`scripts/gym_anything.py`). It ends with
//! its standard input, and so with this stage, however that ends.

use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::environment::{Environment, Workspace};
use common::text::{escape, shorten};
use crossbeam_channel::{Receiver, after, bounded, select};
use serde::Deserialize;
use serde_json::{Value, json};
use task_spec::machine::{DESKTOP, EnvironmentSpec, Mount, quote};

use super::command::{self, End, Limits};
use super::{Done, EngineError, Machine, Script, Start};

/// The name of the engine, as in `--engine` and in records.
pub(crate) const NAME: &str = "gym-anything";

/// The program that holds a machine.
const DRIVER: &str = include_str!("../scripts/gym_anything.py");

/// How long gym-anything may take to be imported and to choose a runner.
const OPEN: Duration = Duration::from_mins(2);

/// How long a machine may take to start. An emulated one takes minutes.
const START: Duration = Duration::from_mins(20);

/// How long a machine may take to be written to the disk.
const KEEP: Duration = Duration::from_mins(30);

/// How long the answer to a script may take beyond its time limit.
const GRACE: Duration = Duration::from_mins(2);

/// How long a machine may take to end.
const STOP: Duration = Duration::from_mins(2);

/// The longest answer that is read, in bytes: the largest file of a verifier in base64, and more.
const MAX_ANSWER: u64 = 128 << 20;

/// How much of what gym-anything prints is kept for an error, in bytes.
const PRINTED: usize = 4096;

/// How many lines of it an error has.
const LINES: usize = 3;

/// gym-anything, as a Python has it.
#[derive(Clone, Debug)]
pub(crate) struct GymAnything {
    python: PathBuf,
    /// Replaces the base of environments.
    base_image: Option<String>,
    workspace: Workspace,
    stop: Receiver<Infallible>,
}

/// The answer to the first request.
#[derive(Debug, Deserialize)]
struct Opened {
    /// Whether there is a checkpoint of the machine.
    exists: bool,
}

/// The answer to a script.
#[derive(Debug, Deserialize)]
struct Answer {
    exit: Option<i32>,
    /// In base64.
    output: String,
    seconds: f64,
}

impl GymAnything {
    /// The gym-anything that this Python imports.
    pub(crate) fn find(
        python: &Path,
        base_image: Option<&str>,
        workspace: &Workspace,
        stop: &Receiver<Infallible>,
    ) -> Result<Self, EngineError> {
        let (base_image, workspace) = (base_image.map(str::to_owned), workspace.clone());
        let found = Self { python: python.to_owned(), base_image, workspace, stop: stop.clone() };
        let mut command = Command::new(python);
        command.args(["-c", "import gym_anything.runtime.runners.docker"]);
        let limits = Limits { time: OPEN, output: PRINTED, stop: stop.clone() };
        let ran = command::run(command, b"", None, &limits).map_err(|source| found.no_start(source))?;
        match ran.end {
            End::Exited(status) if status.success() => Ok(found),
            End::Stopped => Err(EngineError::Interrupted),
            End::TimedOut => Err(no_answer("import its modules", OPEN)),
            End::Exited(_) | End::Marker => {
                let printed = String::from_utf8_lossy(&ran.stderr);
                let last = escape(printed.trim().lines().last().unwrap_or_default()).into_owned();
                let python = python.display();
                Err(EngineError::NoEngine(format!("{NAME} is not installed for {python}: {last}")))
            }
        }
    }

    /// Whether there is a machine of the environment that was kept.
    pub(crate) fn is_kept(&self, start: &Start) -> Result<bool, EngineError> {
        self.open(start).map(|(_, opened)| opened.exists)
    }

    /// Starts a machine.
    pub(crate) fn start(&self, start: &Start) -> Result<GymMachine, EngineError> {
        let (mut machine, _) = self.open(start)?;
        machine.ask("start a machine", &json!({ "do": "start", "is_built": start.base.is_none() }), START)?;
        Ok(machine)
    }

    /// A process that holds a machine which has not started yet.
    fn open(&self, start: &Start) -> Result<(GymMachine, Opened), EngineError> {
        let action = "choose a runner";
        let mut machine = self.spawn()?;
        let opened = machine.ask(action, &self.request(start)?, OPEN)?;
        let opened = serde_json::from_value(opened).map_err(|error| failed(action, &error.to_string()))?;
        Ok((machine, opened))
    }

    fn request(&self, start: &Start) -> Result<Value, EngineError> {
        let unreadable = |error: &dyn std::fmt::Display| failed("read the spec", &error.to_string());
        let environment = Environment::open(start.root).map_err(|error| unreadable(&error))?;
        let spec = task_spec::spec::read(&environment.spec).map_err(|error| unreadable(&error))?;
        Ok(json!({
            "do": "open",
            "spec": spec.to_json(),
            "image": self.base_image,
            // The tag is the hash of the environment's files.
            "key": start.image.rsplit(':').next(),
            "mounts": start.mounts.iter().map(mount).collect::<Vec<_>>(),
            "desktop": desktop(start.environment),
            "display": start.environment.display(),
            "network": start.network,
        }))
    }

    fn spawn(&self) -> Result<GymMachine, EngineError> {
        let mut command = Command::new(&self.python);
        command.args(["-c", DRIVER]).current_dir(self.workspace.root()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|source| self.no_start(source))?;
        let input = process.stdin.take();
        let answers = lines(process.stdout.take());
        let printed = end_of(process.stderr.take());
        Ok(GymMachine { process, input, answers, printed, stop: self.stop.clone() })
    }

    fn no_start(&self, source: io::Error) -> EngineError {
        EngineError::Start { program: self.python.display().to_string(), source }
    }
}

fn mount(mount: &Mount) -> Value {
    let mode = if mount.writable { "rw" } else { "ro" };
    json!({ "source": mount.source.to_string_lossy(), "target": mount.target, "mode": mode })
}

/// The command that starts a desktop in a container of a base image, which has none of its own.
fn desktop(environment: &EnvironmentSpec) -> String {
    let (width, height) = environment.resolution();
    let (script, display, user) =
        (quote(DESKTOP), quote(environment.display()), quote(environment.desktop_user()));
    format!(
        "mkdir -p /run/verify-task; sh -c {script} sh {display} {width} {height} {user} '' '' \
         </dev/null >/run/verify-task/desktop.log 2>&1"
    )
}

/// The lines that a process prints, as they arrive.
fn lines(stdout: Option<ChildStdout>) -> Receiver<Vec<u8>> {
    let (answers, arriving) = bounded(1);
    if let Some(stdout) = stdout {
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let mut line = Vec::new();
                match stdout.by_ref().take(MAX_ANSWER).read_until(b'\n', &mut line) {
                    Ok(1..) if answers.send(line).is_ok() => {}
                    _ => return,
                }
            }
        });
    }
    arriving
}

/// The end of what a process has printed so far.
fn end_of(stderr: Option<ChildStderr>) -> Arc<Mutex<Vec<u8>>> {
    let printed = Arc::new(Mutex::new(Vec::new()));
    if let Some(mut stderr) = stderr {
        let printed = printed.clone();
        thread::spawn(move || {
            let mut buffer = [0; PRINTED];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
                printed.extend_from_slice(buffer.get(..count).unwrap_or_default());
                let surplus = printed.len().saturating_sub(PRINTED);
                printed.drain(..surplus);
            }
        });
    }
    printed
}

/// A machine that a runner of gym-anything holds. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct GymMachine {
    process: Child,
    /// The machine ends with it.
    input: Option<ChildStdin>,
    answers: Receiver<Vec<u8>>,
    printed: Arc<Mutex<Vec<u8>>>,
    stop: Receiver<Infallible>,
}

impl GymMachine {
    /// Sends a request, and waits for its answer.
    fn ask(&mut self, action: &str, request: &Value, limit: Duration) -> Result<Value, EngineError> {
        let mut line = request.to_string();
        line.push('\n');
        if let Some(input) = &mut self.input {
            // A process that ended gives no answer.
            drop(input.write_all(line.as_bytes()));
        }
        let answer = select! {
            recv(self.answers) -> line => line.unwrap_or_default(),
            recv(self.stop) -> _ => return Err(EngineError::Interrupted),
            recv(after(limit)) -> _ => return Err(no_answer(action, limit)),
        };
        let Ok(answer) = serde_json::from_slice::<Value>(&answer) else {
            return Err(failed(action, &self.printed()));
        };
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(failed(action, &format!("{error} ({})", self.printed()))),
            None => Ok(answer),
        }
    }

    fn printed(&self) -> String {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let printed = String::from_utf8_lossy(&printed);
        let lines: Vec<&str> = printed.trim().lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join(" / ")
    }
}

impl Machine for GymMachine {
    fn run(&mut self, script: &Script) -> Result<Done, EngineError> {
        let action = "run a script";
        let request = json!({
            "do": "run",
            "text": script.text,
            // All its runners run hooks as root.
            "user": script.user.filter(|user| *user != "0").unwrap_or("root"),
            "limit": script.limit.as_secs_f64(),
            "most": script.output,
        });
        let answer = self.ask(action, &request, script.limit + GRACE)?;
        let answer: Answer =
            serde_json::from_value(answer).map_err(|error| failed(action, &error.to_string()))?;
        let output =
            BASE64_STANDARD.decode(&answer.output).map_err(|error| failed(action, &error.to_string()))?;
        let took = Duration::try_from_secs_f64(answer.seconds).unwrap_or_default();
        Ok(Done { exit: answer.exit, output, took })
    }

    fn keep(&mut self, _image: &str) -> Result<(), EngineError> {
        self.ask("keep a checkpoint", &json!({ "do": "keep" }), KEEP).map(drop)
    }
}

impl Drop for GymMachine {
    fn drop(&mut self) {
        drop(self.input.take());
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if matches!(self.process.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        command::end_group(&mut self.process);
    }
}

fn failed(action: &str, message: &str) -> EngineError {
    let message = escape(&shorten(message.trim(), 600)).into_owned();
    EngineError::Failed { engine: NAME.to_owned(), action: action.to_owned(), message }
}

fn no_answer(action: &str, limit: Duration) -> EngineError {
    EngineError::NoAnswer { engine: NAME.to_owned(), action: action.to_owned(), limit }
}
