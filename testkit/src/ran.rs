//! Programs that are run to their end.

#![expect(clippy::unwrap_used, reason = "a program that cannot be run fails the test")]

use std::fmt;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

/// How a program ended, and what it said.
#[must_use = "check at least the exit status"]
pub struct Ran {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs `command` with `input` on its standard input.
    pub fn of(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            // It may write before it has read all, and need not read all.
            scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
            Self::from(child.wait_with_output().unwrap())
        })
    }

    /// The records that it wrote.
    pub fn records(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl fmt::Debug for Ran {
    /// Records are long: their number says enough.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {:?}, {} records\n{}", self.status, self.stdout.lines().count(), self.stderr)
    }
}
