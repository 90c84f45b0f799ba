//! A workspace, and the stage run in it.

use std::collections::BTreeMap;
use std::process::Command;

use derive_more::Deref;
use serde_json::{Value, json};
use testkit::{ENV, Ran, Workspace, files_below};

/// A workspace whose environment has no tasks folder yet.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    pub(crate) fn new() -> Self {
        let world = Self(Workspace::new());
        fs_err::remove_dir(world.tasks_dir()).unwrap();
        world
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command(env!("CARGO_BIN_EXE_stage-extract"));
        command.args(["--workspace", "."]).args(args);
        command
    }

    /// Runs the stage on these lines.
    pub(crate) fn run(&self, args: &[&str], input: &str) -> Ran {
        Ran::of(&mut self.command(args), input)
    }

    /// Runs the stage on the environment's answers.
    pub(crate) fn extract(&self, more: &[&str], records: &[Value]) -> Ran {
        self.run(&[&["--env-dir", ENV], more].concat(), &lines(records))
    }

    /// The published files with their contents.
    pub(crate) fn published(&self) -> BTreeMap<String, String> {
        files_below(&self.tasks_dir())
    }

    /// The manifest of tasks in the run directory.
    pub(crate) fn manifest(&self) -> String {
        self.read(self.run_dir().join("tasks.jsonl"))
    }
}

/// The status of each task record.
pub(crate) fn statuses(ran: &Ran) -> Vec<String> {
    ran.records().iter().map(|record| record["status"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn lines(records: &[Value]) -> String {
    records.iter().map(|record| record.to_string() + "\n").collect()
}

/// A complete answer for the task `name`.
pub(crate) fn answer(name: &str) -> String {
    format!(
        "Here it is.\n\n\
         ```task.json\n{{\"id\": \"{name}@1\", \"description\": \"d\",\n \"hooks\": {{\"pre_task\": \
         \"/workspace/tasks/{name}/setup_task.sh\"}},\n \"success\": {{\"spec\": {{\"program\": \
         \"verifier.py::verify_{name}\"}}}}}}\n```\n\n\
         ```setup_task.sh\n#!/bin/bash\necho {name}\n```\n\n\
         ```verifier.py\ndef verify_{name}(traj, env_info, task_info):\n    return {{'passed': False}}\n```\n"
    )
}

/// A `files` record with this answer for the task `name`.
pub(crate) fn record(index: usize, name: &str, answer: &str) -> Value {
    json!({ "record": "files", "env": ENV, "task": name, "index": index, "answer": answer })
}

/// `files` records with complete answers.
pub(crate) fn records(names: &[&str]) -> Vec<Value> {
    names.iter().enumerate().map(|(at, name)| record(at + 1, name, &answer(name))).collect()
}
