//! What to do: the command line, checked, as plain data.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use common::environment::{Environment, Workspace};
use common::run_dir::RunDir;
use common::stage::StageArgs;
use model_client::Timeouts;
use serde::Serialize;

use crate::args::{Args, PassArg};
use crate::difficulty;

/// A pass, as the user selects it.
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

/// What to do.
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
    /// Limits of the calls to the model.
    pub(crate) calls: model_client::CallSettings,
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

impl Settings {
    /// Checks the arguments, and finds the environment and the run directory.
    pub(crate) fn resolve(args: Args) -> Result<Self> {
        ensure!(args.count > 0, "--count must be at least 1");
        ensure!(args.num_workers > 0, "--num-workers must be at least 1");
        ensure!(args.max_candidates > 0, "--max-candidates must be at least 1");
        ensure!(
            args.max_cost.is_none_or(|cost| cost.is_finite() && cost >= 0.0),
            "--max-cost is an amount in US dollars, such as 5 or 0.50"
        );
        ensure!((0.0..=1.0).contains(&args.duplicate_threshold), "--duplicate-threshold must be from 0 to 1");
        let difficulties: Vec<String> =
            args.difficulty.iter().map(|label| difficulty::normalize(label)).collect();
        if let Some(unknown) = difficulties.iter().find(|label| !difficulty::LABELS.contains(&label.as_str()))
        {
            bail!("--difficulty {unknown}: the labels are {}", difficulty::LABELS.join(", "));
        }
        let passes = passes(&args.passes)?;
        let calls = model_client::CallSettings {
            workers: args.num_workers,
            max_cost: args.max_cost,
            deadline: args.deadline_sec.map(Duration::from_secs),
            warm_up: Duration::from_secs(args.warm_up_sec),
            timeouts: Timeouts {
                first_byte: Duration::from_secs(args.idle_timeout_sec),
                idle: Duration::from_secs(args.idle_timeout_sec),
                total: Duration::from_secs(args.call_timeout_sec),
                ..Timeouts::default()
            },
            ..model_client::CallSettings::default()
        };
        let workspace = args.stage.workspace()?;
        let environment = workspace.environment(&args.env_dir)?;
        let run_dir = args.stage.run_dir.clone().unwrap_or_else(|| workspace.run_dir(&environment.name));
        let examples_root = args.examples_root.or_else(|| {
            environment.root.parent().filter(|root| root.ends_with("environments")).map(Into::into)
        });
        Ok(Self {
            software: args.software,
            environment,
            run_dir: RunDir::open(&run_dir)?,
            workspace,
            count: args.count,
            model: args.model,
            passes,
            max_candidates: args.max_candidates,
            rounds: args.rounds,
            prices: args.prices,
            calls,
            estimate: args.estimate,
            examples_root,
            seed: args.seed,
            occupations: args.occupations,
            profile: args.profile,
            difficulties,
            prompts: args.prompts,
            duplicate_threshold: args.duplicate_threshold,
            fresh: args.fresh,
            dry_run: args.dry_run,
            stage: args.stage,
        })
    }

    /// Whether this pass is selected.
    pub(crate) fn does(&self, pass: Pass) -> bool {
        self.passes.contains(&pass)
    }

    /// The manifest of the records in the output. The plan pass writes its own, as users edit it.
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

    /// What `run.json` records of it.
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
            return difficulty::LABELS.iter().rev().map(|&label| label.to_owned()).take(3).collect();
        }
        self.difficulties.clone()
    }
}

fn passes(selected: &[PassArg]) -> Result<BTreeSet<Pass>> {
    let mut passes = BTreeSet::new();
    for pass in selected {
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
        "--pass plan,files lacks the READMEs that files are written from; add readme"
    );
    for alone in [Pass::Fixtures, Pass::Repair] {
        ensure!(
            passes.len() == 1 || !passes.contains(&alone),
            "--pass fixtures and --pass repair cannot be combined with other passes"
        );
    }
    Ok(passes)
}
