//! The command line, and its conversion to [`Settings`].

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use common::environment::Workspace;
use common::help;
use common::stage::StageArgs;
use common::ui::Ui;

use crate::lints;
use crate::settings::{Format, ManifestPaths, Python, Settings, Source};
use crate::targets::{self, Target};

/// Check environments and tasks: specs, hooks, verifiers and checklists.
///
/// The verdicts are those of gym-anything's own verification; lints add warnings. Without a PATH, read `task`
/// records from standard input and check each task as its record arrives.
#[derive(Parser, Debug)]
#[command(version)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, VARIABLES))]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would replace the command's own")]
    pub stage: StageArgs,

    /// An environment (a folder, or a name in the workspace), a task folder, or a folder of environments
    pub paths: Vec<PathBuf>,

    /// Check only the task with this name
    #[arg(help_heading = help::CHECK, long, value_name = "NAME")]
    pub task: Option<String>,

    /// Write the verdicts to the run directory of this environment, too. Records may name its tasks if it is outside
    /// the workspace
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "ENV")]
    pub env_dir: Option<String>,

    /// The output format
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_enum, default_value_t = FormatArg::Jsonl)]
    pub format: FormatArg,

    /// Write only the bad verdicts. The run directory keeps all of them, so --env-dir and --run-dir are refused
    #[arg(help_heading = help::INPUT_OUTPUT, long, conflicts_with_all = ["env_dir", "run_dir"])]
    pub only_bad: bool,

    /// Compare with the verdicts of an earlier run (format jsonl): which findings are new, which are fixed
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// The Python that runs the verifiers; it is asked which modules are installed. `none` skips the question
    #[arg(help_heading = help::CHECK, long, value_name = "PYTHON", default_value = Python::DEFAULT)]
    pub python: String,

    /// Stop after N bad verdicts, at the end of the environment
    #[arg(help_heading = help::LIMITS, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_failures: Option<u64>,

    /// Count warnings as errors
    #[arg(help_heading = help::CHECK, long)]
    pub strict: bool,

    /// List the lints and exit
    #[arg(help_heading = help::CHECK, long)]
    pub lints: bool,

    /// Skip these lints; `all` skips every lint
    #[arg(help_heading = help::CHECK, long, value_name = "LINT", value_delimiter = ',')]
    pub skip_lint: Vec<String>,

    /// Write the status of every task to FILE, in gym-anything's format
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "FILE")]
    pub write_status_manifest: Option<PathBuf>,

    /// Write the names of the valid tasks to FILE, in gym-anything's format. Unless a whole folder of environments
    /// is checked, what FILE says about other environments and tasks is kept
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "FILE")]
    pub write_verified_split: Option<PathBuf>,

    /// Write the missing hook scripts to FILE, in gym-anything's format
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "FILE")]
    pub write_missing_hook_manifest: Option<PathBuf>,
}

/// The values of `--format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FormatArg {
    /// One `verdict` record per line
    Jsonl,
    /// Plain text for people, with tables of the findings by code and by environment
    Text,
    /// One JSON object with the keys of gym-anything's `--json`
    SummaryJson,
    /// SARIF 2.1.0, for code-scanning services
    Sarif,
    /// One row per finding, for spreadsheets
    Csv,
}

/// The examples in `--help`.
const EXAMPLES: &str = "  stage-verify-spec --format text benchmarks/cua_world/environments/moodle_env
  stage-verify-spec --baseline before.jsonl --only-bad benchmarks/cua_world/environments > bad.jsonl
  stage-verify-spec < tasks.jsonl > verdicts.jsonl";

/// The environment variables in `--help`.
const VARIABLES: &str = "  XDG_CACHE_HOME  the folder of the cache of installed modules [default: ~/.cache]";

impl Args {
    /// Resolves paths and names. Unknown names in `--skip-lint` are warnings.
    pub(crate) fn into_settings(self, ui: &Ui) -> Result<Settings> {
        let mut workspace = self.stage.workspace()?;
        let environment = self.env_dir.as_deref().map(|env| workspace.environment(env)).transpose()?;
        if let Some(environment) = &environment {
            workspace.admit(environment);
        }
        let has_run_dir = self.stage.run_dir.is_some() || environment.is_some();
        let source = self.source(&workspace, has_run_dir)?;
        Ok(Settings {
            source,
            task: self.task,
            format: self.format.into(),
            only_bad: self.only_bad,
            baseline: self.baseline,
            python: Python::from_name(self.python),
            max_failures: self.max_failures,
            strict: self.strict,
            lints: lints::without(&self.skip_lint, ui),
            manifests: ManifestPaths {
                status: self.write_status_manifest,
                split: self.write_verified_split,
                missing_hooks: self.write_missing_hook_manifest,
            },
            workspace,
            environment,
            stage: self.stage.into(),
        })
    }

    fn source(&self, workspace: &Workspace, has_run_dir: bool) -> Result<Source> {
        if self.paths.is_empty() {
            ensure!(
                self.stage.input.is_some() || has_run_dir || !io::stdin().is_terminal(),
                "nothing to check; give the path of an environment, a task or a folder of environments, or pipe \
                 task records in"
            );
            ensure!(
                self.task.is_none(),
                "--task needs an environment: stage-verify-spec ENVIRONMENT --task NAME"
            );
            return Ok(Source::Records);
        }
        let targets =
            self.paths.iter().map(|path| Target::find(path, workspace)).collect::<Result<Vec<_>>>()?;
        if let Some(task) = &self.task {
            targets::ensure_task_exists(&targets, task)?;
        }
        Ok(Source::Targets(targets))
    }
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Jsonl => Self::Jsonl,
            FormatArg::Text => Self::Text,
            FormatArg::SummaryJson => Self::SummaryJson,
            FormatArg::Sarif => Self::Sarif,
            FormatArg::Csv => Self::Csv,
        }
    }
}
