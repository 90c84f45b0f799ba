//! The settings of the stage, independent of the command line.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use common::stage::StageSettings;
use fs_err as fs;

use crate::args::{Args, KeepArg};
use crate::evidence::Keep;
use crate::image::Recipe;
use crate::trial::Plan;

/// The memory that a task is expected to need, in KiB. A desktop with an office application takes a fifth of it.
const KIB_PER_JOB: usize = 2 << 20;

/// What the stage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// It runs tasks.
    Run,
    /// It lists images.
    ListImages,
    /// It removes images.
    PruneImages,
}

/// What to run, and how.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) job: Job,
    /// Task folders, environments, or folders of environments. Empty: the input's records name the tasks.
    pub(crate) paths: Vec<PathBuf>,
    /// Only the task with this name.
    pub(crate) task: Option<String>,
    /// The environment that records may name.
    pub(crate) env_dir: Option<String>,
    /// Whether a task that is not run is a failure.
    pub(crate) must_run: bool,
    /// The engine that was asked for.
    pub(crate) engine: Option<String>,
    pub(crate) recipe: Recipe,
    pub(crate) plan: Plan,
    /// How many tasks run at the same time.
    pub(crate) jobs: usize,
    /// The Python interpreter: a path, or a name to look up.
    pub(crate) python: PathBuf,
    /// Additional folders that verifiers import from.
    pub(crate) python_path: Vec<PathBuf>,
    /// Whether to run verifiers where they cannot be confined.
    pub(crate) allow_unconfined: bool,
    /// Input, output and messages.
    pub(crate) stage: StageSettings,
}

impl From<Args> for Settings {
    fn from(args: Args) -> Self {
        let job = match (args.list_images, args.prune) {
            (true, _) => Job::ListImages,
            (_, true) => Job::PruneImages,
            _ => Job::Run,
        };
        let keep = match args.keep {
            KeepArg::All => Keep::All,
            KeepArg::Bad => Keep::Bad,
            KeepArg::None => Keep::Nothing,
        };
        let plan = Plan {
            network: args.network.clone().filter(|_| args.task_network),
            repeat: !args.once,
            solutions: args.solutions,
            solution_limit: Duration::from_secs(args.solution_timeout),
            verifier_seconds: args.timeout,
            keep,
        };
        Self {
            job,
            paths: args.paths,
            task: args.task,
            env_dir: args.env_dir,
            must_run: !args.optional,
            engine: args.engine,
            recipe: Recipe { base_image: args.base_image, network: args.network, rebuild: args.rebuild },
            plan,
            jobs: args.jobs.map_or_else(default_jobs, usize::from),
            python: args.python,
            python_path: args.python_path,
            allow_unconfined: args.unsafe_,
            stage: args.stage.into(),
        }
    }
}

/// One job per processor, as far as there is memory.
fn default_jobs() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    processors.min(memory.map_or(usize::MAX, |kib| kib / KIB_PER_JOB)).max(1)
}

/// The free memory in KiB, as `proc_meminfo(5)` has it.
fn available(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}
