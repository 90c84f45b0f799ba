//! The settings of the stage, independent of the command line.

use std::path::PathBuf;

use common::environment::{Environment, Workspace};
use common::stage::StageSettings;

/// What to export, and where.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The workspace.
    pub(crate) workspace: Workspace,
    /// The environment whose tasks are exported; `None` for those that the records name.
    pub(crate) environment: Option<Environment>,
    /// The format and the place of the export.
    pub(crate) target: Target,
    /// The folder with gym-anything's split files.
    pub(crate) splits: PathBuf,
    /// The folder of the solutions; `None` for that in the run directory.
    pub(crate) solutions: Option<PathBuf>,
    /// The evidence that a task needs.
    pub(crate) require: Require,
    /// Input, output and messages.
    pub(crate) stage: StageSettings,
}

impl Settings {
    /// The run directory of an environment.
    pub(crate) fn run_dir(&self, env: &str) -> PathBuf {
        self.stage.run_dir.clone().unwrap_or_else(|| self.workspace.run_dir(env))
    }

    /// The folder of the solutions of an environment's tasks.
    pub(crate) fn solutions(&self, env: &str) -> PathBuf {
        self.solutions.clone().unwrap_or_else(|| self.run_dir(env).join("solutions"))
    }
}

/// A format, and where it goes.
#[derive(Debug)]
pub(crate) enum Target {
    /// gym-anything's split files.
    Splits,
    /// A folder of its own.
    Folder {
        /// Its path.
        path: PathBuf,
        /// What it holds.
        format: Format,
    },
}

/// What a folder holds.
#[derive(Debug)]
pub(crate) enum Format {
    /// A dataset for Hugging Face's `datasets`.
    HuggingFace {
        /// The identifier of the licence.
        license: String,
    },
    /// Tasks that Harbor runs in containers.
    Harbor,
    /// A Python package for `verifiers`, around the same tasks.
    Verifiers,
    /// A Python package for GRASP, around the same tasks.
    Grasp {
        /// The notes on the environment; `None` for its README.md.
        notes: Option<PathBuf>,
    },
}

impl Format {
    /// Its name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::HuggingFace { .. } => "huggingface",
            Self::Harbor => "harbor",
            Self::Verifiers => "verifiers",
            Self::Grasp { .. } => "grasp",
        }
    }

    /// Whether it holds the images of environments.
    pub(crate) fn runs_in_containers(&self) -> bool {
        matches!(self, Self::Harbor | Self::Verifiers | Self::Grasp { .. })
    }
}

/// How far up the ladder of evidence a task must be. A step includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Require {
    /// Its spec is valid.
    Spec,
    /// Its verifier behaves on states whose verdict is known.
    Probe,
    /// It was run in the real software.
    Live,
}
