//! How a command ended, or why it did not start.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// The program does not exist.
    #[error("cannot find the program {0:?}")]
    NotFound(OsString),
    /// The program may not be executed.
    #[error("the program {0:?} is not executable")]
    NotExecutable(OsString),
    /// The system refused for another reason.
    #[error("cannot start {program:?}")]
    Start {
        /// The program.
        program: OsString,
        /// The reason.
        source: io::Error,
    },
}

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessEnd {
    pub(crate) cause: EndCause,
    /// How many descendants were still running when the command exited by itself. They were ended.
    pub(crate) left_behind: usize,
}

/// Why a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// It exited by itself.
    Exited(ExitStatus),
    /// It exceeded its time limit.
    TimedOut,
    /// The user interrupted.
    Interrupted,
    /// The function that gets its output returned [`std::ops::ControlFlow::Break`].
    CutOff,
}
