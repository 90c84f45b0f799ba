//! The settings of the stage, independent of the command line.

use std::path::PathBuf;

use common::environment::Workspace;
use common::stage::StageSettings;

/// What to report, and how.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Run directories and files of records; `-` is standard input.
    pub(crate) sources: Vec<PathBuf>,
    /// What is written.
    pub(crate) form: Form,
    /// The folder that paths in records are relative to.
    pub(crate) workspace: Workspace,
    /// Output and messages.
    pub(crate) stage: StageSettings,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The page.
    Page {
        /// Its path; `None` for standard output.
        path: Option<PathBuf>,
        /// Whether tasks open to their files.
        has_files: bool,
    },
    /// A short summary.
    Text,
    /// All figures.
    Json,
}
