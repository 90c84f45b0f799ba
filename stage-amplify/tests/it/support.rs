//! A place to run the program in, and answers for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
pub(crate) use testkit::Ran;
use testkit::author;
pub(crate) use testkit::author::{
    Call, call, description, good, number, plan_answer, readme_answer, row, task,
};
use testkit::{Play, Server};

/// The key that the program is given. It turns up nowhere.
pub(crate) const KEY: &str = "canary-4711-0815";

/// An environment in a workspace of its own, gone at the end of the test.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// A workspace with the environment `demo_env`, which has one seed.
    pub(crate) fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.write(
            "benchmarks/cua_world/environments/demo_env/env.json",
            r#"{"id": "demo_env@0.1", "tags": ["books"]}"#,
        );
        place.write(
            "benchmarks/cua_world/environments/demo_env/scripts/task_utils.sh",
            "query() { sqlite3 \"$DB\" \"$1\"; }\n",
        );
        place.write_task("open_period", "Open the March period.");
        place.write("benchmarks/cua_world/environments/demo_env/tasks/seed_tasks.json", r#"["open_period"]"#);
        place
    }

    pub(crate) fn env_dir(&self) -> PathBuf {
        self.path().join("benchmarks/cua_world/environments/demo_env")
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.path().join("task_generation_runs/demo_env")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
        path
    }

    /// Puts a task into the environment.
    pub(crate) fn write_task(&self, name: &str, description: &str) {
        let dir = format!("benchmarks/cua_world/environments/demo_env/tasks/{name}");
        let spec = json!({"id": format!("{name}@1"), "description": description, "difficulty": "hard"});
        self.write(&format!("{dir}/task.json"), &spec.to_string());
        self.write(&format!("{dir}/verifier.py"), "def verify(traj, env_info, task_info): ...\n");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.run_dir().join(name)).unwrap()
    }

    /// The records of a manifest, without what they took: that depends on which call came first.
    pub(crate) fn manifest(&self, name: &str) -> Vec<Value> {
        let without_usage = |line: &str| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            record.as_object_mut().unwrap().remove("usage");
            record
        };
        self.read(name).lines().map(without_usage).collect()
    }

    /// The program, told to work on the environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-amplify"));
        command
            .args(["--software", "Books", "--env-dir", "demo_env", "--workspace"])
            .arg(self.path())
            .args(args)
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    /// The program, told to ask the model of `server`.
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

/// The records that went out, each as its kind and task.
pub(crate) fn kinds_and_tasks(ran: &Ran) -> Vec<(String, String)> {
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    ran.records().iter().map(|record| (text(&record["record"]), text(&record["task"]))).collect()
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
