//! What was typed, and what it comes to.

use std::path::PathBuf;

use clap::Parser;
use common::stage::StageArgs;

/// Run verifiers in a sandbox, against states whose verdict is known
///
/// A verifier is only trusted after it was run. This runs each one without its environment: on no result, an
/// empty one, a garbled one, the one that is written when nothing was done, without a vision model, and on
/// the states in the task's fixtures.json. Verifiers are untrusted code: they get no network, no files but
/// their task's, and no way to each other.
#[derive(Debug, Parser)]
#[command(name = "stage-probe", version)]
pub(crate) struct Args {
    /// Task folders, environments, or folders of environments [default: the tasks named by task and verdict
    /// records on standard input]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Probe this task alone, of the environment given by PATH
    #[arg(long, value_name = "NAME", requires = "paths")]
    pub(crate) task: Option<String>,

    /// The Python that verifiers are run with: a path, or a name to look up
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,

    /// How often to run a verifier in each state
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) repeat: u32,

    /// How many mutants of a golden state to try at most
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) mutants: usize,

    /// How many seconds a run may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,

    /// How many verifiers to run at the same time [default: one per processor]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,

    /// Show what is denied to verifiers on this machine, by running code that tries, and do no more
    #[arg(long, conflicts_with_all = ["paths", "unsafe_"])]
    pub(crate) self_test: bool,

    /// Run verifiers even where they cannot be confined, with whatever protection there is
    #[arg(long = "unsafe")]
    pub(crate) unsafe_: bool,

    #[command(flatten)]
    pub(crate) stage: StageArgs,
}
