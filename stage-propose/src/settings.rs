//! What a run does, as plain data: folders are found, programs located, files read.

use std::time::Duration;

use anyhow::Result;
use common::environment::{Environment, Workspace};
use common::run_dir::RunDir;
use common::stage::{Output, StageSettings};

use crate::agent::Agent;
use crate::notes::Notes;
use crate::phase::Phase;
use crate::prompts::Prompts;

/// The settings of a run.
pub(crate) struct Settings {
    pub(crate) context: RunContext,
    pub(crate) work: Work,
}

/// The folders of a run, and where its records go.
pub(crate) struct RunContext {
    pub(crate) workspace: Workspace,
    pub(crate) environment: Environment,
    pub(crate) run_dir: RunDir,
    pub(crate) stage: StageSettings,
}

impl RunContext {
    /// Opens the output for records. If `keeps_manifest`, they are written to the run directory's `seeds` manifest,
    /// too.
    pub(crate) fn output(&self, keeps_manifest: bool) -> Result<Output> {
        let manifest = keeps_manifest.then(|| self.run_dir.manifest("seeds"));
        Ok(self.stage.output(manifest.as_deref())?)
    }
}

/// Where the seeds come from.
pub(crate) enum Work {
    /// The existing tasks are the seeds: this many of them, or all.
    Adopt { count: Option<usize> },
    /// An agent writes them.
    Drive(Box<DriveSettings>),
}

/// The settings of an agent's work.
pub(crate) struct DriveSettings {
    pub(crate) agent: Agent,
    /// The name of the software, for prompts.
    pub(crate) software: String,
    pub(crate) assignment: Assignment,
    /// The session from the command line.
    pub(crate) session: Option<String>,
    pub(crate) first_phase: Phase,
    /// The time limit of a phase.
    pub(crate) time_limit: Duration,
    pub(crate) platforms: Vec<String>,
    pub(crate) task_type: String,
    pub(crate) notes: Notes,
    pub(crate) prompts: Prompts,
    /// Whether to undo what the agent writes outside of its tasks.
    pub(crate) strict_writes: bool,
}

/// What the agent has to do.
pub(crate) enum Assignment {
    /// Write this many new tasks.
    Create { count: usize },
    /// Rework one task according to an expert's feedback.
    Edit { task: String, feedback: String },
}
