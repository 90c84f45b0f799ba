//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::help;
use common::stage::StageArgs;

/// Run tasks in the real software: the set-up, nothing done, a solution
///
/// Each task is run in containers of its environment's image, which is built once. An untouched task must fail with a
/// score of 0, twice from the same start; its solution in RUN_DIR/solutions/TASK/solve.sh must pass, also after a
/// restart of the application; each wrong-NAME.sh beside it must fail. Scripts run in containers without a network,
/// verifiers in a sandbox.
#[derive(Debug, Parser)]
#[command(name = "stage-verify-task", version)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, VARIABLES))]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// Task folders, environments, or folders of environments [default: the tasks named by seed, task, verdict and
    /// probe records on standard input]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Run only this task of the environment given by PATH
    #[arg(help_heading = help::CHECK, long, value_name = "NAME", requires = "paths")]
    pub(crate) task: Option<String>,

    /// Let records name tasks of this environment if it is outside the workspace
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "ENV")]
    pub(crate) env_dir: Option<String>,

    /// The engine: docker, podman, the path of a program with the same command line, or gym-anything, whose runners
    /// --python imports [default: the first of docker and podman that answers]
    #[arg(help_heading = help::CHECK, long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,

    /// Build environments from IMAGE, instead of what their spec names
    #[arg(help_heading = help::CHECK, long, value_name = "IMAGE")]
    pub(crate) base_image: Option<String>,

    /// The engine's network for pre_start and post_start, such as bridge or host [default: none]
    #[arg(help_heading = help::CHECK, long, value_name = "NETWORK")]
    pub(crate) network: Option<String>,

    /// Give this network to tasks, too, if their environment asks for one
    #[arg(help_heading = help::CHECK, long, requires = "network")]
    pub(crate) task_network: bool,

    /// Build images again
    #[arg(help_heading = help::CHECK, long)]
    pub(crate) rebuild: bool,

    /// Do not fail if tasks are not run, because no engine answers or there is no image
    #[arg(help_heading = help::CHECK, long)]
    pub(crate) optional: bool,

    /// Run the untouched task once, and not twice
    #[arg(help_heading = help::CHECK, long)]
    pub(crate) once: bool,

    /// The folder of the solutions, a folder per task [default: solutions in the run directory]
    #[arg(help_heading = help::CHECK, long, value_name = "DIR")]
    pub(crate) solutions: Option<PathBuf>,

    /// Which evidence to keep in RUN_DIR/trials: that of all tasks, of tasks with issues, or none
    #[arg(help_heading = help::CHECK, long, value_name = "WHAT", default_value = "all")]
    pub(crate) keep: KeepArg,

    /// The Python interpreter that runs verifiers: a path, or a name to look up
    #[arg(help_heading = help::CHECK, long, value_name = "PYTHON", default_value = "python3")]
    pub(crate) python: PathBuf,

    /// Let verifiers read PATH and import from it, besides the interpreter's own packages
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "PATH")]
    pub(crate) python_path: Vec<PathBuf>,

    /// Run N tasks at the same time [default: one per processor, and per 2 GiB of free memory]
    #[arg(help_heading = help::LIMITS, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) jobs: Option<u16>,

    /// Stop a solution after SECONDS
    #[arg(help_heading = help::LIMITS, long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub(crate) solution_timeout: u64,

    /// Stop a verifier after SECONDS of processor time
    #[arg(help_heading = help::LIMITS, long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,

    /// List the images of environments, and exit
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, conflicts_with_all = ["paths", "prune"])]
    pub(crate) list_images: bool,

    /// Remove all images of environments, and exit
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, conflicts_with = "paths")]
    pub(crate) prune: bool,

    /// Run verifiers even if this machine cannot confine them, with the protection that it offers
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long = "unsafe")]
    pub(crate) unsafe_: bool,
}

/// Which evidence is kept.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KeepArg {
    /// That of all tasks
    All,
    /// That of tasks with issues
    Bad,
    /// None
    None,
}

/// The examples in `--help`.
const EXAMPLES: &str =
    "  stage-verify-task moodle_env --task create_course --base-image debian-desktop --network bridge
  stage-verify-task < probes.jsonl > trials.jsonl";

/// The environment variables in `--help`.
const VARIABLES: &str = "  DOCKER_HOST  where the engine is, as for docker itself";
