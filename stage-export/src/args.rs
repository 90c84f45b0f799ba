//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use common::help;
use common::stage::StageArgs;

use crate::settings::{Format, Require, Settings, Target};

/// Exports tasks to where they are used.
///
/// Reads `task`, `verdict`, `probe` and `trial` records. Evidence that the input does not have is taken from the
/// manifests of the run directory. A task is exported if its evidence suffices; the others are named, with the reason.
/// Exporting again changes nothing.
#[derive(Parser, Debug)]
#[command(name = "stage-export", version)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, ""))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// The environment whose tasks are exported: a folder, or a name in the workspace [default: those that the records
    /// name]
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "ENV", alias = "env_dir")]
    pub(crate) env_dir: Option<String>,

    /// The format of the export
    #[arg(help_heading = help::MAKE, long, value_enum, value_name = "FORMAT")]
    pub(crate) to: To,

    /// The evidence that a task needs
    #[arg(help_heading = help::CHECK, long, value_enum, value_name = "EVIDENCE", default_value_t = Evidence::Probe)]
    pub(crate) require: Evidence,

    /// The folder with the split files [default: benchmarks/cua_world/splits in the workspace]
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "DIR")]
    pub(crate) splits_dir: Option<PathBuf>,

    /// The folder of the export, which is replaced as a whole; not for splits [default: exports/FORMAT in the workspace]
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "DIR")]
    pub(crate) export_dir: Option<PathBuf>,

    /// The folder of the solutions, a folder per task [default: solutions in the run directory]
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "DIR")]
    pub(crate) solutions: Option<PathBuf>,

    /// Notes on the environment for the writer of GRASP's skills [default: its README.md]
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "FILE")]
    pub(crate) env_notes: Option<PathBuf>,

    /// The licence that the card of a dataset names, as Hugging Face abbreviates it, such as mit
    #[arg(help_heading = help::MAKE, long, value_name = "ID", default_value = "unknown", value_parser = license)]
    pub(crate) license: String,
}

/// The formats.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum To {
    /// gym-anything's lists of training and test tasks, `*_split.json` and `verified.json`
    Splits,
    /// A dataset that Hugging Face's `datasets` loads: Parquet files and a card
    #[value(name = "huggingface")]
    HuggingFace,
    /// Task folders and images that Harbor runs: set-up, agent, verifier, solution
    Harbor,
    /// A Python package for Prime Intellect's verifiers, around the same tasks
    Verifiers,
    /// A Python package for GRASP, which learns skills from failed rollouts of the same tasks
    Grasp,
}

/// How far up the ladder of evidence a task must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Evidence {
    /// Its spec is valid
    Spec,
    /// Its verifier behaves on states whose verdict is known, too
    Probe,
    /// It was run in the real software, too
    Live,
}

/// The examples in `--help`.
const EXAMPLES: &str = "  stage-probe < verdicts.jsonl | stage-export --to splits
  stage-export --to splits --env-dir moodle_env --require live
  stage-export --to huggingface --env-dir moodle_env --license mit
  stage-export --to harbor --env-dir moodle_env --require live";

impl Args {
    /// Resolves the arguments.
    pub(crate) fn settings(self) -> Result<Settings> {
        let workspace = self.stage.workspace()?;
        let environment = self.env_dir.as_deref().map(|env| workspace.environment(env)).transpose()?;
        let splits = self.splits_dir.unwrap_or_else(|| workspace.root().join("benchmarks/cua_world/splits"));
        let format = match self.to {
            To::Splits => None,
            To::HuggingFace => Some(Format::HuggingFace { license: self.license }),
            To::Harbor => Some(Format::Harbor),
            To::Verifiers => Some(Format::Verifiers),
            To::Grasp => Some(Format::Grasp { notes: self.env_notes }),
        };
        let target = format.map_or(Target::Splits, |format| {
            let default = || workspace.root().join("exports").join(format.name());
            Target::Folder { path: self.export_dir.unwrap_or_else(default), format }
        });
        let require = match self.require {
            Evidence::Spec => Require::Spec,
            Evidence::Probe => Require::Probe,
            Evidence::Live => Require::Live,
        };
        let solutions = self.solutions;
        Ok(Settings { workspace, environment, target, splits, solutions, require, stage: self.stage.into() })
    }
}

/// The identifier of a licence, which goes into YAML.
fn license(text: &str) -> Result<String, String> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-.".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("expected letters, digits, - and .".to_owned())
}
