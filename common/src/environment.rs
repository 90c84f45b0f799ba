//! Environments: where they are, and what is in them.

use std::fmt;
use std::io;
use std::path::{self, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;

/// Where gym-anything's benchmark keeps its environments, below the workspace.
const ENVIRONMENTS: &str = "benchmarks/cua_world/environments";

/// Names of an environment's spec, the preferred one first. gym-anything, `verification/specs.py`.
pub const ENV_SPECS: [&str; 3] = ["env.yaml", "env.yml", "env.json"];

/// Names of a task's spec, the preferred one first.
pub const TASK_SPECS: [&str; 3] = ["task.yaml", "task.yml", "task.json"];

/// The folder that environments are looked up in, and that paths in records are relative to.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that was asked for, else the nearest ancestor of the working directory that holds
    /// `benchmarks/cua_world`, else the working directory.
    pub fn find(asked: Option<&Path>) -> Result<Self> {
        if let Some(asked) = asked {
            ensure!(asked.is_dir(), "workspace {} is not a directory", asked.display());
            return Ok(Self { root: path::absolute(asked)? });
        }
        let here = std::env::current_dir().context("cannot find the working directory")?;
        let root = here.ancestors().find(|dir| dir.join("benchmarks/cua_world").is_dir()).unwrap_or(&here);
        Ok(Self { root: root.to_owned() })
    }

    /// The workspace's absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The environment that `env_dir` means: a path, a name in gym-anything's benchmark, or a name below
    /// the workspace.
    pub fn environment(&self, env_dir: &str) -> Result<Environment> {
        let candidates =
            [PathBuf::from(env_dir), self.root.join(ENVIRONMENTS).join(env_dir), self.root.join(env_dir)];
        let mut without_spec = None;
        for candidate in candidates.iter().filter(|candidate| candidate.is_dir()) {
            match Environment::open(candidate) {
                Ok(environment) => return Ok(environment),
                Err(error) => without_spec = without_spec.or(Some(error)),
            }
        }
        if let Some(error) = without_spec {
            return Err(error);
        }
        let [as_path, in_benchmark, in_workspace] = candidates.map(|path| path.display().to_string());
        bail!(
            "no environment {env_dir}: looked for the folders {as_path}, {in_benchmark} and {in_workspace}; \
             give --env-dir a path, or --workspace the folder that holds {ENVIRONMENTS}"
        )
    }

    /// `path` as records name it: relative to the workspace where it lies below it, absolute elsewhere. So
    /// the same work in another place gives the same records.
    pub fn relative(&self, path: &Path) -> String {
        let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
        absolute.strip_prefix(&self.root).unwrap_or(&absolute).to_string_lossy().into_owned()
    }

    /// The path that a record names.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Where the runs on an environment keep their manifests, unless another place is asked for.
    pub fn run_dir(&self, env: &str) -> PathBuf {
        self.root.join("task_generation_runs").join(env)
    }
}

/// A gym-anything environment: a folder with a spec, and with tasks below `tasks/`.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The name of its folder, which records call it by.
    pub name: String,
    /// Its folder, as an absolute path.
    pub root: PathBuf,
    /// Its spec: the first of [`ENV_SPECS`] that is there.
    pub spec: PathBuf,
}

impl Environment {
    /// The environment in the folder `root`.
    pub fn open(root: &Path) -> Result<Self> {
        let Some(spec) = ENV_SPECS.iter().map(|name| root.join(name)).find(|spec| spec.exists()) else {
            bail!("{} is no environment: it holds none of {}", root.display(), ENV_SPECS.join(", "));
        };
        let root = match root.file_name() {
            Some(_) => path::absolute(root),
            // `.` and `..` have no name of their own.
            None => fs::canonicalize(root),
        }
        .with_context(|| format!("cannot find the environment {}", root.display()))?;
        let name = root.file_name().with_context(|| format!("{} has no name", root.display()))?;
        let Some(name) = name.to_str() else { bail!("the name of {} is not UTF-8", root.display()) };
        let spec = root.join(spec.file_name().unwrap_or_default());
        Ok(Self { name: name.to_owned(), root: root.clone(), spec })
    }

    /// The folder that holds the tasks. It may not be there yet.
    pub fn tasks_dir(&self) -> PathBuf {
        self.root.join("tasks")
    }

    /// The folder of a task.
    pub fn task_dir(&self, task: &str) -> PathBuf {
        self.tasks_dir().join(task)
    }

    /// Names of all tasks that have a spec, sorted. Folders that start with a dot are none.
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

/// The spec of the task in the folder `dir`: the first of [`TASK_SPECS`] that is there.
pub fn task_spec(dir: &Path) -> Option<PathBuf> {
    TASK_SPECS.iter().map(|name| dir.join(name)).find(|spec| spec.is_file())
}

/// The bare name of a task: 1 to 80 of `a`-`z`, `0`-`9` and `_`. A name of this form is safe as the name of
/// a folder, in a shell and in a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName(String);

impl TaskName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 80;

    /// `name`, if it has the form of a task name.
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        fits.then(|| Self(name.to_owned()))
    }

    /// The nearest task name to any text: a title, an id such as `Create-Course@1`. Nothing where no letter
    /// or digit is left.
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
    fn records_name_paths_below_the_workspace() {
        let workspace = Workspace { root: "/w".into() };
        assert_eq!(workspace.relative(Path::new("/w/e/tasks/a")), "e/tasks/a");
        assert_eq!(workspace.relative(Path::new("/elsewhere/a")), "/elsewhere/a");
        assert_eq!(workspace.resolve("e/tasks/a"), Path::new("/w/e/tasks/a"));
        assert_eq!(workspace.resolve("/elsewhere/a"), Path::new("/elsewhere/a"));
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
}
