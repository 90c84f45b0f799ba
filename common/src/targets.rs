//! The tasks that a stage runs: those that records name, or those below given paths.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use thiserror::Error;

use crate::environment::{Environment, EnvironmentError, Workspace, task_spec};
use crate::jsonl::{Line, RawLine};
use crate::manifest::Coverage;
use crate::record::{Annotations, Failure, Kind, Record, SpecKind, Verdict};
use crate::run_dir::RunDir;
use crate::stage::{Output, StageSettings, StreamError, Tally};
use crate::text::similar;
use crate::ui::Ui;

/// Why the tasks cannot be found.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The given paths hold no task.
    #[error("no task found in the given paths; pass task folders, or folders of environments")]
    NoTask,
    /// The given paths hold no task of this name.
    #[error("there is no task {name} in the given paths{}", hint(similar.as_deref()))]
    NoSuchTask {
        /// The name that was asked for.
        name: String,
        /// The name of a task that is spelled alike.
        similar: Option<String>,
    },
    /// A path cannot be read.
    #[error(transparent)]
    Path(#[from] io::Error),
    /// The input cannot be opened.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

fn hint(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |similar| format!("; did you mean {similar}?"))
}

/// Where a stage takes its tasks from.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Task folders, environments, or folders of environments. Empty: the input's records name the tasks.
    pub paths: &'a [PathBuf],
    /// Only the task with this name.
    pub task: Option<&'a str>,
    /// The kinds of records that name tasks. All others are passed on.
    pub kinds: &'a [Kind],
    /// The name of the manifest that is read where standard input is a terminal.
    pub manifest: &'a str,
}

/// What is done for a line of the input, or for a task folder.
pub enum Item {
    /// Run the task in this folder.
    Run(Target),
    /// Pass a record on, and run its task.
    PassAndRun(Box<Record>, Target),
    /// Pass a record on.
    Pass(Box<Record>),
    /// Pass a line on as it was read.
    PassRaw(RawLine),
    /// Nothing: the record is not passed on, and names no task folder to run.
    Nothing,
}

/// The result of an item. It is written in this order.
pub struct Done {
    raw: Option<RawLine>,
    passed: Option<Box<Record>>,
    found: Option<Box<Record>>,
}

impl Item {
    /// Runs the task of the item, if it has one. The record of it gets the annotations of the record that named it.
    pub fn run(self, task: impl FnOnce(&Target) -> Option<Record>) -> Done {
        let (raw, passed, target) = match self {
            Self::Run(target) => (None, None, Some(target)),
            Self::PassAndRun(record, target) => (None, Some(record), Some(target)),
            Self::Pass(record) => (None, Some(record), None),
            Self::PassRaw(raw) => (Some(raw), None, None),
            Self::Nothing => (None, None, None),
        };
        let found = target.and_then(|target| Some(Box::new(task(&target)?.annotated(target.annotations))));
        Done { raw, passed, found }
    }
}

impl Done {
    /// Writes what is passed on and the record of the task. A failure is reported to the user; of any other record,
    /// `count` is told.
    pub fn write(&self, output: &mut Output, ui: &Ui, count: impl FnOnce(&Record)) -> io::Result<()> {
        if let Some(raw) = &self.raw {
            output.raw(raw)?;
        }
        if let Some(record) = &self.passed {
            output.record(record)?;
        }
        let Some(found) = &self.found else { return Ok(()) };
        match found.as_ref() {
            Record::Failure(failure) => {
                let task = failure.task.as_deref().unwrap_or_default();
                ui.error(format_args!("{}/{task}: {}", failure.env, failure.message));
            }
            record => count(record),
        }
        output.record(found)
    }
}

/// The record of a task that the stage with this short name could not run.
pub fn failure(stage: &str, env: String, task: Option<String>, code: &str, message: String) -> Record {
    Record::Failure(Failure {
        env,
        task,
        stage: stage.to_owned(),
        code: code.to_owned(),
        message,
        attempts: 1,
        ..Failure::default()
    })
}

/// A task folder to run.
pub struct Target {
    /// The folder.
    pub dir: PathBuf,
    /// The environment's name, where a record gives it.
    pub env: Option<String>,
    /// Why the record may not name this folder.
    pub refused: Option<EnvironmentError>,
    /// The annotations of the record.
    pub annotations: Annotations,
}

impl Target {
    /// The task in a folder that no record names.
    fn at(dir: PathBuf) -> Self {
        Self { dir, env: None, refused: None, annotations: Annotations::new() }
    }

    /// The name of the environment: the one that the record gives, else that of the folder; empty without either.
    pub fn env_name(&self) -> String {
        let folder = || self.dir.parent()?.parent()?.file_name()?.to_str().map(str::to_owned);
        self.env.clone().or_else(folder).unwrap_or_default()
    }

    /// The name of the folder, which is that of the task.
    pub fn task_name(&self) -> Option<String> {
        self.dir.file_name().map(|name| name.to_string_lossy().into_owned())
    }
}

/// Items as they arrive.
pub type Items = Box<dyn Iterator<Item = io::Result<Item>> + Send>;

/// What there is to do.
pub struct Work {
    /// The items, as they arrive.
    pub items: Items,
    /// The number of items, where it is known.
    pub total: Option<u64>,
    /// Whether a task came, if they are read from the input.
    pub tally: Option<Tally>,
    /// Whether paths name all tasks, or some.
    pub coverage: Coverage,
}

/// Finds out what there is to do.
pub fn work(
    stage: &StageSettings,
    selection: Selection,
    run_dir: Option<&RunDir>,
    workspace: &Workspace,
    ui: &Ui,
) -> Result<Work, TargetError> {
    if selection.paths.is_empty() {
        let manifest = run_dir.map(|dir| dir.manifest(selection.manifest));
        let lines = stage.input(ui, manifest.as_deref(), selection.kinds)?;
        let tally = Some(lines.tally());
        let mut sorter = Sorter { workspace: workspace.clone(), seen: HashSet::new() };
        let items = Box::new(lines.map(move |line| line.map(|line| sorter.sort(line))));
        return Ok(Work { items, total: None, tally, coverage: Coverage::Part });
    }
    let mut folders = Vec::new();
    for path in selection.paths {
        folders.extend(task_folders(path, workspace)?);
    }
    if let Some(name) = selection.task {
        folders = only_task(folders, name)?;
    }
    if folders.is_empty() {
        return Err(TargetError::NoTask);
    }
    let is_part = selection.task.is_some() || selection.paths.iter().any(|path| task_spec(path).is_some());
    let total = u64::try_from(folders.len()).ok();
    let folders = folders.into_iter();
    let items = Box::new(folders.map(|dir| Ok(Item::Run(Target::at(dir)))));
    Ok(Work { items, total, tally: None, coverage: Coverage::part_if(is_part) })
}

/// The folders of the tasks with this name.
fn only_task(folders: Vec<PathBuf>, name: &str) -> Result<Vec<PathBuf>, TargetError> {
    let (wanted, others): (Vec<_>, Vec<_>) =
        folders.into_iter().partition(|folder| folder.file_name().is_some_and(|folder| folder == name));
    if wanted.is_empty() {
        let others = others.iter().filter_map(|folder| folder.file_name());
        let similar = similar(name, others.map(|other| other.to_string_lossy().into_owned()));
        return Err(TargetError::NoSuchTask { name: name.to_owned(), similar });
    }
    Ok(wanted)
}

/// The task folders of a path: itself, an environment's, or those of all environments in it.
fn task_folders(path: &Path, workspace: &Workspace) -> io::Result<Vec<PathBuf>> {
    if task_spec(path).is_some() {
        return Ok(vec![path.to_owned()]);
    }
    if let Ok(environment) = workspace.environment(&path.to_string_lossy()) {
        return folders_of(&environment);
    }
    let mut inside: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path)? {
        inside.push(entry?.path());
    }
    inside.sort_unstable();
    let mut folders = Vec::new();
    for environment in inside.iter().filter_map(|dir| Environment::open(dir).ok()) {
        folders.extend(folders_of(&environment)?);
    }
    Ok(folders)
}

fn folders_of(environment: &Environment) -> io::Result<Vec<PathBuf>> {
    let names = environment.task_names()?;
    Ok(names.iter().map(|name| environment.task_dir(name)).collect())
}

/// Decides what to do for a line. A task that several records name is run once.
struct Sorter {
    workspace: Workspace,
    seen: HashSet<PathBuf>,
}

impl Sorter {
    fn sort(&mut self, line: Line) -> Item {
        let record = match line {
            Line::Record(record) => record,
            Line::Other(raw) => return Item::PassRaw(raw),
        };
        match &record {
            Record::Task(task) => {
                let target = self.target(&task.dir, &task.env, &task.annotations);
                if task.status.is_live() && self.is_new(&target) { Item::Run(target) } else { Item::Nothing }
            }
            Record::Seed(seed) => {
                let target = self.target(&seed.dir, &seed.env, &seed.annotations);
                if self.is_new(&target) { Item::Run(target) } else { Item::Nothing }
            }
            // A task with a bad spec must be repaired first. Its verdict says so.
            Record::Verdict(verdict) if verdict.kind == SpecKind::Task && verdict.ok => {
                let target = self.target(task_dir(verdict), &verdict.env, &verdict.annotations);
                if self.is_new(&target) {
                    Item::PassAndRun(Box::new(record), target)
                } else {
                    Item::Pass(Box::new(record))
                }
            }
            // Also after a bad probe: what happens in the real software helps to repair the task.
            Record::Probe(probe) => {
                let target = self.target(&probe.dir, &probe.env, &probe.annotations);
                if !probe.dir.is_empty() && self.is_new(&target) {
                    Item::PassAndRun(Box::new(record), target)
                } else {
                    Item::Pass(Box::new(record))
                }
            }
            _ => Item::Pass(Box::new(record)),
        }
    }

    fn target(&self, dir: &str, env: &str, annotations: &Annotations) -> Target {
        // The name becomes the name of a folder in the sandbox.
        let is_name = Path::new(env).file_name().is_some_and(|name| name == env);
        let env = is_name.then(|| env.to_owned());
        let annotations = annotations.clone();
        match self.workspace.resolve(dir) {
            Ok(dir) => Target { dir, env, refused: None, annotations },
            Err(error) => Target { dir: PathBuf::from(dir), env, refused: Some(error), annotations },
        }
    }

    fn is_new(&mut self, target: &Target) -> bool {
        self.seen.insert(target.dir.clone())
    }
}

/// The task folder of a verdict. Verdicts of older versions only have the path of the spec.
fn task_dir(verdict: &Verdict) -> &str {
    if !verdict.dir.is_empty() {
        return &verdict.dir;
    }
    verdict.path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
