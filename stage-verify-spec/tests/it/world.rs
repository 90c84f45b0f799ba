//! A workspace, and the stage run in it.

use std::process::{Child, Command, Stdio};

use derive_more::Deref;
use serde_json::{Value, json};
use testkit::{ENV, ENV_DIR, Ran, VERIFIER, Workspace};

/// A workspace with valid tasks and with others.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    pub(crate) fn new() -> Self {
        Self(Workspace::new())
    }

    /// Adds a task whose spec has these fields, too.
    pub(crate) fn task_with(&self, name: &str, fields: &Value) {
        let mut spec = json!({ "id": format!("{name}@1"), "success": { "spec": "verifier.py::verify" } });
        for (key, value) in fields.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.add_task(name, &spec, VERIFIER);
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command(env!("CARGO_BIN_EXE_stage-verify-spec"));
        command.args(["--workspace", "."]).args(args);
        command
    }

    /// The stage without a Python to ask.
    fn command_without_python(&self, args: &[&str]) -> Command {
        let mut command = self.command(&["--python", "none"]);
        command.args(args);
        command
    }

    /// Starts the stage without a Python to ask.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command_without_python(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs the stage without a Python to ask.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.feed(args, "")
    }

    /// Runs the stage with records on its standard input.
    pub(crate) fn feed(&self, args: &[&str], input: &str) -> Ran {
        Ran::of(&mut self.command_without_python(args), input)
    }
}

/// The record of a task in the environment.
pub(crate) fn task_record(name: &str, status: &str) -> String {
    let dir = format!("{ENV_DIR}/tasks/{name}");
    json!({ "record": "task", "env": ENV, "task": name, "dir": dir, "status": status }).to_string()
}

/// What each record says, in a few words: `merge: bad missing_hook_reference`.
pub(crate) fn verdicts(ran: &Ran) -> Vec<String> {
    ran.records().iter().map(brief).collect()
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
