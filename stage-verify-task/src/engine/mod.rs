//! What runs tasks: an engine starts machines (containers, or virtual machines) and runs scripts in them.

mod command;
mod docker;

use std::time::Duration;

use sandbox::SandboxError;
use task_spec::machine::{EnvironmentSpec, Mount};
use thiserror::Error;

pub(crate) use self::docker::{Docker, find};

/// Why an engine cannot do something. It says nothing about the task.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    /// No engine answers.
    #[error("no container engine answers: {0}")]
    NoEngine(String),
    /// The program of the engine cannot be started.
    #[error("cannot start {program}")]
    Start { program: String, source: std::io::Error },
    /// The engine refused.
    #[error("{engine} cannot {action}: {message}")]
    Failed { engine: String, action: String, message: String },
    /// The engine does not answer, or a machine disappeared.
    #[error("{engine} did not {action} within {} seconds", limit.as_secs())]
    NoAnswer { engine: String, action: String, limit: Duration },
    /// The stage was interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl EngineError {
    /// The error of a sandbox that could not do something.
    pub(crate) fn of_sandbox(error: SandboxError, action: &str) -> Self {
        match error {
            SandboxError::Interrupted => Self::Interrupted,
            other => Self::Failed {
                engine: "the sandbox".to_owned(),
                action: action.to_owned(),
                message: format!("{:#}", anyhow::Error::from(other)),
            },
        }
    }
}

/// A script to run in a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script<'a> {
    /// The script, for `sh`.
    pub(crate) text: &'a str,
    /// What it reads on standard input.
    pub(crate) input: &'a [u8],
    /// Its time limit.
    pub(crate) limit: Duration,
    /// How many bytes of its output are kept.
    pub(crate) output: usize,
    /// The user who runs it; the machine's default user without one.
    pub(crate) user: Option<&'a str>,
}

impl<'a> Script<'a> {
    /// A script of this stage, which is quick and prints little.
    pub(crate) fn quick(text: &'a str) -> Self {
        Self { text, input: b"", limit: Duration::from_mins(1), output: 1 << 20, user: Some("0") }
    }
}

/// What a script did.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// Its exit status; none where it was ended at its time limit.
    pub(crate) exit: Option<i32>,
    /// What it printed, standard error included, as far as it is kept.
    pub(crate) output: Vec<u8>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// A running machine. It ends when it is dropped.
pub(crate) trait Machine: Send {
    /// Runs a script to its end or its time limit. Processes that it leaves in the background are not waited for.
    fn run(&mut self, script: &Script) -> Result<Done, EngineError>;
}

/// How a machine is started.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    /// The image.
    pub(crate) image: &'a str,
    /// The environment: resources, security, screen.
    pub(crate) environment: &'a EnvironmentSpec,
    /// Files and folders.
    pub(crate) mounts: &'a [Mount],
    /// A script that runs first, as root.
    pub(crate) prepare: &'a str,
    /// The network; none without one.
    pub(crate) network: Option<&'a str>,
}
