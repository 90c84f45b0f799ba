//! The command line.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use common::environment::Environment;
use common::help;
use common::run_dir::RunDir;
use common::stage::StageArgs;
use fs_err as fs;
use model_client::{BatchSettings, CallSettings, LedgerSettings, Timeouts};
use serde::Deserialize;

use crate::difficulty::{self, Horizon};
use crate::settings::{Action, Pass, Settings};

/// Asks a model to expand an environment's seed tasks into many more.
///
/// Reads `seed` records and writes `files` records. Runs the plan, README, files, checklist, fixtures and snapshot
/// passes; the calls of a pass run in parallel. Every answer is stored in the run directory before it is used, and is never paid
/// for again: run the same command again to resume after an interruption.
#[derive(Debug, Parser)]
#[command(name = "stage-amplify", version, max_term_width = 110)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, VARIABLES))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// The name of the software [default: as before in this run directory]
    #[arg(help_heading = help::MAKE, long, alias = "software-name", value_name = "NAME")]
    software: Option<String>,

    /// The environment: a path, or its folder name
    #[arg(help_heading = help::INPUT_OUTPUT, long, alias = "env-folder", value_name = "DIR")]
    env_dir: String,

    /// The number of tasks to generate [default: as before in this run directory, else 75]
    #[arg(help_heading = help::MAKE, long, alias = "amplify-count", alias = "max-questions", value_name = "N")]
    count: Option<usize>,

    /// The model: gemini-…, claude-…, openai:NAME, or replay:FILE to answer from a journal [default: as before in
    /// this run directory, else gemini-4-argon]
    #[arg(help_heading = help::MODEL, long, alias = "amplifier-model", value_name = "NAME")]
    model: Option<String>,

    /// Start from the environment's own seeds, although the input has no seed record
    #[arg(help_heading = help::INPUT_OUTPUT, long)]
    env_seeds: bool,

    /// The maximum number of parallel calls
    #[arg(help_heading = help::MODEL, long, value_name = "N", default_value_t = 8)]
    num_workers: usize,

    /// The passes to run; each starts from the manifest of the one before it
    #[arg(help_heading = help::MAKE, long = "pass", value_name = "PASS", value_delimiter = ',', default_value = "all")]
    passes: Vec<PassArg>,

    /// Write no fixtures: the states that stage-probe runs each verifier on
    #[arg(help_heading = help::MAKE, long)]
    no_fixtures: bool,

    /// The maximum number of answers requested for one README, one set of files or one checklist
    #[arg(help_heading = help::LIMITS, long, value_name = "N", default_value_t = 3)]
    max_candidates: u32,

    /// The maximum number of repairs of one task, over all runs of the repair pass
    #[arg(help_heading = help::LIMITS, long, value_name = "N", default_value_t = 3)]
    rounds: usize,

    /// Send the requests of all passes but the plan and repairs in batches, at half the price and within a day
    #[arg(help_heading = help::MODEL, long)]
    batch: bool,

    /// Like --batch, but ask live for what a batch leaves unanswered, instead of in another batch
    #[arg(help_heading = help::MODEL, long)]
    batch_then_live: bool,

    /// Cancel the batches in progress, keep what they have answered, and end
    #[arg(help_heading = help::MODEL, long, conflicts_with_all = ["estimate", "dry_run"])]
    cancel_batches: bool,

    /// Look at batches in progress every SECONDS
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "SECONDS", default_value_t = 60)]
    batch_poll_sec: u64,

    /// Stop before more than USD US dollars are spent on this run directory, earlier commands included
    #[arg(help_heading = help::LIMITS, long, value_name = "USD")]
    max_cost: Option<f64>,

    /// Report the calls and tokens that are still needed and their cost, without any call
    #[arg(help_heading = help::LIMITS, long)]
    estimate: bool,

    /// Stop starting calls after SECONDS
    #[arg(help_heading = help::LIMITS, long, value_name = "SECONDS")]
    deadline_sec: Option<u64>,

    /// Share the rate limit and the budget of the fleet-ledger with this address file
    #[arg(help_heading = help::LIMITS, long, value_name = "FILE", env = "PROPOSE_AMPLIFY_LEDGER", hide_env = true)]
    ledger: Option<PathBuf>,

    /// Retry a call that sends nothing for SECONDS [default: 600; 1200 or 1800 for a high effort]
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "SECONDS")]
    idle_timeout_sec: Option<u64>,

    /// Retry a call that takes more than SECONDS in total [default: 2400; 4800 or 7200 for a high effort]
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "SECONDS")]
    call_timeout_sec: Option<u64>,

    /// Wait up to SECONDS for the first call of a pass to warm the prompt cache; 0 disables
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "SECONDS", default_value_t = 30)]
    warm_up_sec: u64,

    /// A file with facts and prices of models; it overrides the built-in ones
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "JSON")]
    prices: Option<PathBuf>,

    /// A folder of environments whose seeds also serve as examples [default: the folder of --env-dir]
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "DIR")]
    examples_root: Option<PathBuf>,

    /// Send FILE to the model although it looks like a secret; a path, also below the environment's folder
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "FILE")]
    send: Vec<PathBuf>,

    /// Selects one of several equally good examples
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Tables of occupations: `selected_products.csv`, `master_dataset.csv`, or the folder that contains them
    #[arg(help_heading = help::MAKE, long, value_name = "CSV", value_delimiter = ',')]
    occupations: Vec<PathBuf>,

    /// The wanted distribution of tasks over categories
    #[arg(help_heading = help::MAKE, long, alias = "osworld-profile-path", value_name = "JSON")]
    profile: Option<PathBuf>,

    /// Notes on the environment, in Markdown, that all prompts about it show
    #[arg(help_heading = help::MAKE, long, value_name = "FILE")]
    env_notes: Option<PathBuf>,

    /// Only tasks, and if possible only examples, with these labels: easy, medium, hard, `very_hard`
    #[arg(help_heading = help::MAKE, long, value_name = "LABEL", value_delimiter = ',')]
    difficulty: Vec<String>,

    /// The length of the tasks: as the difficulty demands, or 200 to 500 steps with intermediate results
    #[arg(help_heading = help::MAKE, long, value_name = "NAME", default_value = "usual")]
    horizon: HorizonArg,

    /// A folder of prompt templates that replace the built-in ones of the same name
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "DIR")]
    prompts: Option<PathBuf>,

    /// Reject a task that shares at least this part of its wording with another, from 0 to 1
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "SHARE", default_value_t = 0.9)]
    duplicate_threshold: f64,

    /// Plan again and render prompts again, and do not use what another model has answered
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long)]
    fresh: bool,

    /// Write the prompts to the run directory and report the sizes of their sections, without any call
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long)]
    dry_run: bool,
}

/// A value of `--horizon`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HorizonArg {
    /// As the difficulty demands
    Usual,
    /// 200 to 500 steps
    Long,
}

/// A value of `--pass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PassArg {
    /// plan, readme, files, checklist, fixtures and snapshot
    All,
    /// Name the tasks
    Plan,
    /// Write their READMEs
    Readme,
    /// Write their files
    Files,
    /// Write the checklists of the tasks in the input; with files, of the new tasks
    Checklist,
    /// Add the usable tasks to the environment's seeds
    Snapshot,
    /// Write test states for the verifiers of the tasks in the input; with files, of the new tasks
    Fixtures,
    /// Write scripts that do the tasks in the input, rightly and wrongly, for stage-verify-task; only by itself
    Solution,
    /// Compare what counts by the description, README, checklist and verifier of the tasks in the input; only by itself
    Agreement,
    /// Repair the tasks whose bad verdicts, probes and comparisons are in the input; only by itself
    Repair,
}

/// The examples in `--help`.
const EXAMPLES: &str =
    "  stage-amplify --software Moodle --env-dir moodle_env --count 16 --estimate < seeds.jsonl
  stage-amplify --software Moodle --env-dir moodle_env --count 16 --max-cost 5 < seeds.jsonl > files.jsonl";

/// The environment variables in `--help`.
const VARIABLES: &str = "  GEMINI_API_KEY, ANTHROPIC_API_KEY, OPENAI_API_KEY     the key of the provider
  GEMINI_BASE_URL, ANTHROPIC_BASE_URL, OPENAI_BASE_URL  another server with the same interface
  HTTPS_PROXY, ALL_PROXY, NO_PROXY                      proxies
  PROPOSE_AMPLIFY_LEDGER                                the default of --ledger
  SSL_CERT_FILE                                         the certificates to trust";

/// The number of tasks, unless it is given.
const DEFAULT_COUNT: usize = 75;
/// The model, unless it is given.
const DEFAULT_MODEL: &str = "gemini-4-argon";

/// What was asked for before in the run directory. A later command need not say it again.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Before {
    software: Option<String>,
    count: Option<usize>,
    model: Option<String>,
}

impl Args {
    /// Checks the arguments, and finds the environment and the run directory.
    pub(crate) fn into_settings(self) -> Result<Settings> {
        self.check_numbers()?;
        let passes = passes(&self.passes, self.no_fixtures)?;
        let difficulties = difficulties(&self.difficulty)?;
        let mut workspace = self.stage.workspace()?;
        let environment = workspace.environment(&self.env_dir)?;
        workspace.admit(&environment);
        let run_dir = self.stage.run_dir.clone().unwrap_or_else(|| workspace.run_dir(&environment.name));
        let run_dir = RunDir::open(&run_dir)?;
        run_dir.ensure_for(&environment.name)?;
        let before: Before = serde_json::from_value(run_dir.asked("amplify")).unwrap_or_default();
        let calls = self.calls(&environment.name, &run_dir);
        let software = self.software.or(before.software);
        Ok(Settings {
            software: software.context("--software is required in a run directory without an earlier run")?,
            workspace,
            count: self.count.or(before.count).unwrap_or(DEFAULT_COUNT),
            model: self.model.or(before.model).unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
            passes,
            max_candidates: self.max_candidates,
            rounds: self.rounds,
            calls,
            batch: (self.batch || self.batch_then_live || self.cancel_batches).then_some(BatchSettings {
                poll: Duration::from_secs(self.batch_poll_sec),
                then_live: self.batch_then_live,
            }),
            prices: self.prices,
            action: match (self.dry_run, self.estimate) {
                (true, _) => Action::DryRun,
                (false, true) => Action::Estimate,
                (false, false) if self.cancel_batches => Action::CancelBatches,
                (false, false) => Action::Run,
            },
            examples_root: self.examples_root.or_else(|| default_examples_root(&environment)),
            send: chosen_files(&self.send, &environment)?,
            environment,
            seed: self.seed,
            occupations: self.occupations,
            profile: self.profile,
            env_notes: self.env_notes,
            difficulties,
            horizon: match self.horizon {
                HorizonArg::Usual => Horizon::Usual,
                HorizonArg::Long => Horizon::Long,
            },
            prompts: self.prompts,
            duplicate_threshold: self.duplicate_threshold,
            fresh: self.fresh,
            env_seeds: self.env_seeds,
            run_dir,
            stage: self.stage.into(),
        })
    }

    fn check_numbers(&self) -> Result<()> {
        ensure!(self.count != Some(0), "--count must be at least 1");
        ensure!(self.num_workers > 0, "--num-workers must be at least 1");
        ensure!(self.max_candidates > 0, "--max-candidates must be at least 1");
        ensure!(
            self.max_cost.is_none_or(|cost| cost.is_finite() && cost >= 0.0),
            "--max-cost is an amount in US dollars, such as 5 or 0.50"
        );
        ensure!((0.0..=1.0).contains(&self.duplicate_threshold), "--duplicate-threshold must be from 0 to 1");
        Ok(())
    }

    fn calls(&self, env: &str, run_dir: &RunDir) -> CallSettings {
        let ledger = self.ledger.clone().filter(|file| !file.as_os_str().is_empty());
        CallSettings {
            workers: self.num_workers,
            max_cost: self.max_cost,
            lost_before: run_dir.cost().lost_at_most,
            fresh: self.fresh,
            deadline: self.deadline_sec.map(Duration::from_secs),
            warm_up: Duration::from_secs(self.warm_up_sec),
            timeouts: Timeouts {
                silence: self.idle_timeout_sec.map(Duration::from_secs),
                total: self.call_timeout_sec.map(Duration::from_secs),
                ..Timeouts::default()
            },
            ledger: ledger.map(|file| LedgerSettings { file, run: env.to_owned() }),
            ..CallSettings::default()
        }
    }
}

/// The folder that the environment is in, if it is a folder of environments.
fn default_examples_root(environment: &Environment) -> Option<PathBuf> {
    environment.root.parent().filter(|root| root.ends_with("environments")).map(Into::into)
}

/// The canonical paths of files that are given as paths, or by their names in the environment.
fn chosen_files(names: &[PathBuf], environment: &Environment) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for name in names {
        let found = [name.clone(), environment.root.join(name)].into_iter().find(|path| path.is_file());
        let found = found.with_context(|| format!("--send: there is no file {}", name.display()))?;
        files.push(fs::canonicalize(found)?);
    }
    Ok(files)
}

fn difficulties(labels: &[String]) -> Result<Vec<String>> {
    let labels: Vec<String> = labels.iter().map(|label| difficulty::normalize(label)).collect();
    if let Some(unknown) = labels.iter().find(|label| !difficulty::LABELS.contains(&label.as_str())) {
        bail!("--difficulty {unknown}: the labels are {}", difficulty::LABELS.join(", "));
    }
    Ok(labels)
}

fn passes(selected: &[PassArg], no_fixtures: bool) -> Result<BTreeSet<Pass>> {
    let mut passes = BTreeSet::new();
    for pass in selected {
        passes.extend(match pass {
            PassArg::All => {
                vec![Pass::Plan, Pass::Readme, Pass::Files, Pass::Checklist, Pass::Fixtures, Pass::Snapshot]
            }
            PassArg::Plan => vec![Pass::Plan],
            PassArg::Readme => vec![Pass::Readme],
            PassArg::Files => vec![Pass::Files],
            PassArg::Checklist => vec![Pass::Checklist],
            PassArg::Snapshot => vec![Pass::Snapshot],
            PassArg::Fixtures => vec![Pass::Fixtures],
            PassArg::Solution => vec![Pass::Solution],
            PassArg::Agreement => vec![Pass::Agreement],
            PassArg::Repair => vec![Pass::Repair],
        });
    }
    ensure!(
        !(passes.contains(&Pass::Plan) && passes.contains(&Pass::Files) && !passes.contains(&Pass::Readme)),
        "--pass plan,files lacks the READMEs that files are written from; add readme"
    );
    if no_fixtures {
        passes.remove(&Pass::Fixtures);
        ensure!(!passes.is_empty(), "--no-fixtures and --pass fixtures contradict each other");
    }
    for of_files in [Pass::Checklist, Pass::Fixtures] {
        ensure!(
            passes.len() == 1 || !passes.contains(&of_files) || passes.contains(&Pass::Files),
            "--pass checklist and --pass fixtures can be combined with other passes only if files is one of them"
        );
    }
    for alone in [Pass::Solution, Pass::Agreement, Pass::Repair] {
        ensure!(
            passes.len() == 1 || !passes.contains(&alone),
            "--pass solution, --pass agreement and --pass repair cannot be combined with other passes"
        );
    }
    Ok(passes)
}
