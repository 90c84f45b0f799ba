//! The tasks to probe: those that records name, or those below given paths.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use common::environment::{Environment, Workspace, task_spec};
use common::jsonl::{Line, RawLine};
use common::record::{Kind, Record, SpecKind, TaskStatus};
use common::run_dir::RunDir;
use common::ui::Ui;
use fs_err as fs;

use crate::settings::Settings;

/// What is done for a line of the input, or for a task folder.
pub(crate) enum Item {
    /// Probe the task in this folder.
    Probe(PathBuf),
    /// Pass a record on, and probe its task.
    PassAndProbe(Box<Record>, PathBuf),
    /// Pass a record on.
    Pass(Box<Record>),
    /// Pass a line on as it was read.
    PassRaw(RawLine),
    /// Nothing: the record is not passed on, and there is no task folder to probe.
    Nothing,
}

/// Items as they arrive.
type Items = Box<dyn Iterator<Item = io::Result<Item>> + Send>;

/// The items, and their number where it is known.
pub(crate) fn items(
    settings: &Settings,
    run_dir: Option<&RunDir>,
    workspace: &Workspace,
    ui: &Ui,
) -> Result<(Items, Option<u64>)> {
    if settings.paths.is_empty() {
        let verdicts = run_dir.map(|dir| dir.manifest("verdicts"));
        let lines = settings.stage.input(ui, verdicts.as_deref(), &[Kind::Task, Kind::Verdict])?;
        let mut sorter = Sorter { workspace: workspace.clone(), seen: HashSet::new() };
        return Ok((Box::new(lines.map(move |line| line.map(|line| sorter.sort(line)))), None));
    }
    let mut folders = Vec::new();
    for path in &settings.paths {
        folders.extend(task_folders(path, workspace)?);
    }
    if let Some(name) = &settings.task {
        folders.retain(|folder| folder.file_name().is_some_and(|folder| folder == name.as_str()));
    }
    if folders.is_empty() {
        bail!("no task found in the given paths; pass task folders, or folders of environments");
    }
    let total = u64::try_from(folders.len()).ok();
    Ok((Box::new(folders.into_iter().map(|folder| Ok(Item::Probe(folder)))), total))
}

/// The task folders of a path: itself, an environment's, or those of all environments in it.
fn task_folders(path: &Path, workspace: &Workspace) -> Result<Vec<PathBuf>> {
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

fn folders_of(environment: &Environment) -> Result<Vec<PathBuf>> {
    let names = environment.task_names()?;
    Ok(names.iter().map(|name| environment.task_dir(name)).collect())
}

/// Decides what to do for a line. A task that several records name is probed once.
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
                let on_disk =
                    matches!(task.status, TaskStatus::Written | TaskStatus::Replaced | TaskStatus::Kept);
                let folder = self.workspace.resolve(&task.dir);
                if on_disk && self.seen.insert(folder.clone()) { Item::Probe(folder) } else { Item::Nothing }
            }
            // A task with a bad spec must be repaired first. Its verdict says so.
            Record::Verdict(verdict) if verdict.kind == SpecKind::Task && verdict.ok => {
                let spec = self.workspace.resolve(&verdict.path);
                let folder = if spec.is_dir() { spec } else { spec.with_file_name("") };
                if self.seen.insert(folder.clone()) {
                    Item::PassAndProbe(Box::new(record), folder)
                } else {
                    Item::Pass(Box::new(record))
                }
            }
            _ => Item::Pass(Box::new(record)),
        }
    }
}
