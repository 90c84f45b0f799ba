//! A process that ends the agent where this one is killed and cannot.
//!
//! Signals that can be caught end the agent first; SIGKILL, which the kernel sends on its own when memory
//! runs out, cannot be caught. So this program is started a second time, to wait for the end of a pipe whose
//! other end nobody else holds. Then it kills every process that has inherited a certain variable from the
//! agent: nothing else tells them when their parents are gone. Where there is no `/proc`, none is found.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::child;
use anyhow::{Context, Result};
use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The first argument that makes this program watch. Nobody types it.
pub(crate) const ROLE: &str = "__watch";

/// The variable that the agent's processes inherit.
const VARIABLE: &str = "STAGE_PROPOSE_RUN";

/// How long to go on killing. Only a process that the kernel itself holds up survives so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often to look whether all are gone.
const TICK: Duration = Duration::from_millis(20);

/// A process that waits for the end of this one.
pub(crate) struct Watcher {
    process: Child,
    run: String,
}

impl Watcher {
    /// Starts it. It stays in this process's group: in one of its own it would pass for a process that the
    /// agent has left behind.
    pub(crate) fn start() -> Result<Self> {
        let run = uuid::Uuid::new_v4().to_string();
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args([ROLE, &run]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().context("cannot start a process that watches over the agent")?;
        Ok(Self { process, run })
    }

    /// The same command, to be ended with this process.
    pub(crate) fn over(&self, command: child::Command) -> child::Command {
        command.env(VARIABLE, &self.run)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Closes the pipe first.
        drop(self.process.wait());
    }
}

/// Waits for the end of the standard input, and ends the agent of this run.
pub(crate) fn main(run: &OsStr) -> ExitCode {
    // A terminal's Ctrl-C is sent to this process as well, and is not for it.
    let _caught = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    // An error is as good an end.
    drop(io::copy(&mut io::stdin(), &mut io::sink()));
    let entry = [VARIABLE.as_bytes(), b"=", run.as_bytes()].concat();
    let until = Instant::now() + PATIENCE;
    while kill_all_with(&entry) && Instant::now() < until {
        thread::sleep(TICK);
    }
    ExitCode::SUCCESS
}

/// Kills the processes with this entry in their environment. Returns whether there were any.
fn kill_all_with(entry: &[u8]) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let inherited = processes.filter_map(|process| {
        let environment = fs::read(process.path().join("environ")).ok()?;
        let has_it = environment.split(|byte| *byte == 0).any(|found| found == entry);
        has_it.then(|| process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))?
    });
    let mut any = false;
    for pid in inherited {
        any = true;
        // Its group too, which may hold some that have cleared their environment.
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = kill_process(pid, Signal::KILL);
    }
    any
}
