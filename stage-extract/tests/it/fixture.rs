//! A workspace with one environment, and the stage at work in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use serde_json::{Value, json};
use walkdir::WalkDir;

/// A workspace that is removed when this is dropped.
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
}

/// How a run of the stage ended.
#[must_use = "check at least the exit status"]
pub(crate) struct Ran {
    pub status: i32,
    pub records: Vec<Value>,
    pub stderr: String,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(fixture.path("demo_env")).unwrap();
        fs::write(fixture.path("demo_env/env.json"), "{}").unwrap();
        fixture
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn tasks(&self) -> PathBuf {
        self.path("demo_env/tasks")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-extract"));
        command.current_dir(self.dir.path()).args(["--workspace", "."]).args(args);
        command
    }

    /// Runs the stage on these lines.
    pub(crate) fn run(&self, args: &[&str], input: &str) -> Ran {
        Ran::of(&mut self.command(args), input)
    }

    /// Runs the stage on the environment's answers.
    pub(crate) fn extract(&self, more: &[&str], records: &[Value]) -> Ran {
        let args: Vec<&str> = ["--env-dir", "demo_env"].iter().chain(more).copied().collect();
        self.run(&args, &lines(records))
    }

    /// Every file below the environment's tasks, with its content.
    pub(crate) fn published(&self) -> BTreeMap<String, String> {
        files(&self.tasks())
    }
}

impl Ran {
    fn of(command: &mut Command, input: &str) -> Self {
        let ran = testkit::Ran::of(command, input);
        Self { status: ran.status.unwrap_or(-1), records: ran.records(), stderr: ran.stderr }
    }

    /// The one record that came out.
    pub(crate) fn record(&self) -> &Value {
        assert_eq!(self.records.len(), 1, "{:?}\n{}", self.records, self.stderr);
        &self.records[0]
    }

    /// The status of each task record.
    pub(crate) fn statuses(&self) -> Vec<&str> {
        self.records.iter().map(|record| record["status"].as_str().unwrap()).collect()
    }
}

pub(crate) fn files(root: &Path) -> BTreeMap<String, String> {
    let entries = WalkDir::new(root).into_iter().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let name = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

pub(crate) fn lines(records: &[Value]) -> String {
    records.iter().map(|record| record.to_string() + "\n").collect()
}

/// A whole answer for the task `name`.
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
    json!({ "record": "files", "env": "demo_env", "task": name, "index": index, "answer": answer })
}

/// `files` records with whole answers.
pub(crate) fn records(names: &[&str]) -> Vec<Value> {
    names.iter().enumerate().map(|(at, name)| record(at + 1, name, &answer(name))).collect()
}
