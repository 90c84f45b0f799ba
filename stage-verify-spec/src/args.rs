//! What can be typed, and what it means.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use common::environment::{ENV_SPECS, TASK_SPECS, Workspace};
use common::stage::StageArgs;
use common::ui::Ui;
use task_spec::verify::task_specs;

use crate::lints;

/// Checks environments and tasks: specs, hooks, verifiers and checklists.
///
/// Says of each what gym-anything's own verification says, and warns of more. Without a PATH, the tasks of
/// `task` records on standard input are checked as they arrive.
#[derive(Parser, Debug)]
#[command(version)]
pub struct Args {
    /// An environment (a folder, or a name in the workspace), a task folder, or a folder of environments
    pub paths: Vec<PathBuf>,

    /// Check only the task of this name
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// The environment whose run directory the verdicts of records are kept in
    #[arg(long, value_name = "ENV")]
    pub env_dir: Option<String>,

    /// What to write: a record for each verdict, lines for people, or the summary that gym-anything prints
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    pub format: Format,

    /// The Python that will run the verifiers: it says which modules are installed. `none` asks nobody
    #[arg(long, value_name = "PYTHON", default_value = Python::USUAL)]
    pub python: String,

    /// Stop when this many verdicts are bad, at the end of their environment
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_failures: Option<u64>,

    /// Let warnings make a verdict bad, too
    #[arg(long)]
    pub strict: bool,

    /// List the lints and what each warns of, and end
    #[arg(long)]
    pub lints: bool,

    /// Leave these lints out; `all` leaves out every one
    #[arg(long, value_name = "LINT", value_delimiter = ',')]
    pub skip_lint: Vec<String>,

    /// Write the state of every task to FILE, as gym-anything does
    #[arg(long, value_name = "FILE")]
    pub write_status_manifest: Option<PathBuf>,

    /// Write the names of the tasks that are good to FILE, as gym-anything does
    #[arg(long, value_name = "FILE")]
    pub write_verified_split: Option<PathBuf>,

    /// Write the scripts that hooks name and that are nowhere to FILE, as gym-anything does
    #[arg(long, value_name = "FILE")]
    pub write_missing_hook_manifest: Option<PathBuf>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would replace the command's own")]
    pub stage: StageArgs,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A `verdict` record a line.
    Jsonl,
    /// Lines for people.
    Text,
    /// One JSON object with the keys of gym-anything's `--json`.
    SummaryJson,
}

/// What was asked for, resolved.
#[derive(Debug)]
pub(crate) struct Settings {
    pub source: Source,
    pub task: Option<String>,
    pub format: Format,
    pub python: Python,
    pub max_failures: Option<u64>,
    pub strict: bool,
    /// Names of the lints that are on.
    pub lints: BTreeSet<&'static str>,
    pub manifests: Manifests,
    pub workspace: Workspace,
    pub run_dir: Option<PathBuf>,
    pub stage: StageArgs,
}

/// Where the manifests of gym-anything's form go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifests {
    pub status: Option<PathBuf>,
    pub split: Option<PathBuf>,
    pub missing_hooks: Option<PathBuf>,
}

/// Where to find what is checked.
#[derive(Debug)]
pub(crate) enum Source {
    /// `task` records that come in.
    Records,
    /// What was named.
    Targets(Vec<Target>),
}

/// Something that was named, and what it turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An environment, with or without a spec.
    Environment(PathBuf),
    /// A task, and the environment that it belongs to.
    Task { environment: PathBuf, folder: PathBuf },
    /// A folder of environments.
    Corpus(PathBuf),
}

/// Whom to ask which modules are installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Python {
    /// Nobody.
    None,
    /// The usual one, if there is one.
    Usual(String),
    /// The one that was asked for.
    Asked(String),
}

impl Python {
    const USUAL: &'static str = "python3";

    fn new(name: String) -> Self {
        match name.as_str() {
            "none" => Self::None,
            Self::USUAL => Self::Usual(name),
            _ => Self::Asked(name),
        }
    }
}

impl Settings {
    /// What the arguments mean here.
    pub(crate) fn resolve(args: Args, ui: &Ui) -> Result<Self> {
        let workspace = args.stage.workspace()?;
        let targets: Vec<_> =
            args.paths.iter().map(|path| Target::find(path, &workspace)).collect::<Result<_>>()?;
        let run_dir = match (&args.stage.run_dir, &args.env_dir) {
            (Some(run_dir), _) => Some(run_dir.clone()),
            (None, Some(env)) => Some(workspace.run_dir(&workspace.environment(env)?.name)),
            (None, None) => None,
        };
        let source = if targets.is_empty() { Source::Records } else { Source::Targets(targets) };
        let nothing_to_read = args.stage.input.is_none() && run_dir.is_none() && io::stdin().is_terminal();
        if matches!(source, Source::Records) {
            ensure!(
                !nothing_to_read,
                "name an environment, a task or a folder of environments, or pipe task records in"
            );
            ensure!(
                args.task.is_none(),
                "--task needs an environment: stage-verify-spec ENVIRONMENT --task NAME"
            );
        }
        if let (Source::Targets(targets), Some(task)) = (&source, &args.task) {
            check_task_is_there(targets, task)?;
        }
        Ok(Self {
            source,
            task: args.task,
            format: args.format,
            python: Python::new(args.python),
            max_failures: args.max_failures,
            strict: args.strict,
            lints: lints::switched_on(&args.skip_lint, ui),
            manifests: Manifests {
                status: args.write_status_manifest,
                split: args.write_verified_split,
                missing_hooks: args.write_missing_hook_manifest,
            },
            workspace,
            run_dir,
            stage: args.stage,
        })
    }
}

/// A task that was named must be somewhere, or nothing would be checked and all be well.
fn check_task_is_there(targets: &[Target], task: &str) -> Result<()> {
    for target in targets {
        if let Target::Environment(root) = target {
            ensure!(
                !task_specs(root, Some(task)).is_empty(),
                "there is no task {task} in {}",
                root.display()
            );
        }
    }
    Ok(())
}

impl Target {
    /// Finds out what a path is. Where there is nothing, it may be the name of an environment.
    fn find(path: &Path, workspace: &Workspace) -> Result<Self> {
        if !path.exists() {
            let name = path.to_str().context("a name that is not UTF-8")?;
            return Ok(Self::Environment(workspace.environment(name)?.root));
        }
        if path.is_file() {
            let is_spec = path
                .file_name()
                .is_some_and(|name| ENV_SPECS.iter().chain(&TASK_SPECS).any(|spec| name == *spec));
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            ensure!(is_spec, "{} is neither a folder nor a spec", path.display());
            return Self::of_folder(folder);
        }
        Self::of_folder(path)
    }

    fn of_folder(folder: &Path) -> Result<Self> {
        let holds = |folder: &Path, names: &[&str]| names.iter().any(|name| folder.join(name).exists());
        if holds(folder, &ENV_SPECS) {
            return Ok(Self::Environment(folder.to_owned()));
        }
        if holds(folder, &TASK_SPECS) {
            return Self::of_task(folder);
        }
        let mut inside = fs_err::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
        if inside.any(|child| holds(&child, &ENV_SPECS)) {
            return Ok(Self::Corpus(folder.to_owned()));
        }
        if folder.join("tasks").is_dir() {
            return Ok(Self::Environment(folder.to_owned()));
        }
        bail!(
            "{} is no environment, no task and no folder of environments: it holds none of {} and {}",
            folder.display(),
            ENV_SPECS.join(", "),
            TASK_SPECS.join(", ")
        )
    }

    fn of_task(folder: &Path) -> Result<Self> {
        let by_name = folder.ancestors().take(2).all(|folder| folder.file_name().is_some());
        // `.` and what is short of ancestors have no parents by name.
        let folder = if by_name { folder.to_owned() } else { fs_err::canonicalize(folder)? };
        let environment = folder.ancestors().nth(2);
        let environment =
            environment.with_context(|| format!("{} is in no environment", folder.display()))?;
        let here = Path::new(".");
        let environment = if environment.as_os_str().is_empty() { here } else { environment };
        Ok(Self::Task { environment: environment.to_owned(), folder })
    }
}
