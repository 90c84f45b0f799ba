//! The command line.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use common::help;
use common::stage::StageArgs;

use crate::settings::{Form, Settings};

/// Show what is known of the tasks of a run: how far each got, what is wrong with it, what it cost
///
/// Reads run directories, or manifests alone, such as the verdicts of a corpus. Changes nothing in them.
#[derive(Debug, Parser)]
#[command(name = "stage-report", version)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, ""))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// Run directories, or files of records [default: --run-dir, or --input]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Report the last run of this environment: a folder, or a name in the workspace
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "ENV", alias = "env_dir")]
    pub(crate) env_dir: Option<String>,

    /// Write a short summary
    #[arg(help_heading = help::MAKE, long, required_unless_present = "json")]
    pub(crate) text: bool,

    /// Write all figures as JSON
    #[arg(help_heading = help::MAKE, long, conflicts_with = "text")]
    pub(crate) json: bool,
}

/// The examples in `--help`.
const EXAMPLES: &str = "  stage-report --text --env-dir moodle_env
  stage-report --json task_generation_runs/* > figures.json
  stage-verify-spec benchmarks/cua_world/environments > verdicts.jsonl; stage-report --text verdicts.jsonl";

impl Args {
    /// Resolves the arguments.
    pub(crate) fn settings(self) -> Result<Settings> {
        let workspace = self.stage.workspace()?;
        let mut sources = self.paths;
        if sources.is_empty() {
            sources.extend(self.stage.input.clone());
        }
        if sources.is_empty() {
            sources.extend(self.stage.run_dir.clone());
        }
        if let (true, Some(env)) = (sources.is_empty(), &self.env_dir) {
            sources.push(workspace.run_dir(&workspace.environment(env)?.name));
        }
        ensure!(!sources.is_empty(), "nothing to report; pass run directories or files of records");
        let form = if self.json { Form::Json } else { Form::Text };
        Ok(Settings { sources, form, workspace, stage: self.stage.into() })
    }
}
