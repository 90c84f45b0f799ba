//! The temporary workspace in which tests run the stages.

#![expect(clippy::unwrap_used, reason = "a workspace that cannot be set up fails the test")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use serde_json::{Value, json};
use tempfile::TempDir;
use walkdir::WalkDir;

/// The name of the environment that every workspace has.
pub const ENV: &str = "demo_env";
/// The folder of the environments, relative to the workspace.
pub const ENVIRONMENTS: &str = "benchmarks/cua_world/environments";
/// The folder of [`ENV`], relative to the workspace.
pub const ENV_DIR: &str = "benchmarks/cua_world/environments/demo_env";

/// A verifier without errors and without warnings; its function is `verify`.
pub const VERIFIER: &str = "\
def verify(traj, env_info, task_info):
    done = bool(env_info.get('done'))
    return {'passed': done, 'score': 100 if done else 0, 'feedback': ''}
";

/// A workspace with the environment [`ENV`], deleted when dropped.
pub struct Workspace {
    dir: TempDir,
}

impl Workspace {
    /// Creates a workspace whose environment has no tasks.
    #[expect(clippy::new_without_default, reason = "it creates a directory")]
    pub fn new() -> Self {
        let workspace = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(workspace.path("home")).unwrap();
        workspace.add_env(ENV);
        workspace
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// A path below the workspace.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// The folder of the environment.
    pub fn env_dir(&self) -> PathBuf {
        self.path(ENV_DIR)
    }

    /// The folder of the environment's tasks.
    pub fn tasks_dir(&self) -> PathBuf {
        self.env_dir().join("tasks")
    }

    /// The folder of a task.
    pub fn task_dir(&self, task: &str) -> PathBuf {
        self.tasks_dir().join(task)
    }

    /// The run directory of the environment.
    pub fn run_dir(&self) -> PathBuf {
        self.path("task_generation_runs").join(ENV)
    }

    /// Adds an environment without tasks.
    pub fn add_env(&self, name: &str) {
        let dir = self.path(ENVIRONMENTS).join(name);
        fs::create_dir_all(dir.join("tasks")).unwrap();
        let spec = json!({ "id": format!("{name}@1"), "base": "ubuntu-gnome-systemd_highres" });
        fs::write(dir.join("env.json"), spec.to_string()).unwrap();
    }

    /// Adds a valid task to the environment.
    pub fn add_valid_task(&self, name: &str) {
        let spec = json!({
            "id": format!("{name}@1"), "env_id": format!("{ENV}@1"), "description": "Do it.", "difficulty": "hard",
            "success": { "mode": "program", "spec": { "program": "verifier.py::verify" } },
        });
        self.add_task(name, &spec, VERIFIER);
    }

    /// Adds a task with this spec and this verifier to the environment.
    pub fn add_task(&self, name: &str, spec: &Value, verifier: &str) {
        self.write_task_file(name, "task.json", &spec.to_string()).write_task_file(
            name,
            "verifier.py",
            verifier,
        );
    }

    /// Writes a file of a task. Returns the workspace, for the task's next file.
    pub fn write_task_file(&self, task: &str, name: &str, content: &str) -> &Self {
        self.write(self.task_dir(task).join(name), content);
        self
    }

    /// Writes a file of the environment.
    pub fn write_env_file(&self, name: &str, content: &str) {
        self.write(self.env_dir().join(name), content);
    }

    /// Writes a file below the workspace and returns its path.
    pub fn write(&self, name: impl AsRef<Path>, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file below the workspace.
    pub fn read(&self, name: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The tasks that the environment lists as seeds; none without a list.
    pub fn seeds(&self) -> Vec<String> {
        let list = fs::read_to_string(self.tasks_dir().join("seed_tasks.json"));
        list.map_or_else(|_| Vec::new(), |list| serde_json::from_str(&list).unwrap())
    }

    /// A command in the workspace, with nothing of the tester's environment but the search path and the folder
    /// for temporary files.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.root())
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", env::temp_dir())
            .env("HOME", self.path("home"))
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        command
    }

    /// `text` with the workspace's path replaced by `[W]`.
    pub fn without_paths(&self, text: &str) -> String {
        text.replace(self.root().to_str().unwrap(), "[W]")
    }
}

/// The files below `dir` by name, with their contents; empty if it does not exist.
pub fn files_below(dir: &Path) -> BTreeMap<String, String> {
    let entries = WalkDir::new(dir).into_iter().filter_map(Result::ok);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let name = entry.path().strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// The names in a folder, sorted.
pub fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
