//! Why a sandbox could not be used. Errors of the code that runs in it are part of a [`Run`](crate::Run).

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A failure of this machine, of Python or of the sandbox.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The interpreter could not be started at all.
    #[error("cannot start {}", python.display())]
    NoInterpreter {
        /// The path or name that was given.
        python: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The interpreter started, but cannot be used.
    #[error("cannot use {}: {reason}", python.display())]
    BadInterpreter {
        /// The path or name that was given.
        python: PathBuf,
        /// What it printed, or why it was rejected.
        reason: String,
    },
    /// A step of the set-up or of the work failed.
    #[error("cannot {action}")]
    System {
        /// What was being done, as a verb and its object.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The process of the sandbox ended.
    #[error("the sandbox ended unexpectedly")]
    Ended,
    /// The process of the sandbox is too slow or does not run.
    #[error("the sandbox did not answer in time")]
    NoAnswer,
    /// The process of the sandbox sent something that is not a reply.
    #[error("the sandbox sent an unexpected reply: {0}")]
    BadReply(String),
    /// The caller closed [`Settings::stop`](crate::Settings::stop).
    #[error("interrupted")]
    Interrupted,
}

/// Names the action that failed.
pub(crate) trait Action<T> {
    /// Turns an error into one that says what was being done.
    fn action(self, action: impl Into<String>) -> Result<T, SandboxError>;
}

impl<T, E: Into<io::Error>> Action<T> for Result<T, E> {
    fn action(self, action: impl Into<String>) -> Result<T, SandboxError> {
        self.map_err(|error| SandboxError::System { action: action.into(), source: error.into() })
    }
}
