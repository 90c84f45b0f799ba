//! Programs that are run to completion.

#![expect(clippy::unwrap_used, reason = "a program that cannot be started fails the test")]

use std::fmt;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;

/// The exit status and the output of a program.
#[must_use = "check at least the exit status"]
pub struct Ran {
    /// The exit status; `None` if it was ended by a signal.
    pub status: Option<i32>,
    /// The text on standard output.
    pub stdout: String,
    /// The text on standard error.
    pub stderr: String,
}

impl Ran {
    /// Runs `command` with `input` on its standard input.
    pub fn of(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            // On a thread of its own: the program may write before it has read everything. It may also end
            // without reading everything, so an error is not a failure of the test.
            scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
            Self::from(child.wait_with_output().unwrap())
        })
    }

    /// The records on standard output.
    pub fn records(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The only record on standard output.
    #[track_caller]
    pub fn record(&self) -> Value {
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{}\n{}", self.stdout, self.stderr);
        records.swap_remove(0)
    }
}

/// Starts `command` with no input, and discards its output.
pub fn spawn_silently(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
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
    /// Prints the number of records only: records are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {:?}, {} records\n{}", self.status, self.stdout.lines().count(), self.stderr)
    }
}
