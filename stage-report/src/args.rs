//! The command line.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::Parser;
use common::help;
use common::stage::StageArgs;

use crate::settings::{Form, Settings};

/// Show what is known of the tasks of a run: how far each got, what is wrong with it, what it cost
///
/// Writes one HTML page, report.html in the run directory, that needs no network and no other file. Reads run
/// directories, or manifests alone, such as the verdicts of a corpus.
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

    /// Write a short summary instead of the page
    #[arg(help_heading = help::MAKE, long)]
    pub(crate) text: bool,

    /// Write all figures as JSON instead of the page
    #[arg(help_heading = help::MAKE, long, conflicts_with = "text")]
    pub(crate) json: bool,

    /// Leave the files of tasks out of the page
    #[arg(help_heading = help::MAKE, long, conflicts_with_all = ["text", "json"])]
    pub(crate) no_files: bool,
}

/// The examples in `--help`.
const EXAMPLES: &str = "  stage-report --env-dir moodle_env
  stage-report --text --env-dir moodle_env
  stage-report --json task_generation_runs/* > figures.json
  stage-verify-spec benchmarks/cua_world/environments > verdicts.jsonl; stage-report -o corpus.html verdicts.jsonl";

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
        let form = match (self.text, self.json) {
            (true, _) => Form::Text,
            (_, true) => Form::Json,
            _ => Form::Page {
                path: page_path(self.stage.output.clone(), &sources)?,
                has_files: !self.no_files,
            },
        };
        Ok(Settings { sources, form, workspace, stage: self.stage.into() })
    }
}

/// The path of the page: as requested, else in the only run directory. `None` for standard output.
fn page_path(requested: Option<PathBuf>, sources: &[PathBuf]) -> Result<Option<PathBuf>> {
    match (requested, sources) {
        (Some(path), _) if path.as_os_str() == "-" => Ok(None),
        (Some(path), _) => Ok(Some(path)),
        (None, [run_dir]) if run_dir.is_dir() => Ok(Some(run_dir.join("report.html"))),
        (None, _) => bail!("the page has no place of its own; pass --output FILE"),
    }
}
