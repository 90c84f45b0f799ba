//! The Python program that runs in a sandbox, and its configuration.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::{Action, SandboxError};
use crate::interpreter::Interpreter;
use crate::seccomp;

/// The program. See `harness/server.py`.
pub(crate) const HARNESS: &str = concat!(
    include_str!("harness/confine.py"),
    include_str!("harness/untouched.py"),
    include_str!("harness/gym_anything.py"),
    include_str!("harness/run.py"),
    include_str!("harness/link.py"),
    include_str!("harness/keeper.py"),
    include_str!("harness/server.py"),
);

/// The folder of environments, in the root of a sandbox. Its path is one that exists in production, too.
pub(crate) const BENCH: &str = "/workspace/benchmarks/cua_world/environments";

/// Where the sandbox's files below /tmp appear while a run has its own /tmp: a Python may be there.
pub(crate) const OUTER_TMP: &str = "/run/tmp";

/// The resource limits of a run, besides time.
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
    /// Processes and threads of a sandbox.
    processes: u64,
}

/// Enough for a program that loads scientific packages and unpacks a document.
const LIMITS: Limits =
    Limits { memory: 2 << 30, disk: 64 << 20, file: 64 << 20, descriptors: 256, processes: 64 };

/// The configuration of the harness.
#[derive(Debug, Serialize)]
struct Config<'a> {
    /// Whether it runs in its own namespaces, and fails if any other protection is missing.
    confined: bool,
    /// The folder for the files of programs.
    bench: String,
    /// The folder for the files that runs write.
    tmp: String,
    /// Where the files are that this folder held before.
    outer_tmp: &'static str,
    /// The descriptor of a run's report.
    report: i32,
    /// Additional folders to import from.
    extra_path: &'a [PathBuf],
    /// The system-call filter, as the kernel takes it, in hexadecimal digits.
    seccomp: String,
    limits: Limits,
}

/// The argument of a harness whose folders are below `root`: the root of the sandbox, or a folder that replaces
/// it.
pub(crate) fn argument(
    interpreter: &Interpreter,
    confined: bool,
    root: &str,
) -> Result<String, SandboxError> {
    let root = root.trim_end_matches('/');
    let (bench, tmp) = (format!("{root}{BENCH}"), format!("{root}/tmp"));
    let config = Config {
        confined,
        bench,
        tmp,
        outer_tmp: OUTER_TMP,
        report: seccomp::REPORT,
        extra_path: &interpreter.extra_path,
        seccomp: seccomp::program()?,
        limits: LIMITS,
    };
    serde_json::to_string(&config).action("describe the sandbox")
}
