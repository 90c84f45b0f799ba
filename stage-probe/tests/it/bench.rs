//! A workspace of made-up tasks, and the program to probe them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fs_err as fs;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Ran;

/// The program that the tests are about.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_stage-probe");

/// An environment with tasks in it.
pub(crate) struct Bench {
    dir: TempDir,
}

/// What a run of the program came to.
#[must_use]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) records: Vec<Value>,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("demo_env/tasks")).unwrap();
        fs::write(dir.path().join("demo_env/env.json"), r#"{"id": "demo@1"}"#).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn env(&self) -> PathBuf {
        self.path().join("demo_env")
    }

    pub(crate) fn task_dir(&self, task: &str) -> PathBuf {
        self.env().join("tasks").join(task)
    }

    /// Adds a task with this verifier.
    pub(crate) fn task(&self, name: &str, verifier: &str) -> &Self {
        self.task_with(name, verifier, &json!({}))
    }

    /// Adds a task with this verifier and metadata.
    pub(crate) fn task_with(&self, name: &str, verifier: &str, metadata: &Value) -> &Self {
        let spec = json!({
            "id": format!("{name}@1"), "env_id": "demo@1", "metadata": metadata,
            "success": { "mode": "program", "spec": { "program": "verifier.py::verify" } },
        });
        self.file(name, "task.json", &spec.to_string()).file(name, "verifier.py", verifier)
    }

    /// Adds a file to a task.
    pub(crate) fn file(&self, task: &str, name: &str, content: &str) -> &Self {
        let dir = self.task_dir(task);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), content).unwrap();
        self
    }

    /// Probes all tasks, confined if this machine allows it: the tests of what is denied see to that.
    pub(crate) fn probe(&self, arguments: &[&str]) -> Ended {
        let env = self.env();
        let mut command = self.command(Path::new(PROGRAM));
        command.arg(env).arg("--unsafe").args(arguments);
        run(command, "")
    }

    /// The program, in this workspace and with nothing of the tester's environment but the path.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMPDIR", std::env::temp_dir());
        command.args([OsStr::new("--workspace"), self.path().as_os_str()]).current_dir(self.path());
        command
    }

    /// Probes one task and returns its record.
    pub(crate) fn probe_one(&self, arguments: &[&str]) -> Value {
        let ended = self.probe(arguments);
        assert_eq!(ended.records.len(), 1, "{}", ended.stderr);
        ended.records.into_iter().next().unwrap()
    }
}

/// Runs a command to its end, with `input` on its standard input.
pub(crate) fn run(mut command: Command, input: &str) -> Ended {
    let ran = Ran::of(&mut command, input);
    Ended { code: ran.status, records: ran.records(), stderr: ran.stderr }
}

/// The codes of a record's issues.
pub(crate) fn codes(record: &Value) -> Vec<&str> {
    record["issues"].as_array().unwrap().iter().map(|issue| issue["code"].as_str().unwrap()).collect()
}

/// The outcomes of a record, by state.
pub(crate) fn outcomes(record: &Value) -> Vec<(&str, &str)> {
    let states = record["states"].as_array().unwrap().iter();
    states.map(|state| (state["state"].as_str().unwrap(), state["outcome"].as_str().unwrap())).collect()
}

/// Whether verifiers can be confined on this machine. If not, tests of it have nothing to test.
pub(crate) fn confines(mut command: Command) -> bool {
    command.arg("--self-test");
    let ended = run(command, "");
    if ended.code != Some(0) {
        eprintln!("skipped: verifiers cannot be confined here:\n{}", ended.stderr);
    }
    ended.code == Some(0)
}

/// Waits for something that has to happen, though nobody says when it does.
pub(crate) fn wait_until(what: &str, happens: impl Fn() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < Duration::from_mins(1), "not within a minute: {what}");
        thread::yield_now();
    }
}

/// Whether any process of this machine has `argument` on its command line.
pub(crate) fn is_running(argument: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap();
    let lines = processes.filter_map(|process| fs::read(process.ok()?.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes()))
}

/// The names in a folder, sorted.
pub(crate) fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
