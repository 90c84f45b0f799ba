//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use common::help;
use common::stage::StageArgs;

use crate::settings::{Require, Settings, Target};

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
}

/// The formats.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum To {
    /// gym-anything's lists of training and test tasks, `*_split.json` and `verified.json`
    Splits,
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
  stage-export --to splits --env-dir moodle_env --require live";

impl Args {
    /// Resolves the arguments.
    pub(crate) fn settings(self) -> Result<Settings> {
        let workspace = self.stage.workspace()?;
        let environment = self.env_dir.as_deref().map(|env| workspace.environment(env)).transpose()?;
        let target = match self.to {
            To::Splits => Target::Splits {
                folder: self
                    .splits_dir
                    .unwrap_or_else(|| workspace.root().join("benchmarks/cua_world/splits")),
            },
        };
        let require = match self.require {
            Evidence::Spec => Require::Spec,
            Evidence::Probe => Require::Probe,
            Evidence::Live => Require::Live,
        };
        Ok(Settings { workspace, environment, target, require, stage: self.stage.into() })
    }
}
