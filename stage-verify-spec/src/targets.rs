//! What a path on the command line names: an environment, a task, or a folder of environments.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use common::environment::{ENV_SPECS, TASK_SPECS, Workspace};
use common::text::{similar, with_hint};
use task_spec::verify::task_specs;

/// Something to check that was named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// An environment, with or without a spec.
    Environment(PathBuf),
    /// A task, and the environment that it belongs to.
    Task { environment: PathBuf, folder: PathBuf },
    /// A folder of environments.
    Corpus(PathBuf),
}

impl Target {
    /// Determines what a path names. A path that does not exist may be the name of an environment.
    pub(crate) fn find(path: &Path, workspace: &Workspace) -> Result<Self> {
        if !path.exists() {
            let name = path.to_str().context("the name is not valid UTF-8")?;
            return Ok(Self::Environment(workspace.environment(name)?.root));
        }
        if !path.is_file() {
            return Self::of_folder(path);
        }
        ensure!(is_spec(path), "{} is neither a folder nor a spec", path.display());
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self::of_folder(parent.unwrap_or(Path::new(".")))
    }

    fn of_folder(folder: &Path) -> Result<Self> {
        if contains_any(folder, &ENV_SPECS) {
            return Ok(Self::Environment(folder.to_owned()));
        }
        if contains_any(folder, &TASK_SPECS) {
            return Self::of_task(folder);
        }
        let mut children = fs_err::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
        if children.any(|child| contains_any(&child, &ENV_SPECS)) {
            return Ok(Self::Corpus(folder.to_owned()));
        }
        if folder.join("tasks").is_dir() {
            return Ok(Self::Environment(folder.to_owned()));
        }
        bail!(
            "{} is not an environment, a task or a folder of environments: it contains none of {} and {}",
            folder.display(),
            ENV_SPECS.join(", "),
            TASK_SPECS.join(", ")
        )
    }

    fn of_task(folder: &Path) -> Result<Self> {
        // A path such as `.` does not spell out its parents.
        let has_parents = folder.ancestors().take(2).all(|folder| folder.file_name().is_some());
        let folder = if has_parents { folder.to_owned() } else { fs_err::canonicalize(folder)? };
        let environment = folder
            .ancestors()
            .nth(2)
            .with_context(|| format!("{} is not in an environment", folder.display()))?;
        let here = Path::new(".");
        let environment = if environment.as_os_str().is_empty() { here } else { environment };
        Ok(Self::Task { environment: environment.to_owned(), folder })
    }
}

/// Refuses a task that none of the environments has: nothing would be checked, and the run would look good.
pub(crate) fn ensure_task_exists(targets: &[Target], task: &str) -> Result<()> {
    for target in targets {
        if let Target::Environment(root) = target {
            ensure!(
                !task_specs(root, Some(task)).is_empty(),
                "{}",
                with_hint(
                    format_args!("there is no task {task} in {}", root.display()),
                    similar(task, task_names(root)).map(|name| format!("did you mean {name}?")).as_deref()
                )
            );
        }
    }
    Ok(())
}

fn task_names(environment: &Path) -> Vec<String> {
    let specs = task_specs(environment, None);
    let names = specs.iter().filter_map(|spec| spec.folder.folder().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

fn contains_any(folder: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| folder.join(name).exists())
}

fn is_spec(path: &Path) -> bool {
    path.file_name().is_some_and(|name| ENV_SPECS.iter().chain(&TASK_SPECS).any(|spec| name == *spec))
}
