//! The machine as a verifier sees it: `copy_from_env` and `exec_capture`.

use std::time::Duration;

use sandbox::{Environment, NoAnswer};

use crate::engine::{EngineError, Machine, Script};

/// The largest file that is delivered, in bytes. It is the size of the folder that a verifier may write to.
const MAX_FILE: usize = 64 << 20;

/// The most that is kept of what a command prints, in bytes.
const MAX_OUTPUT: usize = 8 << 20;

/// The time limit of a question.
const LIMIT: Duration = Duration::from_mins(1);

const NOT_FOUND: i32 = 44;
const NOT_A_FILE: i32 = 45;

/// Something that the verifier read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) path: String,
    /// Its content; none where it is not there.
    pub(crate) content: Option<Vec<u8>>,
    /// Whether it was written after the export began.
    pub(crate) is_exported: bool,
}

/// A machine that answers a verifier.
pub(crate) struct Served<'a> {
    machine: &'a mut dyn Machine,
    pub(crate) reads: Vec<Read>,
    /// Commands, and what they printed.
    pub(crate) commands: Vec<(String, String)>,
    /// Why the engine failed, if it did.
    pub(crate) failure: Option<EngineError>,
}

impl<'a> Served<'a> {
    /// Answers with this machine.
    pub(crate) fn new(machine: &'a mut dyn Machine) -> Self {
        Self { machine, reads: Vec::new(), commands: Vec::new(), failure: None }
    }

    fn run(&mut self, script: &Script) -> Result<crate::engine::Done, NoAnswer> {
        if self.failure.is_some() {
            return Err(NoAnswer::Failed("the machine ended".to_owned()));
        }
        self.machine.run(script).map_err(|error| {
            let message = error.to_string();
            self.failure = Some(error);
            NoAnswer::Failed(message)
        })
    }
}

impl Environment for Served<'_> {
    fn copy_from(&mut self, path: &str) -> Result<Vec<u8>, NoAnswer> {
        let Ok(quoted) = shlex::try_quote(path) else { return Err(NoAnswer::NotFound) };
        // `-newer` compares nanoseconds; `-nt` of some shells does not.
        let text = format!(
            "file={quoted}\n[ -e \"$file\" ] || exit {NOT_FOUND}\n[ -f \"$file\" ] || exit {NOT_A_FILE}\n\
             find \"$file\" -newer /run/verify-task/exporting 2>/dev/null | head -c 1\nprintf '\\0'\nexec cat <\"$file\""
        );
        let done = self.run(&Script { limit: LIMIT, output: MAX_FILE + 4096, ..Script::quick(&text) })?;
        match done.exit {
            Some(0) => {}
            Some(NOT_FOUND) => {
                self.reads.push(Read { path: path.to_owned(), content: None, is_exported: false });
                return Err(NoAnswer::NotFound);
            }
            Some(NOT_A_FILE) => return Err(NoAnswer::Failed(format!("{path} is not a file"))),
            _ => return Err(NoAnswer::Failed(format!("{path} cannot be read"))),
        }
        let mut parts = done.output.splitn(2, |byte| *byte == 0);
        let is_exported = parts.next().is_some_and(|sign| !sign.is_empty());
        let content = parts.next().unwrap_or_default().to_vec();
        if content.len() > MAX_FILE {
            return Err(NoAnswer::Failed(format!("{path} is larger than {} MiB", MAX_FILE >> 20)));
        }
        self.reads.push(Read { path: path.to_owned(), content: Some(content.clone()), is_exported });
        Ok(content)
    }

    fn exec(&mut self, command: &str) -> Result<Vec<u8>, NoAnswer> {
        let Ok(quoted) = shlex::try_quote(command) else { return Ok(Vec::new()) };
        let text = format!("exec bash -lc {quoted} </dev/null");
        let done =
            self.run(&Script { text: &text, input: b"", limit: LIMIT, output: MAX_OUTPUT, user: None })?;
        let printed = String::from_utf8_lossy(&done.output).into_owned();
        self.commands.push((command.to_owned(), printed));
        Ok(done.output)
    }
}
