//! What there is to check, in the order in which it is reported.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use common::environment::Workspace;
use common::jsonl::{Line, RawLine};
use common::record::{Record, Task, TaskStatus};
use common::stage::Input;
use task_spec::verify::{CheckedEnvironment, SpecFile, check_environment, environment_spec, task_specs};

use crate::args::Target;

/// Jobs that are done one after the other by the same thread. Handing them over one by one would take a tenth
/// of the time; records that come in are not kept waiting for others.
pub(crate) type Batch = Vec<Job>;

/// How many jobs of what was named make a batch.
const BATCH: usize = 16;

/// One thing to do.
pub(crate) enum Job {
    /// Pass a line on.
    Pass(RawLine),
    /// Pass a record on that names nothing to check.
    PassTask(Box<Task>),
    /// Check an environment.
    Environment(Arc<Environment>),
    /// Check a task by its spec.
    Task { environment: Arc<Environment>, spec: SpecFile },
    /// Say that a task folder has no spec.
    NoSpec { environment: Arc<Environment>, folder: PathBuf },
}

/// An environment, checked when it is first needed.
pub(crate) struct Environment {
    root: PathBuf,
    checked: OnceLock<CheckedEnvironment>,
}

impl Environment {
    fn new(root: PathBuf) -> Arc<Self> {
        Arc::new(Self { root, checked: OnceLock::new() })
    }

    pub(crate) fn checked(&self) -> &CheckedEnvironment {
        self.checked.get_or_init(|| check_environment(&self.root))
    }

    /// The name of its folder.
    pub(crate) fn name(&self) -> String {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let absolute = || fs_err::canonicalize(&self.root).ok().and_then(|path| name(&path));
        name(&self.root).or_else(absolute).unwrap_or_default()
    }
}

/// What was named: each environment, then its tasks.
pub(crate) fn of_targets(
    targets: Vec<Target>,
    task: Option<String>,
) -> impl Iterator<Item = io::Result<Batch>> + Send {
    let mut jobs = targets.into_iter().flat_map(environments).flat_map(move |found| match found {
        Ok((root, None)) => jobs_of_environment(root, task.as_deref()),
        Ok((root, Some(folder))) => {
            let environment = Environment::new(root);
            let tasks = jobs_of_task(&environment, folder);
            std::iter::once(Job::Environment(environment)).chain(tasks).map(Ok).collect()
        }
        Err(error) => vec![Err(error)],
    });
    std::iter::from_fn(move || {
        let batch: io::Result<Batch> = jobs.by_ref().take(BATCH).collect();
        batch.map_or_else(|error| Some(Err(error)), |batch| (!batch.is_empty()).then_some(Ok(batch)))
    })
}

/// Folders of environments, with the task folder where one task is meant.
fn environments(target: Target) -> Vec<io::Result<(PathBuf, Option<PathBuf>)>> {
    match target {
        Target::Environment(root) => vec![Ok((root, None))],
        Target::Task { environment, folder } => vec![Ok((environment, Some(folder)))],
        Target::Corpus(root) => match children(&root) {
            Ok(children) => children.into_iter().map(|root| Ok((root, None))).collect(),
            Err(error) => vec![Err(error)],
        },
    }
}

/// Environments in a folder, sorted.
fn children(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut children = Vec::new();
    for entry in fs_err::read_dir(root)? {
        let path = entry?.path();
        if environment_spec(&path).is_some() {
            children.push(path);
        }
    }
    children.sort_unstable();
    Ok(children)
}

fn jobs_of_environment(root: PathBuf, task: Option<&str>) -> Vec<io::Result<Job>> {
    // The original does not look at the tasks of an environment without a spec.
    let specs = if environment_spec(&root).is_some() { task_specs(&root, task) } else { Vec::new() };
    let environment = Environment::new(root);
    let tasks = specs.into_iter().map(|spec| Job::Task { environment: environment.clone(), spec });
    std::iter::once(Job::Environment(environment.clone())).chain(tasks).map(Ok).collect()
}

/// What there is to do for a task folder that was named. It is not passed over where it has no spec.
fn jobs_of_task(environment: &Arc<Environment>, folder: PathBuf) -> Batch {
    let specs = SpecFile::all_in(folder.clone());
    if specs.is_empty() {
        return vec![Job::NoSpec { environment: environment.clone(), folder }];
    }
    specs.into_iter().map(|spec| Job::Task { environment: environment.clone(), spec }).collect()
}

/// What lines of a manifest ask for. An environment is checked before its first task.
pub(crate) fn of_lines(input: Input, workspace: Workspace) -> impl Iterator<Item = io::Result<Batch>> + Send {
    let mut environments = HashMap::new();
    input.map(move |line| {
        Ok(match line? {
            Line::Record(Record::Task(task)) => jobs_of_record(task, &workspace, &mut environments),
            Line::Record(_) => Vec::new(),
            Line::Other(line) => vec![Job::Pass(line)],
        })
    })
}

fn jobs_of_record(
    task: Task,
    workspace: &Workspace,
    environments: &mut HashMap<PathBuf, Arc<Environment>>,
) -> Batch {
    let written = matches!(task.status, TaskStatus::Written | TaskStatus::Replaced | TaskStatus::Kept);
    let folder = workspace.resolve(&task.dir);
    let root = folder.parent().and_then(Path::parent);
    let Some(root) = root.filter(|_| written) else { return vec![Job::PassTask(Box::new(task))] };
    let mut jobs = Vec::new();
    let environment = environments.entry(root.to_owned()).or_insert_with(|| {
        let environment = Environment::new(root.to_owned());
        jobs.push(Job::Environment(environment.clone()));
        environment
    });
    jobs.extend(jobs_of_task(environment, folder));
    jobs
}
