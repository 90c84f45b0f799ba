//! The settings of the stage, independent of the command line.

use std::path::PathBuf;

use common::stage::StageSettings;
use sandbox::Repetition;

use crate::args::Args;

/// What to probe, and how.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Task folders, environments, or folders of environments. Empty: the input's records name the tasks.
    pub(crate) paths: Vec<PathBuf>,
    /// The environment whose run directory keeps the records, and whose tasks they may name if it is outside the
    /// workspace.
    pub(crate) env_dir: Option<String>,
    /// Only the task with this name.
    pub(crate) task: Option<String>,
    /// The Python interpreter: a path, or a name to look up.
    pub(crate) python: PathBuf,
    /// Additional folders that verifiers import from.
    pub(crate) python_path: Vec<PathBuf>,
    /// How often a verifier runs in each state, and how long.
    pub(crate) repetition: Repetition,
    /// The largest number of mutants of a golden state.
    pub(crate) mutants: usize,
    /// The number of verifiers that run at the same time, if it was given.
    pub(crate) jobs: Option<usize>,
    /// Whether to run the self-test only.
    pub(crate) self_test: bool,
    /// Whether to run verifiers where they cannot be confined.
    pub(crate) allow_unconfined: bool,
    /// Input, output and messages.
    pub(crate) stage: StageSettings,
}

impl From<Args> for Settings {
    fn from(args: Args) -> Self {
        Self {
            paths: args.paths,
            env_dir: args.env_dir,
            task: args.task,
            python: args.python,
            python_path: args.python_path,
            repetition: Repetition { times: args.repeat, seconds: args.timeout },
            mutants: args.mutants,
            jobs: args.jobs,
            self_test: args.self_test,
            allow_unconfined: args.unsafe_,
            stage: args.stage.into(),
        }
    }
}
