//! Runs a command in a process group of its own, and ends it together with all its descendants.
//!
//! An agent starts browsers, servers and emulators, and those start more processes. Such a process may ignore
//! SIGTERM, change its process group, start a session of its own, or lose its parent. None of them outlives [`run`]
//! all the same: this process adopts orphans, so that on Linux every descendant can be found in `/proc`. On other
//! systems only the process group is ended.
//!
//! An orphan that also left its process group cannot be attributed to one of several commands that run at the same
//! time; it is ended with the first of them that ends.

#[cfg(target_os = "linux")]
mod descendants;
mod end;
mod output;
mod running;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::interrupt::Interrupt;

use self::output::Output;
use self::running::{KILL_PATIENCE, Running};

pub(crate) use self::end::{EndCause, ProcessEnd, ProcessError};
pub(crate) use self::output::Stream;

/// How long a command may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The command is ended after this time; `None`: without a limit.
    pub(crate) time: Option<Duration>,
    /// The time between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: None, grace: Duration::from_secs(5) }
    }
}

/// Runs a command to its end, with nothing on its standard input, and ends the processes that it leaves behind.
///
/// `on_line` gets each line of the output as it arrives, with its line feed; a line of more than 32 MiB in parts.
/// [`ControlFlow::Break`] ends the command.
///
/// Since the command is in a process group of its own, the terminal's Ctrl-C reaches this process only: `interrupt`
/// ends the command; if it is raised again, the command is killed at once.
pub(crate) fn run(
    mut command: Command,
    limits: Limits,
    interrupt: &Interrupt,
    on_line: impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
) -> Result<ProcessEnd, ProcessError> {
    let deadline = limits.time.and_then(|limit| Instant::now().checked_add(limit));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Running::start(&mut command)?;
    let mut output = Output::new(child.events(), on_line);
    // After the end is decided, the output is still logged, but it no longer changes the result.
    let end = match output.follow(deadline, interrupt) {
        Some(cause) => {
            child.end_all(limits.grace, interrupt, &mut output);
            ProcessEnd { cause, left_behind: 0 }
        }
        None => ProcessEnd {
            cause: EndCause::Exited(child.wait(&command)?),
            left_behind: child.end_all(limits.grace, interrupt, &mut output),
        },
    };
    output.drain_until(Instant::now() + KILL_PATIENCE);
    Ok(end)
}
