//! What runs tasks: an engine starts machines (containers, or virtual machines) and runs scripts in them.

mod command;
mod docker;
mod gym_anything;

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use common::environment::Workspace;
use crossbeam_channel::Receiver;
use sandbox::SandboxError;
use task_spec::machine::{EnvironmentSpec, Mount};
use thiserror::Error;

pub(crate) use self::docker::Docker;
pub(crate) use self::gym_anything::GymAnything;

/// What starts machines.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    /// A container engine.
    Docker(Docker),
    /// gym-anything's runners.
    GymAnything(GymAnything),
}

/// Which engine is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Its name; the first container engine that answers without one.
    pub(crate) engine: Option<&'a str>,
    /// For gym-anything: the Python that imports it.
    pub(crate) python: &'a Path,
    /// For gym-anything: the image that replaces the base of environments.
    pub(crate) base_image: Option<&'a str>,
}

impl Engine {
    /// The engine that is wanted, if it answers.
    pub(crate) fn find(
        wanted: Wanted,
        workspace: &Workspace,
        stop: &Receiver<Infallible>,
    ) -> Result<Self, EngineError> {
        let Wanted { engine, python, base_image } = wanted;
        if engine == Some(gym_anything::NAME) {
            return GymAnything::find(python, base_image, workspace, stop).map(Self::GymAnything);
        }
        docker::find(engine, stop).map(Self::Docker)
    }

    /// Its name, as in records.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Docker(docker) => docker.name(),
            Self::GymAnything(_) => gym_anything::NAME,
        }
    }

    /// Its name and version.
    pub(crate) fn describe(&self) -> Result<String, EngineError> {
        match self {
            Self::Docker(docker) => Ok(format!("{} {}", docker.name(), docker.version()?)),
            Self::GymAnything(_) => Ok(gym_anything::NAME.to_owned()),
        }
    }

    /// The container engine, which has images to list.
    pub(crate) fn docker(&self) -> Result<&Docker, EngineError> {
        match self {
            Self::Docker(docker) => Ok(docker),
            Self::GymAnything(_) => Err(EngineError::NoImages),
        }
    }

    /// Starts a machine, and waits until its desktop is there.
    pub(crate) fn start(&self, start: &Start) -> Result<Box<dyn Machine>, EngineError> {
        Ok(match self {
            Self::Docker(docker) => Box::new(docker.start(start)?),
            Self::GymAnything(gym) => Box::new(gym.start(start)?),
        })
    }
}

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
    /// The engine answers, and a machine runs no script: it is gone, or a task has used up its processes.
    #[error("{engine} cannot run a script in the container: {message}")]
    Unusable { engine: String, message: String },
    /// The engine does not answer.
    #[error("{engine} did not {action} within {} seconds", limit.as_secs())]
    NoAnswer { engine: String, action: String, limit: Duration },
    /// The engine has no list of images.
    #[error("gym-anything keeps its checkpoints itself; list them with its own programs")]
    NoImages,
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

    /// Keeps its files as an image, from which other machines start.
    fn keep(&mut self, image: &str) -> Result<(), EngineError>;
}

/// How a machine is started.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    /// The image of the environment.
    pub(crate) image: &'a str,
    /// Another image to start from, while that of the environment is built.
    pub(crate) base: Option<&'a str>,
    /// The folder of the environment.
    pub(crate) root: &'a Path,
    /// The environment: resources, security, screen.
    pub(crate) environment: &'a EnvironmentSpec,
    /// Files and folders.
    pub(crate) mounts: &'a [Mount],
    /// A script that runs first, as root.
    pub(crate) prepare: &'a str,
    /// The network; none without one.
    pub(crate) network: Option<&'a str>,
}
