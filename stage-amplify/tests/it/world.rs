//! A workspace, the stage run in it, and answers for it.

use std::process::Command;

use derive_more::Deref;
use serde_json::{Value, json};
pub(crate) use testkit::Ran;
pub(crate) use testkit::author::{
    Call, call, description, good, number, plan_answer, readme_answer, row, task,
};
use testkit::{ENV, Play, Server, Workspace, author};

/// The key that the program is given. No output may contain it.
pub(crate) const KEY: &str = "canary-4711-0815";

/// A workspace whose environment has one seed, `open_period`.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    pub(crate) fn new() -> Self {
        let world = Self(Workspace::new());
        world.write_env_file("env.json", r#"{"id": "demo_env@0.1", "tags": ["books"]}"#);
        world.write_env_file("scripts/task_utils.sh", "query() { sqlite3 \"$DB\" \"$1\"; }\n");
        world.write_task("open_period", "Open the March period.");
        world.write_env_file("tasks/seed_tasks.json", r#"["open_period"]"#);
        world
    }

    /// Adds a task with this description to the environment.
    pub(crate) fn write_task(&self, name: &str, description: &str) {
        let spec = json!({
            "id": format!("{name}@1"),
            "description": description,
            "difficulty": "hard",
            "hooks": {
                "pre_task": format!("/workspace/tasks/{name}/setup_task.sh"),
                "post_task": format!("/workspace/tasks/{name}/export_result.sh"),
            },
            "success": {"mode": "program", "spec": {"program": "verifier.py::verify"}},
        });
        self.add_task(name, &spec, "def verify(traj, env_info, task_info):\n    return check(env_info)\n");
        for script in ["setup_task.sh", "export_result.sh"] {
            self.write_task_file(name, script, "#!/bin/bash\nsource /workspace/scripts/task_utils.sh\n");
        }
    }

    /// Reads a file of the run directory.
    pub(crate) fn result(&self, name: &str) -> String {
        self.read(self.run_dir().join(name))
    }

    /// The records of a manifest, without their usage: it depends on the order of the calls.
    pub(crate) fn manifest(&self, name: &str) -> Vec<Value> {
        self.result(name).lines().map(record_without_usage).collect()
    }

    /// The program, at work on the environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_on(ENV, args)
    }

    /// The program, at work on this environment.
    pub(crate) fn command_on(&self, env: &str, args: &[&str]) -> Command {
        let mut command = self.0.command(env!("CARGO_BIN_EXE_stage-amplify"));
        command.args(["--software", "Books", "--env-dir", env, "--workspace"]).arg(self.root()).args(args);
        command
    }

    /// The program, with the model of `server`.
    pub(crate) fn command_at(&self, server: &Server, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.env("GEMINI_BASE_URL", server.url()).env("GEMINI_API_KEY", KEY);
        command
    }

    pub(crate) fn run_at(&self, server: &Server, args: &[&str]) -> Ran {
        Ran::from(self.command_at(server, args).output().unwrap())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }
}

fn record_without_usage(line: &str) -> Value {
    let mut record: Value = serde_json::from_str(line).unwrap();
    record.as_object_mut().unwrap().remove("usage");
    record
}

/// The kind and the task of each record on standard output.
pub(crate) fn kinds_and_tasks(ran: &Ran) -> Vec<(String, String)> {
    ran.records().iter().map(|record| (text(&record["record"]), text(&record["task"]))).collect()
}

fn text(field: &Value) -> String {
    field.as_str().unwrap_or_default().to_owned()
}

/// The answer to a call for the files of a task of the environment here.
pub(crate) fn files_answer(task: &str, description: &str) -> String {
    author::files_answer("demo_env@0.1", task, description)
}

/// A line of a journal.
pub(crate) fn journal_line(label: &str, text: &str) -> String {
    json!({"label": label, "text": text}).to_string() + "\n"
}

/// A journal with answers for the tasks 1 to `count`.
pub(crate) fn journal(count: usize) -> String {
    let rows: Vec<Value> = (1..=count).map(row).collect();
    let mut lines = journal_line("plan/1", &plan_answer(&rows));
    for number in 1..=count {
        let (task, description) = (task(number), description(number));
        lines += &journal_line(&format!("readme/{task}"), &readme_answer(&task, &description));
        lines += &journal_line(&format!("files/{task}"), &files_answer(&task, &description));
        lines += &journal_line(&format!("checklist/{task}"), &author::checklist_answer());
        lines += &journal_line(&format!("fixtures/{task}"), &author::fixtures_answer(&task));
    }
    lines
}

/// A server whose model answers well.
pub(crate) fn good_server() -> Server {
    Server::start(|asked| Play::Answer(good(asked)))
}

/// What was asked of a server, sorted.
pub(crate) fn calls(server: &Server) -> Vec<Call> {
    let mut calls: Vec<Call> = server.log().iter().map(|logged| call(&logged.asked)).collect();
    calls.sort();
    calls
}
