//! The command line.

use std::path::PathBuf;

use clap::Parser;
use common::help;
use common::stage::StageArgs;

/// Run verifiers in a sandbox against states whose verdict is known
///
/// A verifier is only trusted after it was run. This stage runs each one without its environment: with no result,
/// an empty one, a garbled one, the one that is written when nothing was done, without a vision model, and with
/// the states in the task's fixtures.json. Verifiers are untrusted code: they get no network, no files except
/// those of their task, and no access to each other.
#[derive(Debug, Parser)]
#[command(name = "stage-probe", version)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, ""))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// Task folders, environments, or folders of environments [default: the tasks named by task and verdict
    /// records on standard input]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// The environment whose run directory keeps the records, and whose tasks they may name if it is outside the
    /// workspace [default: the environment of the first record]
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "ENV", alias = "env_dir")]
    pub(crate) env_dir: Option<String>,

    /// Probe only this task of the environment given by PATH
    #[arg(help_heading = help::CHECK, long, value_name = "NAME", requires = "paths")]
    pub(crate) task: Option<String>,

    /// The Python interpreter that runs verifiers: a path, or a name to look up
    #[arg(help_heading = help::CHECK, long, value_name = "PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,

    /// Let verifiers read PATH and import from it, besides the interpreter's own packages
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "PATH")]
    pub(crate) python_path: Vec<PathBuf>,

    /// Run a verifier N times in each state
    #[arg(help_heading = help::CHECK, long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(crate) repeat: u32,

    /// Try at most N mutants of a golden state
    #[arg(help_heading = help::CHECK, long, value_name = "N", default_value_t = 40)]
    pub(crate) mutants: usize,

    /// Stop a run after SECONDS of processor time, or after four times as long on the clock
    #[arg(help_heading = help::LIMITS, long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,

    /// Run N verifiers at the same time [default: one per processor]
    #[arg(help_heading = help::LIMITS, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,

    /// Run code that tries to break out of the sandbox, print what is denied on this machine, and exit
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, conflicts_with_all = ["paths", "unsafe_"])]
    pub(crate) self_test: bool,

    /// Run verifiers even if this machine cannot confine them, with the protection that it offers
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long = "unsafe")]
    pub(crate) unsafe_: bool,
}

/// The examples in `--help`.
const EXAMPLES: &str = "  stage-probe benchmarks/cua_world/environments/moodle_env --task create_course
  stage-probe < verdicts.jsonl > probes.jsonl";
