//! The command line.

use std::io::{self, IsTerminal};
use std::path::{self, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use common::environment::Environment;
use common::help;
use common::stage::StageArgs;

use crate::settings::{Destination, Settings};

/// Unpacks the answers in `files` records into task folders.
///
/// A folder is complete or absent, even after an interruption. Existing folders are kept. An answer that is not a
/// valid task is rejected; its `task` record states the reason.
#[derive(Parser, Debug)]
#[command(name = "stage-extract", version)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, ""))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// The environment that the tasks belong to: a folder, or a name in the workspace [default: the one that each
    /// record names]
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "ENV", alias = "env_dir")]
    pub(crate) env_dir: Option<String>,

    /// Put task folders into DIR instead of the environment's tasks folder
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "DIR", aliases = ["tasks_dir", "output-dir", "output_dir"])]
    pub(crate) tasks_dir: Option<PathBuf>,

    /// Replace existing folders, each as a whole
    #[arg(help_heading = help::MAKE, long)]
    pub(crate) overwrite: bool,

    /// Report what would be done, without writing anything
    #[arg(help_heading = help::MAKE, long, alias = "dry_run")]
    pub(crate) dry_run: bool,

    /// Unpack the first N answers only
    #[arg(help_heading = help::LIMITS, long, value_name = "N", alias = "max_tasks")]
    pub(crate) max_tasks: Option<usize>,

    /// Move the tasks that `verdict` and `probe` records report as bad, and `decision` records reject, out of their
    /// environment and its list of seeds, into the run directory
    #[arg(help_heading = help::MAKE, long, conflicts_with_all = ["overwrite", "max_tasks"])]
    pub(crate) quarantine: bool,
}

/// The examples in `--help`.
const EXAMPLES: &str = "  stage-extract --env-dir moodle_env --dry-run < files.jsonl
  stage-extract --env-dir moodle_env < files.jsonl > tasks.jsonl";

impl Args {
    /// Resolves the arguments.
    pub(crate) fn settings(self) -> Result<Settings> {
        let workspace = self.stage.workspace()?;
        let environment = self.env_dir.as_deref().map(|env| workspace.environment(env)).transpose()?;
        ensure!(
            self.stage.input.is_some()
                || self.stage.run_dir.is_some()
                || environment.is_some()
                || !io::stdin().is_terminal(),
            "no input; pipe `files` records in, or pass --env-dir to read the records of its last run"
        );
        let destination = match (self.tasks_dir, environment.as_ref().map(Environment::tasks_dir)) {
            (Some(folder), _) => {
                Destination::Folder(path::absolute(&folder).context("cannot resolve --tasks-dir")?)
            }
            (None, Some(folder)) => Destination::Folder(folder),
            (None, None) => Destination::NamedByRecord,
        };
        Ok(Settings {
            destination,
            overwrite: self.overwrite,
            dry_run: self.dry_run,
            max_tasks: self.max_tasks.unwrap_or(usize::MAX),
            quarantine: self.quarantine,
            workspace,
            environment,
            stage: self.stage.into(),
        })
    }
}
