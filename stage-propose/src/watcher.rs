//! A process that ends the agent if this process is killed.
//!
//! On signals that can be caught, this process ends the agent itself. SIGKILL, which the kernel sends when memory runs
//! out, cannot be caught. So this program is started a second time. That process waits for the end of a pipe that only
//! this process holds open, and then kills every process that has inherited a certain environment variable from the
//! agent: when their parents are gone, nothing else identifies them. Without `/proc`, none is found.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The first argument that makes this program the watcher. It is internal.
pub(crate) const ROLE: &str = "__watch";

/// The variable that the agent's processes inherit.
const VARIABLE: &str = "STAGE_PROPOSE_RUN";

/// How long to repeat SIGKILL. Only a process that is blocked in the kernel survives that long.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often to check whether all processes have ended.
const TICK: Duration = Duration::from_millis(20);

/// The process that waits for the end of this one.
pub(crate) struct Watcher {
    process: Child,
    run: String,
}

impl Watcher {
    /// Starts the watcher. It stays in this process's group: in another one it would be taken for a process that
    /// the agent left behind.
    pub(crate) fn start() -> Result<Self> {
        let run = uuid::Uuid::new_v4().to_string();
        let mut command = Command::new(std::env::current_exe()?);
        command.args([ROLE, &run]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().context("cannot start the watcher process")?;
        Ok(Self { process, run })
    }

    /// Marks a command, so that its processes are ended with this process.
    pub(crate) fn mark(&self, command: &mut Command) {
        command.env(VARIABLE, &self.run);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // `wait` closes the pipe first.
        drop(self.process.wait());
    }
}

/// Waits for the end of standard input, and ends the agent of this run.
pub(crate) fn main(run: &OsStr) -> ExitCode {
    // The terminal sends Ctrl-C to this process as well. Ignore it.
    let _caught = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    // A read error counts as the end.
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
        // The group may contain processes that have cleared their environment.
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = kill_process(pid, Signal::KILL);
    }
    any
}
