//! The specs of an environment and of its tasks, found as gym-anything finds them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::environment::{ENV_SPECS, TASK_SPECS};

use super::listing::Listing;
use super::paths::{may_exist, pure};

/// A task's spec that is to be checked, and its folder.
#[derive(Clone, Debug)]
pub struct SpecFile {
    /// The spec.
    pub path: PathBuf,
    /// The task's folder.
    pub folder: Arc<Listing>,
}

impl SpecFile {
    /// The spec at this path.
    pub fn at(path: PathBuf) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { path, folder: Arc::new(Listing::of(folder)) }
    }

    /// The specs in a task's folder.
    pub fn all_in(folder: PathBuf) -> Vec<Self> {
        specs_in(&[Arc::new(Listing::of(folder))])
    }
}

/// The spec of the environment in a folder: the first that exists, or may exist.
pub fn environment_spec(root: &Path) -> Option<PathBuf> {
    ENV_SPECS.iter().map(|name| root.join(name)).find(|path| may_exist(path))
}

/// Specs of an environment's tasks in the original's order: each `task.yaml` by the name of its folder, then
/// each `task.yml`, then each `task.json`. If a task is named, only its specs.
pub fn task_specs(root: &Path, task: Option<&str>) -> Vec<SpecFile> {
    let tasks = root.join("tasks");
    let folders = match task {
        Some(task) => vec![tasks.join(pure(task))],
        None => task_folders(&tasks),
    };
    let folders: Vec<_> = folders.into_iter().map(|folder| Arc::new(Listing::of(folder))).collect();
    specs_in(&folders)
}

fn specs_in(folders: &[Arc<Listing>]) -> Vec<SpecFile> {
    let named = |name| folders.iter().filter_map(move |folder| spec_named(name, folder));
    TASK_SPECS.into_iter().flat_map(named).collect()
}

fn spec_named(name: &str, folder: &Arc<Listing>) -> Option<SpecFile> {
    let path = folder.folder().join(name);
    // A folder without permission to look into gets one verdict, not one for each name.
    let is_there = if name == "task.json" { folder.may_exist(&path) } else { folder.exists(&path) };
    is_there.then(|| SpecFile { path, folder: folder.clone() })
}

/// The folders below `tasks/`, sorted; none if it cannot be listed.
fn task_folders(tasks: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(tasks).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<_> = entries.filter(is_folder).map(|entry| entry.path()).collect();
    folders.sort_unstable();
    folders
}

/// Whether this is a folder, or a link to one.
fn is_folder(entry: &fs_err::DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        kind => kind.is_ok_and(|kind| kind.is_dir()),
    }
}
