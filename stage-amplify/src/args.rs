//! The command line, and what it comes to.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::{Parser, ValueEnum};
use common::environment::{Environment, Workspace};
use common::model::{self, Timeouts};
use common::run_dir::RunDir;
use common::stage::StageArgs;
use serde::Serialize;

use crate::examples::normal_label;

/// Labels of difficulty, as tasks use them.
const DIFFICULTIES: [&str; 4] = ["easy", "medium", "hard", "very_hard"];

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
    software: String,

    /// The environment: a path, or its folder name
    #[arg(long, alias = "env-folder", value_name = "DIR")]
    env_dir: String,

    /// How many usable tasks are wanted
    #[arg(long, alias = "amplify-count", alias = "max-questions", value_name = "N", default_value_t = 75)]
    count: usize,

    /// The model: gemini-…, claude-…, openai:NAME, or replay:FILE to answer from a journal
    #[arg(long, alias = "amplifier-model", value_name = "NAME", default_value = "gemini-3-pro-preview")]
    model: String,

    /// The most calls at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    num_workers: usize,

    /// What to do: each pass starts from the manifest of the one before it
    #[arg(long = "pass", value_name = "PASS", value_delimiter = ',', default_value = "all")]
    passes: Vec<PassArg>,

    /// The most answers that are asked for, for one README or one set of files, before it is given up
    #[arg(long, value_name = "N", default_value_t = 3)]
    max_candidates: u32,

    /// The most repairs of one task, over all runs of the repair pass
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,

    /// Stop before more than this is spent, in US dollars
    #[arg(long, value_name = "USD")]
    max_cost: Option<f64>,

    /// Send nothing: tell how many calls and tokens it takes, and what they cost
    #[arg(long)]
    estimate: bool,

    /// Begin no further call when so many seconds have passed
    #[arg(long, value_name = "SECONDS")]
    deadline_sec: Option<u64>,

    /// Give a call up when nothing comes for so many seconds; it is then tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    idle_timeout_sec: u64,

    /// Give a call up when it takes so many seconds in all; it is then tried again
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    call_timeout_sec: u64,

    /// A file with facts and prices of models, which go before the built-in ones
    #[arg(long, value_name = "JSON")]
    prices: Option<PathBuf>,

    /// A folder of environments whose seeds serve as examples, too [default: the one that --env-dir lies in]
    #[arg(long, value_name = "DIR")]
    examples_root: Option<PathBuf>,

    /// Decides between examples that would do equally well
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Tables of occupations: `selected_products.csv`, `master_dataset.csv`, or the folder that holds them
    #[arg(long, value_name = "CSV", value_delimiter = ',')]
    occupations: Vec<PathBuf>,

    /// How tasks are to be spread over categories
    #[arg(long, alias = "osworld-profile-path", value_name = "JSON")]
    profile: Option<PathBuf>,

    /// Only tasks, and if possible only examples, of these labels: easy, medium, hard, `very_hard`
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    difficulty: Vec<String>,

    /// A folder of prompt templates that replace the built-in ones of the same name
    #[arg(long, value_name = "DIR")]
    prompts: Option<PathBuf>,

    /// From which share of common wording on, from 0 to 1, a task is a copy of another
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    duplicate_threshold: f64,

    /// Plan anew and render prompts anew, instead of going on with those of the run directory
    #[arg(long)]
    fresh: bool,

    /// Send nothing: write the prompts to the run directory and show what they consist of
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    stage: StageArgs,
}

/// A value of `--pass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PassArg {
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

/// One thing that the stage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pass {
    Plan,
    Readme,
    Files,
    Snapshot,
    Fixtures,
    Repair,
}

/// What to do, resolved.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) software: String,
    pub(crate) workspace: Workspace,
    pub(crate) environment: Environment,
    pub(crate) run_dir: RunDir,
    pub(crate) count: usize,
    pub(crate) model: String,
    pub(crate) passes: BTreeSet<Pass>,
    pub(crate) max_candidates: u32,
    pub(crate) rounds: usize,
    pub(crate) prices: Option<PathBuf>,
    /// Limits of the calls.
    pub(crate) calls: model::Settings,
    pub(crate) estimate: bool,
    pub(crate) examples_root: Option<PathBuf>,
    pub(crate) seed: u64,
    pub(crate) occupations: Vec<PathBuf>,
    pub(crate) profile: Option<PathBuf>,
    pub(crate) difficulties: Vec<String>,
    pub(crate) prompts: Option<PathBuf>,
    pub(crate) duplicate_threshold: f64,
    pub(crate) fresh: bool,
    pub(crate) dry_run: bool,
    pub(crate) stage: StageArgs,
}

impl Args {
    /// The arguments that all stages have.
    pub(crate) fn stage(&self) -> &StageArgs {
        &self.stage
    }

    /// Finds and checks what the arguments mean.
    pub(crate) fn resolve(self) -> Result<Settings> {
        ensure!(self.count > 0, "--count is the number of tasks that are wanted: at least 1");
        ensure!(self.num_workers > 0, "--num-workers must be at least 1");
        ensure!(self.max_candidates > 0, "--max-candidates must be at least 1");
        let difficulties: Vec<String> = self.difficulty.iter().map(|label| normal_label(label)).collect();
        if let Some(unknown) = difficulties.iter().find(|label| !DIFFICULTIES.contains(&label.as_str())) {
            bail!("--difficulty {unknown} is none of {}", DIFFICULTIES.join(", "));
        }
        let passes = passes(&self.passes)?;
        let calls = model::Settings {
            workers: self.num_workers,
            max_cost: self.max_cost,
            deadline: self.deadline_sec.map(Duration::from_secs),
            timeouts: Timeouts {
                first_byte: Duration::from_secs(self.idle_timeout_sec),
                idle: Duration::from_secs(self.idle_timeout_sec),
                total: Duration::from_secs(self.call_timeout_sec),
                ..Timeouts::default()
            },
            ..model::Settings::default()
        };
        let workspace = self.stage.workspace()?;
        let environment = workspace.environment(&self.env_dir)?;
        let run_dir = self.stage.run_dir.clone().unwrap_or_else(|| workspace.run_dir(&environment.name));
        let examples_root = self.examples_root.or_else(|| {
            environment.root.parent().filter(|root| root.ends_with("environments")).map(Into::into)
        });
        Ok(Settings {
            software: self.software,
            environment,
            run_dir: RunDir::open(&run_dir)?,
            workspace,
            count: self.count,
            model: self.model,
            passes,
            max_candidates: self.max_candidates,
            rounds: self.rounds,
            prices: self.prices,
            calls,
            estimate: self.estimate,
            examples_root,
            seed: self.seed,
            occupations: self.occupations,
            profile: self.profile,
            difficulties,
            prompts: self.prompts,
            duplicate_threshold: self.duplicate_threshold,
            fresh: self.fresh,
            dry_run: self.dry_run,
            stage: self.stage,
        })
    }
}

fn passes(asked: &[PassArg]) -> Result<BTreeSet<Pass>> {
    let mut passes = BTreeSet::new();
    for pass in asked {
        passes.extend(match pass {
            PassArg::All => vec![Pass::Plan, Pass::Readme, Pass::Files, Pass::Snapshot],
            PassArg::Plan => vec![Pass::Plan],
            PassArg::Readme => vec![Pass::Readme],
            PassArg::Files => vec![Pass::Files],
            PassArg::Snapshot => vec![Pass::Snapshot],
            PassArg::Fixtures => vec![Pass::Fixtures],
            PassArg::Repair => vec![Pass::Repair],
        });
    }
    ensure!(
        !(passes.contains(&Pass::Plan) && passes.contains(&Pass::Files) && !passes.contains(&Pass::Readme)),
        "--pass plan,files leaves out the READMEs that the files are written from; add readme"
    );
    for alone in [Pass::Fixtures, Pass::Repair] {
        ensure!(
            passes.len() == 1 || !passes.contains(&alone),
            "--pass fixtures and --pass repair work on tasks that are there: each stands by itself"
        );
    }
    Ok(passes)
}

impl Settings {
    /// Whether this pass is asked for.
    pub(crate) fn does(&self, pass: Pass) -> bool {
        self.passes.contains(&pass)
    }

    /// The manifest that holds the records which go out. The plan's is written by its pass, as people edit it.
    pub(crate) fn last_manifest(&self) -> Option<PathBuf> {
        let name = if self.does(Pass::Fixtures) {
            "fixtures"
        } else if self.does(Pass::Repair) {
            "repairs"
        } else if self.does(Pass::Files) {
            "files"
        } else if self.does(Pass::Readme) {
            "specs"
        } else {
            return None;
        };
        Some(self.run_dir.manifest(name))
    }

    /// What `run.json` keeps of it.
    pub(crate) fn summary(&self) -> impl Serialize {
        serde_json::json!({
            "software": self.software,
            "environment": self.workspace.relative(&self.environment.root),
            "count": self.count,
            "model": self.model,
            "passes": self.passes,
            "difficulties": self.difficulties,
            "seed": self.seed,
        })
    }

    /// The labels of difficulty that a row of the plan may have.
    pub(crate) fn offered_difficulties(&self) -> Vec<String> {
        if self.difficulties.is_empty() {
            return DIFFICULTIES.iter().rev().map(|&label| label.to_owned()).take(3).collect();
        }
        self.difficulties.clone()
    }
}
