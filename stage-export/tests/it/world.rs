//! A workspace, and the stage run in it.

use derive_more::Deref;
use serde_json::{Value, json};
use testkit::{ENV, Ran, Workspace};

/// Where the split files are, relative to the workspace.
const SPLITS: &str = "benchmarks/cua_world/splits";

/// A workspace with a task for each name.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    pub(crate) fn new(tasks: &[&str]) -> Self {
        let world = Self(Workspace::new());
        for task in tasks {
            world.add_valid_task(task);
        }
        world
    }

    /// Exports the splits after reading these records.
    pub(crate) fn export(&self, args: &[&str], records: &[Value]) -> Ran {
        self.export_to("splits", args, records)
    }

    /// Exports in a format after reading these records.
    pub(crate) fn export_to(&self, format: &str, args: &[&str], records: &[Value]) -> Ran {
        let mut command = self.command(env!("CARGO_BIN_EXE_stage-export"));
        command.args(["--workspace", ".", "--to", format]).args(args);
        let lines: String = records.iter().map(|record| record.to_string() + "\n").collect();
        Ran::of(&mut command, &lines)
    }

    /// Writes a file of the splits, as gym-anything formats it.
    pub(crate) fn write_split(&self, name: &str, value: &Value) {
        let text = serde_json::to_string_pretty(value).unwrap() + "\n";
        self.write(format!("{SPLITS}/{name}"), &text);
    }

    pub(crate) fn split_text(&self, name: &str) -> String {
        self.read(format!("{SPLITS}/{name}"))
    }

    pub(crate) fn split(&self, name: &str) -> Value {
        serde_json::from_str(&self.split_text(name)).unwrap()
    }
}

pub(crate) fn verdict(task: &str, ok: bool) -> Value {
    let issues = if ok { json!([]) } else { json!([issue("missing_hook_reference")]) };
    json!({ "record": "verdict", "env": ENV, "task": task, "kind": "task", "path": "x", "ok": ok, "issues": issues })
}

pub(crate) fn probe(task: &str, ok: bool) -> Value {
    let issues = if ok { json!([]) } else { json!([issue("passes_no_result")]) };
    json!({ "record": "probe", "env": ENV, "task": task, "ok": ok, "issues": issues })
}

pub(crate) fn trial(task: &str, ok: bool) -> Value {
    let issues = if ok { json!([]) } else { json!([issue("setup_failed")]) };
    json!({ "record": "trial", "env": ENV, "task": task, "ok": ok, "issues": issues })
}

pub(crate) fn decision(task: &str, choice: &str) -> Value {
    json!({ "record": "decision", "env": ENV, "task": task, "choice": choice })
}

fn issue(code: &str) -> Value {
    json!({ "code": code, "severity": "error", "message": "it is wrong" })
}

/// Evidence of each step but the last for these tasks.
pub(crate) fn probed(tasks: &[&str]) -> Vec<Value> {
    tasks.iter().flat_map(|task| [verdict(task, true), probe(task, true)]).collect()
}
