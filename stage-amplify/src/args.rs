//! The command line, as it was typed.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::stage::StageArgs;

/// Has a model expand an environment's seed tasks into many more.
///
/// Reads `seed` records and writes `files` records: plan, README, files and snapshot pass, the calls of each
/// in parallel. Every answer is journalled in the run directory before it is used, and never paid for again:
/// to go on after an interruption, give the same command again.
#[derive(Debug, Parser)]
#[command(name = "stage-amplify", version, max_term_width = 110)]
pub struct Args {
    /// What the software is called
    #[arg(long, alias = "software-name", value_name = "NAME")]
    pub(crate) software: String,

    /// The environment: a path, or its folder name
    #[arg(long, alias = "env-folder", value_name = "DIR")]
    pub(crate) env_dir: String,

    /// How many usable tasks are wanted
    #[arg(long, alias = "amplify-count", alias = "max-questions", value_name = "N", default_value_t = 75)]
    pub(crate) count: usize,

    /// The model: gemini-…, claude-…, openai:NAME, or replay:FILE to answer from a journal
    #[arg(long, alias = "amplifier-model", value_name = "NAME", default_value = "gemini-3-pro-preview")]
    pub(crate) model: String,

    /// The most calls at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) num_workers: usize,

    /// What to do: each pass starts from the manifest of the one before it
    #[arg(long = "pass", value_name = "PASS", value_delimiter = ',', default_value = "all")]
    pub(crate) passes: Vec<PassArg>,

    /// The most answers that are asked for, for one README or one set of files, before it is given up
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) max_candidates: u32,

    /// The most repairs of one task, over all runs of the repair pass
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) rounds: usize,

    /// Stop before more than this is spent, in US dollars
    #[arg(long, value_name = "USD")]
    pub(crate) max_cost: Option<f64>,

    /// Send nothing: tell how many calls and tokens it takes, and what they cost
    #[arg(long)]
    pub(crate) estimate: bool,

    /// Begin no further call when so many seconds have passed
    #[arg(long, value_name = "SECONDS")]
    pub(crate) deadline_sec: Option<u64>,

    /// Give a call up when nothing comes for so many seconds; it is then tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) idle_timeout_sec: u64,

    /// Give a call up when it takes so many seconds in all; it is then tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    pub(crate) call_timeout_sec: u64,

    /// Have the calls of a pass wait so long, at most, for the first one's answer to begin: from then on, what
    /// they have in common comes from the vendor's cache; 0 gives up the cheaper price for the time
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) warm_up_sec: u64,

    /// A file with facts and prices of models, which go before the built-in ones
    #[arg(long, value_name = "JSON")]
    pub(crate) prices: Option<PathBuf>,

    /// A folder of environments whose seeds serve as examples, too [default: the one that --env-dir lies in]
    #[arg(long, value_name = "DIR")]
    pub(crate) examples_root: Option<PathBuf>,

    /// Decides between examples that would do equally well
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// Tables of occupations: `selected_products.csv`, `master_dataset.csv`, or the folder that holds them
    #[arg(long, value_name = "CSV", value_delimiter = ',')]
    pub(crate) occupations: Vec<PathBuf>,

    /// How tasks are to be spread over categories
    #[arg(long, alias = "osworld-profile-path", value_name = "JSON")]
    pub(crate) profile: Option<PathBuf>,

    /// Only tasks, and if possible only examples, of these labels: easy, medium, hard, `very_hard`
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    pub(crate) difficulty: Vec<String>,

    /// A folder of prompt templates that replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    pub(crate) prompts: Option<PathBuf>,

    /// From which share of common wording on, from 0 to 1, a task is a copy of another
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    pub(crate) duplicate_threshold: f64,

    /// Plan anew and render prompts anew, instead of going on with those of the run directory
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Send nothing: write the prompts to the run directory and show what they consist of
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) stage: StageArgs,
}

/// A value of `--pass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PassArg {
    /// plan, readme, files and snapshot
    All,
    /// Name the tasks
    Plan,
    /// Write their READMEs
    Readme,
    /// Write their files
    Files,
    /// Add the usable ones to the environment's seeds
    Snapshot,
    /// Write test states for the verifiers of the tasks that come in; by itself
    Fixtures,
    /// Mend the tasks whose bad verdicts and probes come in; by itself
    Repair,
}

impl Args {
    /// The arguments that all stages have.
    pub(crate) fn stage(&self) -> &StageArgs {
        &self.stage
    }
}
