//! The command line of docker, which podman understands too. A machine is a container.
//!
//! The first process of a container reads its standard input, which this stage holds open, until it ends. So no
//! container outlives the stage, however it ends: the engine's program passes the end on, and `--rm` removes the
//! container. `DOCKER_HOST` and the engine's own settings are respected: its program inherits the environment.

use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::num::NonZero;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::text::{escape, shorten};
use crossbeam_channel::{Receiver, after, bounded, select};
use task_spec::machine::{DESKTOP, Mount};
use uuid::Uuid;

use super::command::{self, End, Limits, Ran};
use super::{Done, EngineError, Machine, Script, Start};

/// Marks what belongs to this program, so that people can list it.
const LABEL: &str = "propose-amplify=verify-task";

/// How long the engine may take for a request of its own.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long a copy into an image may take, in which the engine compresses and hashes.
const COMMIT: Duration = Duration::from_mins(15);

/// How long a desktop may take to start.
const START: Duration = Duration::from_mins(2);

/// How many processes a container may have: more than a desktop with a browser needs, fewer than a machine has.
const PROCESSES: &str = "4000";

/// Runs the script, and prints the marker and its exit status: also if processes that it left in the background
/// still hold its output open.
const EXEC: &str = r#"sh -c "$1" 2>&1; printf '\n%s %d\n' "$2" "$?""#;

/// A container engine.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    program: String,
    stop: Receiver<Infallible>,
}

/// The engine that was asked for, or the first one that answers.
pub(crate) fn find(wanted: Option<&str>, stop: &Receiver<Infallible>) -> Result<Docker, EngineError> {
    let programs = wanted.map_or_else(|| vec!["docker", "podman"], |program| vec![program]);
    let mut reasons = Vec::new();
    for program in programs {
        let docker = Docker { program: program.to_owned(), stop: stop.clone() };
        match docker.version() {
            Ok(_) => return Ok(docker),
            Err(EngineError::Interrupted) => return Err(EngineError::Interrupted),
            Err(error) => reasons.push(reason(&error)),
        }
    }
    Err(EngineError::NoEngine(reasons.join("; ")))
}

/// An error in one line.
fn reason(error: &EngineError) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

impl Docker {
    /// The name of the engine, as in records.
    pub(crate) fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or(&self.program)
    }

    /// The version of the engine that answers.
    pub(crate) fn version(&self) -> Result<String, EngineError> {
        self.ask("answer", &["version", "--format", "{{.Server.Version}}"], Duration::from_secs(20))
    }

    /// The id of an image, which changes with its content; none without the image.
    pub(crate) fn image_id(&self, image: &str) -> Result<Option<String>, EngineError> {
        let arguments = ["image", "inspect", "--format", "{{.Id}}", image];
        match self.ask("inspect an image", &arguments, PATIENCE) {
            Ok(id) => Ok(Some(id)),
            Err(EngineError::Failed { message, .. }) if message.to_lowercase().contains("no such image") => {
                Ok(None)
            }
            Err(EngineError::Failed { message, .. }) if message.contains("image not known") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gets an image from a registry.
    pub(crate) fn pull(&self, image: &str) -> Result<(), EngineError> {
        self.ask(&format!("pull {image}"), &["pull", "--quiet", image], Duration::from_mins(30)).map(drop)
    }

    /// Builds an image from a Dockerfile and the folder around it.
    pub(crate) fn build(&self, dockerfile: &str, context: &str, tag: &str) -> Result<(), EngineError> {
        let arguments = ["build", "--quiet", "--tag", tag, "--label", LABEL, "--file", dockerfile, context];
        self.ask("build the Dockerfile", &arguments, Duration::from_hours(1)).map(drop)
    }

    /// The images of this stage: reference, size, age.
    pub(crate) fn images(&self) -> Result<Vec<(String, String, String)>, EngineError> {
        let format = "{{.Repository}}:{{.Tag}}\t{{.Size}}\t{{.CreatedSince}}";
        let filter = format!("label={LABEL}");
        let listed =
            self.ask("list images", &["images", "--filter", &filter, "--format", format], PATIENCE)?;
        let mut images = Vec::new();
        for line in listed.lines() {
            let mut parts = line.splitn(3, '\t').map(str::to_owned);
            if let (Some(name), Some(size), Some(age)) = (parts.next(), parts.next(), parts.next()) {
                images.push((name, size, age));
            }
        }
        images.sort_unstable();
        Ok(images)
    }

    /// Removes an image.
    pub(crate) fn remove_image(&self, image: &str) -> Result<(), EngineError> {
        self.ask(&format!("remove {image}"), &["rmi", image], PATIENCE).map(drop)
    }

    /// Starts a container and waits until its desktop is there.
    pub(crate) fn start(&self, start: &Start) -> Result<Container, EngineError> {
        let name = format!("verify-task-{}", Uuid::new_v4().simple());
        let mut command = self.command();
        command.args(["run", "--interactive", "--rm", "--init", "--name", &name, "--label", LABEL]);
        command.args(["--log-driver", "none", "--user", "0", "--tmpfs", "/run/verify-task:mode=755"]);
        command.args(["--pids-limit", PROCESSES, "--network", start.network.unwrap_or("none")]);
        command.args(resources(start)).args(security(start)).args(mounts(start.mounts));
        let (spec, image) = (start.environment, start.base.unwrap_or(start.image));
        let (width, height) = spec.resolution();
        let display = spec.display();
        let entrypoint = spec.entrypoint.as_deref().unwrap_or_default();
        command.arg("--env").arg(format!("DISPLAY={display}"));
        command.args(["--env", "container=docker", "--entrypoint", "sh", image, "-c", DESKTOP, "sh"]);
        command.args([
            display,
            &width.to_string(),
            &height.to_string(),
            spec.desktop_user(),
            entrypoint,
            start.prepare,
        ]);
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process =
            command.spawn().map_err(|source| EngineError::Start { program: self.program.clone(), source })?;
        let default_user = spec.user().to_owned();
        let mut container = Container { docker: self.clone(), name, process, input: None, default_user };
        container.input = container.process.stdin.take();
        container.wait_until_ready()?;
        container.copy_writable(start.mounts)?;
        Ok(container)
    }

    /// A request that prints a short answer.
    fn ask(&self, action: &str, arguments: &[&str], time: Duration) -> Result<String, EngineError> {
        let mut command = self.command();
        command.args(arguments);
        let ran = self.run(command, b"", None, time, 1 << 20)?;
        match ran.end {
            End::Exited(status) if status.success() => {
                Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
            }
            End::Exited(_) | End::Marker => Err(self.failed(action, &ran.stderr)),
            End::TimedOut => Err(self.no_answer(action, time)),
            End::Stopped => Err(EngineError::Interrupted),
        }
    }

    fn run(
        &self,
        command: Command,
        input: &[u8],
        marker: Option<&[u8]>,
        time: Duration,
        output: usize,
    ) -> Result<Ran, EngineError> {
        let limits = Limits { time, output, stop: self.stop.clone() };
        command::run(command, input, marker, &limits)
            .map_err(|source| EngineError::Start { program: self.program.clone(), source })
    }

    fn command(&self) -> Command {
        Command::new(&self.program)
    }

    fn failed(&self, action: &str, message: &[u8]) -> EngineError {
        EngineError::Failed {
            engine: self.name().to_owned(),
            action: action.to_owned(),
            message: error_message(message),
        }
    }

    fn no_answer(&self, action: &str, limit: Duration) -> EngineError {
        EngineError::NoAnswer { engine: self.name().to_owned(), action: action.to_owned(), limit }
    }
}

/// What an engine printed, as the message of an error.
fn error_message(printed: &[u8]) -> String {
    escape(&shorten(String::from_utf8_lossy(printed).trim(), 600)).into_owned()
}

fn resources(start: &Start) -> Vec<String> {
    let mut arguments = Vec::new();
    if let Some(memory) = start.environment.resources.mem_gb.filter(|memory| *memory > 0.0) {
        let bytes = format!("{:.0}m", memory * 1024.0);
        arguments.extend(["--memory".to_owned(), bytes.clone(), "--memory-swap".to_owned(), bytes]);
    }
    if let Some(wanted) = start.environment.resources.cpu.filter(|cpu| *cpu > 0.0) {
        // More than the machine has is an error of the engine.
        let present = thread::available_parallelism().map_or(1, NonZero::get);
        let most = f64::from(u32::try_from(present).unwrap_or(u32::MAX));
        arguments.extend(["--cpus".to_owned(), format!("{}", wanted.min(most))]);
    }
    arguments
}

fn security(start: &Start) -> Vec<String> {
    let security = &start.environment.security;
    let mut arguments = Vec::new();
    for capability in security.cap_drop.iter().flatten() {
        arguments.extend(["--cap-drop".to_owned(), capability.clone()]);
    }
    for capability in &security.cap_add {
        arguments.extend(["--cap-add".to_owned(), capability.clone()]);
    }
    for device in &security.devices {
        arguments.extend(["--device".to_owned(), device.clone()]);
    }
    if let Some(profile) = &security.seccomp_profile {
        arguments.extend(["--security-opt".to_owned(), format!("seccomp={profile}")]);
    }
    if security.tmpfs_run {
        arguments.extend(["--tmpfs".to_owned(), "/run/lock".to_owned()]);
    }
    arguments
}

/// Mounts that cannot be written to. What can be written to is copied: nothing of it reaches this machine.
fn mounts(mounts: &[Mount]) -> Vec<String> {
    let mut arguments = Vec::new();
    for mount in mounts.iter().filter(|mount| !mount.writable) {
        let source = mount.source.to_string_lossy().replace('"', "\"\"");
        let target = mount.target.replace('"', "\"\"");
        arguments.push("--mount".to_owned());
        arguments.push(format!("type=bind,\"source={source}\",\"target={target}\",readonly"));
    }
    arguments
}

/// A container. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Container {
    docker: Docker,
    name: String,
    process: Child,
    /// The container ends with it.
    input: Option<ChildStdin>,
    default_user: String,
}

impl Container {
    fn wait_until_ready(&mut self) -> Result<(), EngineError> {
        let (ready, is_ready) = bounded(1);
        if let Some(output) = self.process.stdout.take() {
            // Goes on reading, so that what the first process starts can print.
            thread::spawn(move || {
                let mut output = BufReader::new(output);
                let mut line = String::new();
                if output.by_ref().take(100).read_line(&mut line).is_ok() && line == "ready\n" {
                    let _ = ready.send(());
                }
                drop(io::copy(&mut output, &mut io::sink()));
            });
        }
        select! {
            recv(is_ready) -> ready => ready.map_err(|_| self.start_error()),
            recv(self.docker.stop) -> _ => Err(EngineError::Interrupted),
            recv(after(START)) -> _ => Err(self.docker.no_answer("start a desktop", START)),
        }
    }

    /// Why the container did not start: what the engine printed.
    fn start_error(&mut self) -> EngineError {
        let mut message = Vec::new();
        drop(self.input.take());
        if let Some(errors) = self.process.stderr.take() {
            drop(errors.take(4096).read_to_end(&mut message));
        }
        self.docker.failed("start a container", &message)
    }

    /// Copies what the environment may write to into the container.
    fn copy_writable(&self, mounts: &[Mount]) -> Result<(), EngineError> {
        for mount in mounts.iter().filter(|mount| mount.writable) {
            let parent = format!("mkdir -p {}", shlex::try_quote(&mount.target).unwrap_or_default());
            self.docker.ask("create a folder", &["exec", &self.name, "sh", "-c", &parent], PATIENCE)?;
            let (source, target) =
                (format!("{}/.", mount.source.display()), format!("{}:{}", self.name, mount.target));
            self.docker.ask("copy a mount", &["cp", &source, &target], PATIENCE)?;
        }
        Ok(())
    }

    /// Why a script has no exit status: the container ended, or the engine.
    fn exec_error(&mut self, ran: &Ran) -> EngineError {
        if let Err(error) = self.docker.version() {
            return error;
        }
        let message = if ran.stderr.is_empty() { &ran.stdout } else { &ran.stderr };
        EngineError::Unusable { engine: self.docker.name().to_owned(), message: error_message(message) }
    }
}

impl Machine for Container {
    fn run(&mut self, script: &Script) -> Result<Done, EngineError> {
        let marker = Uuid::new_v4().simple().to_string();
        let mut command = self.docker.command();
        let user = script.user.unwrap_or(&self.default_user);
        command.args(["exec", "--interactive", "--user", user, &self.name, "sh", "-c", EXEC, "sh"]);
        command.args([script.text, &marker]);
        let start = format!("\n{marker} ");
        let ran =
            self.docker.run(command, script.input, Some(start.as_bytes()), script.limit, script.output)?;
        let took = ran.took;
        match ran.end {
            End::Marker | End::Exited(_) => {
                let Some((output, exit)) = split_at_marker(&ran.stdout, start.as_bytes()) else {
                    return Err(self.exec_error(&ran));
                };
                Ok(Done { exit: Some(exit), output: output.to_vec(), took })
            }
            End::TimedOut => Ok(Done { exit: None, output: ran.stdout, took }),
            End::Stopped => Err(EngineError::Interrupted),
        }
    }

    fn keep(&mut self, image: &str) -> Result<(), EngineError> {
        let label = format!("LABEL {LABEL}");
        let arguments = ["commit", "--change", &label, &self.name, image];
        self.docker.ask("commit the image", &arguments, COMMIT).map(drop)
    }
}

/// What was printed before the marker, and the number after it.
fn split_at_marker<'a>(output: &'a [u8], marker: &[u8]) -> Option<(&'a [u8], i32)> {
    let start = memchr::memmem::rfind(output, marker)?;
    let (printed, rest) = output.split_at_checked(start)?;
    let number = rest.get(marker.len()..)?.split(|byte| *byte == b'\n').next()?;
    Some((printed, str::from_utf8(number).ok()?.parse().ok()?))
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(mut input) = self.input.take() {
            drop(input.flush());
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if matches!(self.process.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // It does not end by itself: a process that cannot be ended, or an engine that hangs.
        let mut command = self.docker.command();
        command.args(["rm", "--force", &self.name]);
        let never = crossbeam_channel::never();
        drop(command::run(
            command,
            b"",
            None,
            &Limits { time: Duration::from_secs(30), output: 1 << 10, stop: never },
        ));
        command::end_group(&mut self.process);
    }
}
