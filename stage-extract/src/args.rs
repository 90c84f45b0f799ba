//! What can be typed, and what it means.

use std::io::{self, IsTerminal};
use std::path::{self, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use common::environment::{Environment, Workspace};
use common::stage::StageArgs;

/// Unpacks the answers in `files` records into task folders.
///
/// A folder is complete or absent, whatever interrupts. One that is there already is kept. An answer that
/// makes no task is rejected, and its `task` record says why.
#[derive(Parser, Debug)]
#[command(version)]
pub struct Args {
    /// The environment whose tasks they are: a folder, or a name in the workspace [default: the one that
    /// each record names]
    #[arg(long, value_name = "ENV", alias = "env_dir")]
    pub env_dir: Option<String>,

    /// Put task folders into DIR instead of the environment's tasks folder
    #[arg(long, value_name = "DIR", aliases = ["tasks_dir", "output-dir", "output_dir"])]
    pub tasks_dir: Option<PathBuf>,

    /// Replace folders that are there already, each as a whole
    #[arg(long)]
    pub overwrite: bool,

    /// Say what would be done, and do nothing
    #[arg(long, alias = "dry_run")]
    pub dry_run: bool,

    /// Unpack the first N answers only
    #[arg(long, value_name = "N", alias = "max_tasks")]
    pub max_tasks: Option<usize>,

    /// Move the tasks that `verdict` and `probe` records call bad out of their environment, into the run
    /// directory, and out of its list of seeds
    #[arg(long, conflicts_with_all = ["overwrite", "max_tasks"])]
    pub quarantine: bool,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would replace the command's own")]
    pub stage: StageArgs,
}

/// What was asked for, resolved.
#[derive(Debug)]
pub(crate) struct Settings {
    pub place: Place,
    pub overwrite: bool,
    pub dry_run: bool,
    pub max_tasks: usize,
    pub quarantine: bool,
    pub workspace: Workspace,
    pub run_dir: Option<PathBuf>,
    pub stage: StageArgs,
}

/// Where task folders go.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Into this folder, whatever the records say.
    Folder(PathBuf),
    /// Into the environment that a record names.
    Named,
}

impl Settings {
    /// What the arguments mean here.
    pub(crate) fn resolve(args: Args) -> Result<Self> {
        let workspace = args.stage.workspace()?;
        let environment = args.env_dir.as_deref().map(|env| workspace.environment(env)).transpose()?;
        let run_dir = args
            .stage
            .run_dir
            .clone()
            .or_else(|| environment.as_ref().map(|environment| workspace.run_dir(&environment.name)));
        ensure!(
            args.stage.input.is_some() || run_dir.is_some() || !io::stdin().is_terminal(),
            "pipe files records in, or name an environment by --env-dir to go on with its last run"
        );
        let place = match (args.tasks_dir, environment.as_ref().map(Environment::tasks_dir)) {
            (Some(folder), _) => Place::Folder(path::absolute(&folder).context("no folder for tasks")?),
            (None, Some(folder)) => Place::Folder(folder),
            (None, None) => Place::Named,
        };
        Ok(Self {
            place,
            overwrite: args.overwrite,
            dry_run: args.dry_run,
            max_tasks: args.max_tasks.unwrap_or(usize::MAX),
            quarantine: args.quarantine,
            workspace,
            run_dir,
            stage: args.stage,
        })
    }
}
