//! A workspace with tasks to probe.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use derive_more::Deref;
use fs_err as fs;
use serde_json::{Value, json};
use testkit::{ENV, ENV_DIR, Ran, Workspace};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_stage-probe");

/// A workspace with tasks to probe.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    pub(crate) fn new() -> Self {
        Self(Workspace::new())
    }

    /// Adds a task with this verifier.
    pub(crate) fn task(&self, name: &str, verifier: &str) -> &Self {
        self.task_with(name, verifier, &json!({}))
    }

    /// Adds a task with this verifier and metadata.
    pub(crate) fn task_with(&self, name: &str, verifier: &str, metadata: &Value) -> &Self {
        let spec = json!({
            "id": format!("{name}@1"), "env_id": format!("{ENV}@1"), "metadata": metadata,
            "success": { "mode": "program", "spec": { "program": "verifier.py::verify" } },
        });
        self.add_task(name, &spec, verifier);
        self
    }

    /// The program, in this workspace.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.0.command(program.as_ref());
        command.arg("--workspace").arg(self.root());
        command
    }

    /// Probes all tasks, confined if this machine allows it; other tests cover confinement.
    pub(crate) fn probe(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(PROGRAM);
        Ran::of(command.arg(self.env_dir()).arg("--unsafe").args(arguments), "")
    }

    /// Probes one task and returns its record.
    pub(crate) fn probe_one(&self, arguments: &[&str]) -> Value {
        self.probe(arguments).record()
    }
}

/// The record of a task in the environment.
pub(crate) fn task_record(name: &str, status: &str) -> Value {
    let dir = format!("{ENV_DIR}/tasks/{name}");
    json!({ "record": "task", "env": ENV, "task": name, "dir": dir, "status": status })
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

/// Whether verifiers can be confined on this machine. If not, tests of confinement are skipped.
pub(crate) fn confines(mut command: Command) -> bool {
    let ran = Ran::of(command.arg("--self-test"), "");
    if ran.status != Some(0) {
        eprintln!("skipped: verifiers cannot be confined here:\n{}", ran.stderr);
    }
    ran.status == Some(0)
}

/// Waits until a condition holds; panics after a minute.
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
