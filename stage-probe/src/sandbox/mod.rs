//! Where verifiers are run: hostile code, kept from everything but Python, its task and a work folder.
//!
//! A sandbox is a process that [`launch`] sets up before any code of a task is near: a user, mount, PID,
//! network, IPC and host-name namespace, a root file system that holds Python and nothing else, and no user
//! id that owns anything. Python starts in it once, with [`HARNESS`], and is then asked to run one verifier
//! after the other. What is left to give up for each run is given up in the run itself, a fork of that
//! Python: capabilities, file access ([Landlock]), system calls ([`seccomp`]), limits. See `harness.py`.
//!
//! What is guaranteed, and tested with code that tries:
//! - Nothing outside the sandbox is read, written, signalled or reached over a network.
//! - A run leaves nothing behind: its processes end with its PID namespace, its files with its mount.
//! - A run cannot reach another run, of its own task or of another: not its processes, not its files, not
//!   its record. Which record a report belongs to is decided outside of the run.
//! - A report is what the verifier's function returned. Printing one, writing one into every descriptor,
//!   replacing functions, leaving early: none of it makes a report. Only code that reads the memory of its
//!   own process, past what Python offers, could make up a report, and only its own.
//!
//! [Landlock]: https://docs.kernel.org/userspace-api/landlock.html

mod launch;
mod seccomp;
mod world;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

pub(crate) use self::launch::{Launch, NOBODY, ROLE, is_root, python};

/// The program in its role as the parent of a sandbox: sets it up, and ends with it.
pub(crate) fn main(description: Option<&str>) -> ExitCode {
    launch::launch(description).unwrap_or_else(|error| {
        let line = format!("stage-probe: cannot set a sandbox up: {error:#}\n");
        // Standard error may be closed as well; the exit status says it then.
        drop(io::stderr().write_all(line.as_bytes()));
        ExitCode::FAILURE
    })
}

/// The program that Python runs in the sandbox.
pub(crate) const HARNESS: &str = concat!(include_str!("untouched.py"), include_str!("harness.py"));

/// What a run may use up, besides time.
#[derive(Clone, Copy, Debug, Serialize)]
struct Limits {
    /// Address space of each process, in bytes.
    memory: u64,
    /// All files in the work folder together, in bytes.
    disk: u64,
    /// The largest file, in bytes.
    file: u64,
    /// Open files of each process.
    descriptors: u64,
    /// Processes and threads of a worker.
    processes: u64,
}

/// Room for a verifier that loads scientific packages and unpacks a document.
const LIMITS: Limits =
    Limits { memory: 2 << 30, disk: 64 << 20, file: 64 << 20, descriptors: 256, processes: 64 };

/// What the harness is told when it starts.
#[derive(Debug, Serialize)]
pub(crate) struct HarnessConfig {
    /// Whether it runs in namespaces of its own, and refuses to go without any other protection.
    confined: bool,
    /// The folder that holds `bench`, for the files of tasks, and `tmp`, for what runs write.
    root: String,
    /// The filter on system calls, as the kernel takes it, in hexadecimal digits.
    seccomp: String,
    limits: Limits,
}

impl HarnessConfig {
    /// What a harness is told that finds its folders below `root`, as its argument.
    pub(crate) fn argument(confined: bool, root: &str) -> Result<String> {
        let seccomp = seccomp::program().context("cannot make the filter on system calls")?;
        let config = Self { confined, root: root.to_owned(), seccomp, limits: LIMITS };
        serde_json::to_string(&config).context("cannot describe the sandbox")
    }
}
