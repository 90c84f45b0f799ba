//! The settings of the stage, independent of the command line.

use std::path::PathBuf;

use common::environment::{Environment, Workspace};
use common::stage::StageSettings;

/// The folder in the run directory that bad tasks are moved to, and the name of their manifest.
pub(crate) const QUARANTINE: &str = "quarantine";

/// What to unpack, and where.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where task folders go.
    pub(crate) destination: Destination,
    /// Whether to replace existing folders.
    pub(crate) overwrite: bool,
    /// Whether to report only.
    pub(crate) dry_run: bool,
    /// The maximum number of answers to unpack.
    pub(crate) max_tasks: usize,
    /// Whether to move bad tasks out of their environment instead.
    pub(crate) quarantine: bool,
    /// The workspace.
    pub(crate) workspace: Workspace,
    /// The environment that the command line names.
    pub(crate) environment: Option<Environment>,
    /// Input, output and messages.
    pub(crate) stage: StageSettings,
}

impl Settings {
    /// The run directory that the command line gives.
    pub(crate) fn run_dir(&self) -> Option<PathBuf> {
        let named = self.environment.as_ref().map(|environment| self.workspace.run_dir(&environment.name));
        self.stage.run_dir.clone().or(named)
    }
}

/// Where task folders go.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// Into this folder.
    Folder(PathBuf),
    /// Into the environment that a record names.
    NamedByRecord,
}
