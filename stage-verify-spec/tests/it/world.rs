//! A workspace with environments, and the stage run on it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

/// A workspace of its own for one test.
pub(crate) struct World {
    dir: TempDir,
}

/// How a run ended and what it said.
#[must_use]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Its records.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What each record says, in a few words: `task merge: missing_hook_reference`.
    pub(crate) fn verdicts(&self) -> Vec<String> {
        self.records().iter().map(brief).collect()
    }
}

fn brief(record: &Value) -> String {
    if record["record"] != "verdict" {
        return record["record"].as_str().unwrap().to_owned();
    }
    let codes = record["issues"].as_array().unwrap().iter().map(|issue| issue["code"].as_str().unwrap());
    let codes = codes.collect::<Vec<_>>().join(" ");
    let ok = if record["ok"] == true { "ok" } else { "bad" };
    let name = record["task"].as_str().unwrap_or_else(|| record["env"].as_str().unwrap());
    format!("{name}: {ok} {codes}").trim_end().to_owned()
}

impl World {
    /// A workspace with the environment `demo_env`, which has no tasks.
    pub(crate) fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        world.environment("demo_env");
        world
    }

    /// A path in the workspace.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds an environment.
    pub(crate) fn environment(&self, name: &str) {
        self.write(
            &format!("envs/{name}/env.json"),
            &format!(r#"{{"id":"{name}@1","base":"ubuntu-gnome"}}"#),
        );
        fs::create_dir_all(self.path(format!("envs/{name}/tasks"))).unwrap();
    }

    /// Adds a file.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Adds a sound task to `demo_env`.
    pub(crate) fn task(&self, name: &str) {
        self.task_with(name, r#""difficulty":"hard""#);
    }

    /// Adds a task to `demo_env` whose spec has these fields, too.
    pub(crate) fn task_with(&self, name: &str, fields: &str) {
        let folder = format!("envs/demo_env/tasks/{name}");
        let spec = format!(r#"{{"id":"{name}@1","success":{{"spec":"verifier.py::verify"}},{fields}}}"#);
        self.write(&format!("{folder}/task.json"), &spec);
        self.write(
            &format!("{folder}/verifier.py"),
            "import json\ndef verify(traj, env_info, task_info): return env_info\n",
        );
    }

    /// The record of a task in `demo_env`.
    pub(crate) fn record(name: &str, status: &str) -> String {
        format!(
            r#"{{"record":"task","env":"demo_env","task":"{name}","dir":"envs/demo_env/tasks/{name}","status":"{status}"}}"#
        )
    }

    /// The command, with nothing of the surroundings but the way to a Python.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-verify-spec"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .current_dir(self.dir.path())
            .args(["--workspace", "."])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the stage without a Python to ask.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(&["--python", "none"]).args(args).spawn().unwrap()
    }

    /// Runs the stage without a Python to ask.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.feed(args, "")
    }

    /// Runs the stage with records on its standard input.
    pub(crate) fn feed(&self, args: &[&str], input: &str) -> Output {
        let mut child = self.start(args);
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let feeding = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = end(child);
        feeding.join().unwrap();
        output
    }
}

/// Waits for the end of a run.
pub(crate) fn end(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
