//! The items to check, in the order in which they are reported.

use std::collections::HashMap;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use common::environment::Workspace;
use common::jsonl::{Line, RawLine};
use common::record::{Annotations, Record, Task};
use common::stage::Input;
use common::text::with_hint;
use common::ui::Ui;
use task_spec::verify::{CheckedEnvironment, SpecFile, check_environment, environment_spec, task_specs};

use crate::targets::Target;

/// Items that one thread checks one after the other. Handing items over one by one would cost a tenth of the run
/// time. Records on the input are handed over one by one all the same, so that none waits for the next.
pub(crate) type Batch = Vec<WorkItem>;

/// Items per batch, where they come from paths.
const BATCH: usize = 16;

/// One item to check or to pass on.
pub(crate) enum WorkItem {
    /// A line that is not a `task` record: passed on as it is.
    PassLine(RawLine),
    /// A `task` record without a task folder: passed on.
    PassTask(Box<Task>),
    /// An environment to check.
    Environment(Arc<LazyEnvironment>),
    /// A task spec to check.
    Task { environment: Arc<LazyEnvironment>, spec: SpecFile, annotations: Annotations },
    /// A task folder without a spec.
    MissingSpec { environment: Arc<LazyEnvironment>, folder: PathBuf, annotations: Annotations },
}

/// An environment that is checked when it is first needed.
pub(crate) struct LazyEnvironment {
    root: PathBuf,
    checked: OnceLock<CheckedEnvironment>,
}

impl LazyEnvironment {
    fn new(root: PathBuf) -> Arc<Self> {
        Arc::new(Self { root, checked: OnceLock::new() })
    }

    /// Its folder, as it was named.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn checked(&self) -> &CheckedEnvironment {
        self.checked.get_or_init(|| check_environment(&self.root))
    }

    /// The name of its folder.
    pub(crate) fn name(&self) -> String {
        environment_name(&self.root)
    }
}

/// The name of an environment's folder.
pub(crate) fn environment_name(root: &Path) -> String {
    if let Some(name) = folder_name(root) {
        return name;
    }
    // A path such as `.` has no name of its own.
    fs_err::canonicalize(root).ok().and_then(|root| folder_name(&root)).unwrap_or_default()
}

fn folder_name(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// The items of targets: each environment, then its tasks; only the tasks named `task`, if it is given.
pub(crate) fn of_targets(
    targets: Vec<Target>,
    task: Option<String>,
) -> impl Iterator<Item = io::Result<Batch>> + Send {
    let mut items = targets
        .into_iter()
        .flat_map(environments)
        .flat_map(move |selection| items_of_selection(selection, task.as_deref()));
    iter::from_fn(move || next_batch(&mut items))
}

fn next_batch(items: &mut impl Iterator<Item = io::Result<WorkItem>>) -> Option<io::Result<Batch>> {
    match items.take(BATCH).collect::<io::Result<Batch>>() {
        Ok(batch) if batch.is_empty() => None,
        batch => Some(batch),
    }
}

/// An environment, and the only task folder to check, if one was named.
struct Selection {
    environment: PathBuf,
    only: Option<PathBuf>,
}

fn environments(target: Target) -> Vec<io::Result<Selection>> {
    match target {
        Target::Environment(environment) => vec![Ok(Selection { environment, only: None })],
        Target::Task { environment, folder } => vec![Ok(Selection { environment, only: Some(folder) })],
        Target::Corpus(root) => match environments_in(&root) {
            Ok(found) => {
                found.into_iter().map(|environment| Ok(Selection { environment, only: None })).collect()
            }
            Err(error) => vec![Err(error)],
        },
    }
}

/// The environments in a folder, sorted.
fn environments_in(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(root)? {
        let path = entry?.path();
        if environment_spec(&path).is_some() {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn items_of_selection(selection: io::Result<Selection>, task: Option<&str>) -> Vec<io::Result<WorkItem>> {
    let Selection { environment: root, only } = match selection {
        Ok(selection) => selection,
        Err(error) => return vec![Err(error)],
    };
    // gym-anything does not look at the tasks of an environment without a spec.
    let specs = if only.is_none() && environment_spec(&root).is_some() {
        task_specs(&root, task)
    } else {
        Vec::new()
    };
    let environment = LazyEnvironment::new(root);
    let tasks = match only {
        Some(folder) => items_of_task(&environment, folder, &Annotations::new()),
        None => items_of_specs(&environment, specs, &Annotations::new()),
    };
    iter::once(WorkItem::Environment(environment)).chain(tasks).map(Ok).collect()
}

/// The items of a task folder that was named. A folder without a spec is reported.
fn items_of_task(environment: &Arc<LazyEnvironment>, folder: PathBuf, annotations: &Annotations) -> Batch {
    let specs = SpecFile::all_in(folder.clone());
    if specs.is_empty() {
        let (environment, annotations) = (Arc::clone(environment), annotations.clone());
        return vec![WorkItem::MissingSpec { environment, folder, annotations }];
    }
    items_of_specs(environment, specs, annotations)
}

fn items_of_specs(
    environment: &Arc<LazyEnvironment>,
    specs: Vec<SpecFile>,
    annotations: &Annotations,
) -> Batch {
    let item = |spec| {
        let (environment, annotations) = (Arc::clone(environment), annotations.clone());
        WorkItem::Task { environment, spec, annotations }
    };
    specs.into_iter().map(item).collect()
}

/// The items of the lines of a manifest. An environment is checked before its first task.
pub(crate) fn of_lines(
    input: Input,
    workspace: Workspace,
    ui: Ui,
) -> impl Iterator<Item = io::Result<Batch>> + Send {
    let mut environments = HashMap::new();
    input.map(move |line| {
        Ok(match line? {
            Line::Record(Record::Task(task)) => items_of_record(task, &workspace, &mut environments, &ui),
            Line::Record(_) => Vec::new(),
            Line::Other(line) => vec![WorkItem::PassLine(line)],
        })
    })
}

fn items_of_record(
    task: Task,
    workspace: &Workspace,
    environments: &mut HashMap<PathBuf, Arc<LazyEnvironment>>,
    ui: &Ui,
) -> Batch {
    if !task.status.is_live() {
        return vec![WorkItem::PassTask(Box::new(task))];
    }
    let folder = match workspace.resolve(&task.dir) {
        Ok(folder) => folder,
        Err(error) => {
            ui.error(with_hint(&error, error.hint().as_deref()));
            return vec![WorkItem::PassTask(Box::new(task))];
        }
    };
    let root = folder.parent().and_then(Path::parent);
    let Some(root) = root else { return vec![WorkItem::PassTask(Box::new(task))] };
    let mut items = Vec::new();
    let environment = environments.entry(root.to_owned()).or_insert_with(|| {
        let environment = LazyEnvironment::new(root.to_owned());
        items.push(WorkItem::Environment(Arc::clone(&environment)));
        environment
    });
    items.extend(items_of_task(environment, folder, &task.annotations));
    items
}
