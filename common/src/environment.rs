//! The workspace, its environments and the names of tasks.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{self, Component, Path, PathBuf};

use fs_err as fs;
use thiserror::Error;

use crate::text::similar;

/// Where gym-anything's benchmark keeps its environments, below the workspace.
const ENVIRONMENTS: &str = "benchmarks/cua_world/environments";

/// File names of an environment's spec, the preferred one first. gym-anything, `verification/specs.py`.
pub const ENV_SPECS: [&str; 3] = ["env.yaml", "env.yml", "env.json"];

/// File names of a task's spec, the preferred one first.
pub const TASK_SPECS: [&str; 3] = ["task.yaml", "task.yml", "task.json"];

/// Why a workspace or an environment cannot be used.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// The requested workspace is not a folder.
    #[error("workspace {} is not a directory", .0.display())]
    NoWorkspace(PathBuf),
    /// The working directory cannot be found.
    #[error("cannot find the working directory")]
    WorkingDir(#[source] io::Error),
    /// The folder does not exist.
    #[error("no environment {name}: looked for the folders {}", list(looked_for))]
    NotFound {
        /// The name or path that was asked for.
        name: String,
        /// The folders that it may mean.
        looked_for: Vec<PathBuf>,
        /// The name of an environment that is spelled alike.
        similar: Option<String>,
    },
    /// A record gives something else than the name of a folder.
    #[error("a record names the environment {0:?}, which is not the name of a folder")]
    NotAName(String),
    /// A record gives a folder that it may not name.
    #[error("a record names the folder {0:?}, which is neither in the workspace nor in the environment")]
    Outside(String),
    /// The folder holds no spec of an environment.
    #[error("{} is not an environment: it has none of {}", .0.display(), ENV_SPECS.join(", "))]
    NoSpec(PathBuf),
    /// The absolute path of the folder cannot be found.
    #[error("cannot find the environment {}", root.display())]
    Unreachable {
        /// The folder.
        root: PathBuf,
        /// Why it cannot be found.
        source: io::Error,
    },
    /// Records need a name in UTF-8.
    #[error("the folder {} has no name in UTF-8", .0.display())]
    NoName(PathBuf),
}

impl EnvironmentError {
    /// What to do next, where the message does not say it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { similar: Some(similar), .. } => Some(format!("did you mean {similar}?")),
            Self::NotFound { similar: None, .. } => {
                Some(format!("give --env-dir a path, or --workspace the folder that holds {ENVIRONMENTS}"))
            }
            Self::Outside(_) => Some("name its environment with --env-dir".to_owned()),
            Self::NoWorkspace(_)
            | Self::WorkingDir(_)
            | Self::NotAName(_)
            | Self::NoSpec(_)
            | Self::Unreachable { .. }
            | Self::NoName(_) => None,
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

/// The folder in which environments are looked up. Paths in records are relative to it.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    /// Folders outside the workspace that records may name, too.
    admitted: Vec<PathBuf>,
}

impl Workspace {
    /// The requested workspace, else the nearest ancestor of the working directory that holds
    /// `benchmarks/cua_world`, else the working directory.
    pub fn find(requested: Option<&Path>) -> Result<Self, EnvironmentError> {
        if let Some(requested) = requested {
            if !requested.is_dir() {
                return Err(EnvironmentError::NoWorkspace(requested.to_owned()));
            }
            return Ok(Self::at(path::absolute(requested).map_err(EnvironmentError::WorkingDir)?));
        }
        let here = std::env::current_dir().map_err(EnvironmentError::WorkingDir)?;
        let root = here.ancestors().find(|dir| dir.join("benchmarks/cua_world").is_dir()).unwrap_or(&here);
        Ok(Self::at(root.to_owned()))
    }

    fn at(root: PathBuf) -> Self {
        Self { root, admitted: Vec::new() }
    }

    /// Lets records name folders in an environment that the command line names, wherever it is.
    pub fn admit(&mut self, environment: &Environment) {
        self.admitted.push(environment.root.clone());
    }

    /// The workspace's absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The environment that `env_dir` means: a path, a name in gym-anything's benchmark, or a name below
    /// the workspace.
    pub fn environment(&self, env_dir: &str) -> Result<Environment, EnvironmentError> {
        let [in_benchmark, in_workspace] = self.named(env_dir);
        self.first_of(env_dir, vec![PathBuf::from(env_dir), in_benchmark, in_workspace])
    }

    /// The environment that a record names: the name of a folder in gym-anything's benchmark, or of one in the
    /// workspace. Only a command line may give a path.
    pub fn environment_of_record(&self, env: &str) -> Result<Environment, EnvironmentError> {
        if !is_folder_name(env) {
            return Err(EnvironmentError::NotAName(env.to_owned()));
        }
        self.first_of(env, self.named(env).into())
    }

    fn named(&self, env: &str) -> [PathBuf; 2] {
        [self.root.join(ENVIRONMENTS).join(env), self.root.join(env)]
    }

    fn first_of(&self, env_dir: &str, candidates: Vec<PathBuf>) -> Result<Environment, EnvironmentError> {
        let mut without_spec = None;
        for candidate in candidates.iter().filter(|candidate| candidate.is_dir()) {
            match Environment::open(candidate) {
                Ok(environment) => return Ok(environment),
                Err(error) => without_spec = without_spec.or(Some(error)),
            }
        }
        let not_found = EnvironmentError::NotFound {
            name: env_dir.to_owned(),
            looked_for: candidates,
            similar: similar(env_dir, self.environment_names()),
        };
        Err(without_spec.unwrap_or(not_found))
    }

    /// The names of the environments that can be given by name.
    fn environment_names(&self) -> Vec<String> {
        let folders = [self.root.join(ENVIRONMENTS), self.root.clone()];
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let roots = entries.filter_map(Result::ok).map(|entry| entry.path());
        roots.filter_map(|root| Environment::open(&root).ok()).map(|environment| environment.name).collect()
    }

    /// `path` as records name it: relative to the workspace if it is below it, absolute otherwise. The same
    /// work in another workspace gives the same records.
    pub fn relative(&self, path: &Path) -> String {
        let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
        absolute.strip_prefix(&self.root).unwrap_or(&absolute).to_string_lossy().into_owned()
    }

    /// The folder that a record names by its path relative to the workspace, or by an absolute path in an
    /// environment that was [admitted](Self::admit). A record must not make a stage read other folders.
    pub fn resolve(&self, dir: &str) -> Result<PathBuf, EnvironmentError> {
        let path = self.root.join(dir);
        let mut roots = self.admitted.iter().chain([&self.root]);
        let is_below = |root: &PathBuf| path.strip_prefix(root).is_ok_and(names_only);
        if roots.any(is_below) { Ok(path) } else { Err(EnvironmentError::Outside(dir.to_owned())) }
    }

    /// The default run directory of an environment.
    pub fn run_dir(&self, env: &str) -> PathBuf {
        self.root.join("task_generation_runs").join(env)
    }
}

/// Whether a relative path goes down only.
fn names_only(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Whether `name` is one part of a path and not hidden. Generated tasks have a [`TaskName`]; environments and
/// other tasks may have any name.
pub fn is_folder_name(name: &str) -> bool {
    !name.starts_with('.')
        && !name.contains(['\0', '\\'])
        && Path::new(name).file_name() == Some(name.as_ref())
}

/// A gym-anything environment: a folder with a spec, and with tasks below `tasks/`.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The name of its folder, as in records.
    pub name: String,
    /// Its folder, as an absolute path.
    pub root: PathBuf,
    /// Its spec: the first of [`ENV_SPECS`] that exists.
    pub spec: PathBuf,
}

impl Environment {
    /// The environment in the folder `root`.
    pub fn open(root: &Path) -> Result<Self, EnvironmentError> {
        let Some(spec) = ENV_SPECS.iter().find(|spec| root.join(spec).exists()) else {
            return Err(EnvironmentError::NoSpec(root.to_owned()));
        };
        let absolute = match root.file_name() {
            Some(_) => path::absolute(root),
            // `.` and `..` are not the names of folders.
            None => fs::canonicalize(root),
        };
        let absolute =
            absolute.map_err(|source| EnvironmentError::Unreachable { root: root.to_owned(), source })?;
        let Some(name) = absolute.file_name().and_then(OsStr::to_str) else {
            return Err(EnvironmentError::NoName(absolute));
        };
        Ok(Self { name: name.to_owned(), spec: absolute.join(spec), root: absolute })
    }

    /// The folder that holds the tasks. It may not exist yet.
    pub fn tasks_dir(&self) -> PathBuf {
        self.root.join("tasks")
    }

    /// The folder of a task.
    pub fn task_dir(&self, task: &str) -> PathBuf {
        self.tasks_dir().join(task)
    }

    /// Names of all tasks that have a spec, sorted. Folders whose name starts with a dot are skipped.
    pub fn task_names(&self) -> io::Result<Vec<String>> {
        let tasks = self.tasks_dir();
        if !tasks.exists() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&tasks)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if !name.starts_with('.') && task_spec(&tasks.join(&name)).is_some() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// The spec of the task in the folder `dir`: the first of [`TASK_SPECS`] that exists.
pub fn task_spec(dir: &Path) -> Option<PathBuf> {
    TASK_SPECS.iter().map(|name| dir.join(name)).find(|spec| spec.is_file())
}

/// Whether Windows reserves a name for a device, in any case and with any extension.
///
/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
pub fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let number = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let is_numbered = number.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit());
    is_numbered || ["con", "prn", "aux", "nul"].contains(&stem.as_str())
}

/// The bare name of a task: 1 to 80 of `a`-`z`, `0`-`9` and `_`, and no device name of Windows. Such a name is safe
/// as a folder's name, in a shell and in a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName(String);

impl TaskName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 80;

    /// What a name consists of, for messages.
    pub const FORM: &str = "1 to 80 of a-z, 0-9 and _, and no device name of Windows such as con";

    /// `name`, if it has the form of a task name.
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&name.len())
            && !is_device_name(name)
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        fits.then(|| Self(name.to_owned()))
    }

    /// The task name closest to a text such as a title, or an id such as `Create-Course@1`. None if the text has
    /// no ASCII letter or digit.
    pub fn from_text(text: &str) -> Option<Self> {
        let bare = text.split('@').next().unwrap_or_default();
        let mut name = String::new();
        for c in bare.chars() {
            if c.is_ascii_alphanumeric() {
                name.push(c.to_ascii_lowercase());
            } else if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
        }
        name.truncate(Self::MAX_LEN);
        Self::new(name.trim_end_matches('_'))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_a_record_names_an_environment_and_gives_no_path() {
        let (dir, env) = environment();
        let workspace = Workspace::at(dir.path().to_owned());
        assert_eq!(workspace.environment_of_record("demo_env").unwrap().root, env.root);
        let path = env.root.to_string_lossy();
        for outside in [&*path, "../demo_env", "./demo_env", "a/../demo_env", "..", "."] {
            let refused = workspace.environment_of_record(outside).unwrap_err();
            assert!(matches!(refused, EnvironmentError::NotAName(_)), "{outside}: {refused}");
        }
    }

    fn environment() -> (tempfile::TempDir, Environment) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("demo_env");
        fs::create_dir_all(root.join("tasks")).unwrap();
        fs::write(root.join("env.json"), "{}").unwrap();
        let environment = Environment::open(&root).unwrap();
        (dir, environment)
    }

    #[test]
    fn the_spec_in_yaml_is_preferred() {
        let (_dir, env) = environment();
        fs::write(env.root.join("env.yml"), "id: x").unwrap();
        assert_eq!(Environment::open(&env.root).unwrap().spec, env.root.join("env.yml"));
    }

    #[test]
    fn c1_records_name_paths_below_the_workspace() {
        let mut workspace = Workspace::at("/w".into());
        assert_eq!(workspace.relative(Path::new("/w/e/tasks/a")), "e/tasks/a");
        assert_eq!(workspace.relative(Path::new("/elsewhere/a")), "/elsewhere/a");
        assert_eq!(workspace.resolve("e/tasks/a").unwrap(), Path::new("/w/e/tasks/a"));
        assert_eq!(workspace.resolve("/w/e/tasks/a").unwrap(), Path::new("/w/e/tasks/a"));
        let outside = ["/elsewhere/e/tasks/a", "../elsewhere/e/tasks/a", "e/../../a", "/w/../a", "/"];
        for dir in outside {
            assert!(matches!(workspace.resolve(dir), Err(EnvironmentError::Outside(_))), "{dir}");
        }
        let root = PathBuf::from("/elsewhere/e");
        workspace.admit(&Environment { name: "e".to_owned(), spec: root.join("env.json"), root });
        assert_eq!(workspace.resolve("/elsewhere/e/tasks/a").unwrap(), Path::new("/elsewhere/e/tasks/a"));
        assert!(workspace.resolve("/elsewhere/other/tasks/a").is_err());
        assert!(workspace.resolve("/elsewhere/e/../other/tasks/a").is_err());
    }

    #[test]
    fn names_are_made_from_titles_and_ids() {
        let from = |text| TaskName::from_text(text).map(|name| name.0);
        assert_eq!(from("create_course@1").as_deref(), Some("create_course"));
        assert_eq!(from("  Merge Two — Cohorts!").as_deref(), Some("merge_two_cohorts"));
        assert_eq!(from("../../etc/passwd").as_deref(), Some("etc_passwd"));
        assert_eq!(from("東京"), None);
        assert_eq!(from(&"x".repeat(200)).map(|name| name.len()), Some(80));
        assert!(TaskName::new("a-b").is_none() && TaskName::new("").is_none());
    }

    #[test]
    fn c2_device_names_of_windows_are_no_task_names() {
        for name in ["con", "prn", "aux", "nul", "com1", "com9", "lpt1"] {
            assert_eq!((TaskName::new(name), TaskName::from_text(name)), (None, None), "{name}");
        }
        for name in ["console", "com", "com10", "nul_1", "auxiliary", "lptx"] {
            assert!(TaskName::new(name).is_some(), "{name}");
        }
    }
}
