//! The settings of the stage, independent of the command line.

use std::path::PathBuf;

use common::environment::Workspace;
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
    /// The run directory, if one was given or an environment was named.
    pub(crate) run_dir: Option<PathBuf>,
    /// Input, output and messages.
    pub(crate) stage: StageSettings,
}

/// Where task folders go.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// Into this folder.
    Folder(PathBuf),
    /// Into the environment that a record names.
    NamedByRecord,
}
