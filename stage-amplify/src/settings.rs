//! What to do, as plain data.

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::environment::{Environment, Workspace};
use common::manifest::Coverage;
use common::run_dir::RunDir;
use common::stage::StageSettings;
use model_client::{BatchSettings, CallSettings};
use serde::Serialize;

use crate::difficulty::{self, Horizon};

/// A pass, as the user selects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pass {
    Plan,
    Readme,
    Files,
    Checklist,
    Snapshot,
    Fixtures,
    Solution,
    Agreement,
    Repair,
}

/// A pass over tasks that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverTasks {
    Checklist,
    Fixtures,
    Solution,
    Agreement,
    Repair,
}

impl OverTasks {
    /// The name of its manifest in the run directory.
    pub(crate) fn manifest(self) -> &'static str {
        match self {
            Self::Checklist => "checklists",
            Self::Fixtures => "fixtures",
            Self::Solution => "solutions",
            Self::Agreement => "agreements",
            Self::Repair => "repairs",
        }
    }

    fn note_name(self) -> &'static str {
        match self {
            Self::Checklist => "checklist",
            Self::Fixtures => "fixtures",
            Self::Solution => "solution",
            Self::Agreement => "agreement",
            Self::Repair => "repair",
        }
    }
}

/// Whether to call the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run the passes.
    Run,
    /// Report the cost.
    Estimate,
    /// Write the prompts to files.
    DryRun,
    /// Cancel the batches in progress, and keep what they have answered.
    CancelBatches,
}

/// What to do.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The name of the software, for prompts.
    pub(crate) software: String,
    pub(crate) workspace: Workspace,
    pub(crate) environment: Environment,
    pub(crate) run_dir: RunDir,
    /// The number of tasks to generate.
    pub(crate) count: usize,
    /// The model's name, as `model_client::from_name` reads it.
    pub(crate) model: String,
    /// The selected passes.
    pub(crate) passes: BTreeSet<Pass>,
    /// The maximum number of answers requested for one README or one set of files.
    pub(crate) max_candidates: u32,
    /// The maximum number of repairs of one task.
    pub(crate) rounds: usize,
    /// A file that overrides the built-in facts of models.
    pub(crate) prices: Option<PathBuf>,
    /// Limits of the calls to the model.
    pub(crate) calls: CallSettings,
    /// How requests are sent in batches; `None` if they are not.
    pub(crate) batch: Option<BatchSettings>,
    /// Whether to call the model, or only to tell what would be asked.
    pub(crate) action: Action,
    /// A folder of environments whose seeds serve as examples.
    pub(crate) examples_root: Option<PathBuf>,
    /// Canonical paths of the files that are sent to the model even if they look like secrets.
    pub(crate) send: Vec<PathBuf>,
    /// Selects one of several equally good examples.
    pub(crate) seed: u64,
    /// Tables of occupations, or folders of them.
    pub(crate) occupations: Vec<PathBuf>,
    /// The file with the wanted distribution of tasks.
    pub(crate) profile: Option<PathBuf>,
    /// Notes on the environment, for prompts.
    pub(crate) env_notes: Option<PathBuf>,
    /// The accepted difficulty labels; empty for all.
    pub(crate) difficulties: Vec<String>,
    /// How long tasks are.
    pub(crate) horizon: Horizon,
    /// A folder of templates that replace the built-in ones.
    pub(crate) prompts: Option<PathBuf>,
    /// The share of common wording from which on a task counts as a copy, from 0 to 1.
    pub(crate) duplicate_threshold: f64,
    /// Whether to plan again and render prefixes again, and to ask again what another model has answered.
    pub(crate) fresh: bool,
    /// Whether the environment's own seeds serve although the input has no seed record.
    pub(crate) env_seeds: bool,
    /// Input, output and messages.
    pub(crate) stage: StageSettings,
}

impl Settings {
    /// Whether this pass is selected.
    pub(crate) fn does(&self, pass: Pass) -> bool {
        self.passes.contains(&pass)
    }

    /// The pass over tasks that come in, rather than over those of this run, if one is selected.
    pub(crate) fn over_tasks(&self) -> Option<OverTasks> {
        if self.does(Pass::Files) {
            return None;
        }
        [
            (Pass::Checklist, OverTasks::Checklist),
            (Pass::Fixtures, OverTasks::Fixtures),
            (Pass::Solution, OverTasks::Solution),
            (Pass::Agreement, OverTasks::Agreement),
            (Pass::Repair, OverTasks::Repair),
        ]
        .into_iter()
        .find_map(|(pass, over)| self.does(pass).then_some(over))
    }

    /// How the requests of the selected passes are sent in batches; `None` if they are not. A repair is asked live: it
    /// takes part in rounds of a chain of stages.
    pub(crate) fn batches(&self) -> Option<BatchSettings> {
        self.batch.filter(|_| self.over_tasks() != Some(OverTasks::Repair))
    }

    /// The manifest of the records in the output. The plan pass writes its own, as users edit it.
    pub(crate) fn last_manifest(&self) -> Option<PathBuf> {
        let name = match self.over_tasks() {
            Some(pass) => pass.manifest(),
            None if self.does(Pass::Files) => "files",
            None if self.does(Pass::Readme) => "specs",
            None => return None,
        };
        Some(self.run_dir.manifest(name))
    }

    /// Whether its manifest replaces the one before. A plan names all tasks of the run. Repairs are replaced as a whole,
    /// too: an earlier one must not be published over a task that has changed since.
    pub(crate) fn coverage(&self) -> Coverage {
        let is_whole = self.does(Pass::Plan) || self.over_tasks() == Some(OverTasks::Repair);
        Coverage::part_if(!is_whole)
    }

    /// The name under which `run.json` records it. What tasks were asked for is not changed by passes over them.
    pub(crate) fn note_name(&self) -> &'static str {
        self.over_tasks().map_or("amplify", OverTasks::note_name)
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
            "horizon": self.horizon,
            "seed": self.seed,
        })
    }

    /// The difficulty labels that the plan's prompt offers.
    pub(crate) fn offered_difficulties(&self) -> Vec<String> {
        if self.difficulties.is_empty() {
            return difficulty::LABELS.iter().rev().map(|&label| label.to_owned()).take(2).collect();
        }
        self.difficulties.clone()
    }
}
