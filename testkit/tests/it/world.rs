//! A workspace, and the stages run in it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use derive_more::Deref;
use serde_json::Value;
use testkit::author::Call;
use testkit::{ENV, Play, Ran, Server, Workspace, author, files_below};

/// A workspace whose environment has one task.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    pub(crate) fn new() -> Self {
        let world = Self(Workspace::new());
        let task = "open_period";
        for (name, content) in author::files("demo_env@1", task, "Open the March period.") {
            world.write_task_file(task, name, &content);
        }
        world
    }

    /// A stage, at work on the environment with the model of `server`.
    pub(crate) fn stage(&self, name: &str, server: &Server) -> Command {
        let mut command = self.command(program(name), server);
        command.args(stage_args(name)).arg("--workspace").arg(self.root());
        command
    }

    /// A shell command that finds the stages in its search path and their common arguments in `$A`.
    pub(crate) fn shell(&self, script: &str, server: &Server) -> Ran {
        let mut command = self.command("bash", server);
        command
            .args(["-c", script])
            .env("PATH", search_path())
            .env("A", format!("--workspace {} --env-dir {ENV}", self.root().display()));
        Ran::from(command.output().unwrap())
    }

    /// A command with the model of `server`.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, server: &Server) -> Command {
        let mut command = self.0.command(program);
        command.env("GEMINI_BASE_URL", server.url()).env("GEMINI_API_KEY", "key");
        command
    }

    /// The output of the chain: the manifests, without what differs between runs, and the environment's files.
    pub(crate) fn result(&self) -> String {
        let mut result = String::new();
        for name in ["seeds", "plan", "specs", "files", "tasks", "verdicts"] {
            let path = self.run_dir().join(format!("{name}.jsonl"));
            for line in self.read(path).lines() {
                let mut record: Value = serde_json::from_str(line).unwrap();
                // Which calls a cache served depends on which came first.
                record.as_object_mut().unwrap().remove("usage");
                writeln!(result, "{record}").unwrap();
            }
        }
        for (name, content) in files_below(&self.env_dir()) {
            writeln!(result, "{name}: {content}").unwrap();
        }
        result
    }
}

/// The verdicts on tasks among the records.
pub(crate) fn verdicts(ran: &Ran) -> Vec<Value> {
    let is_one = |record: &Value| record["record"] == "verdict" && record["kind"] == "task";
    ran.records().into_iter().filter(is_one).collect()
}

/// A program of this workspace. `make test` builds all of them first.
pub(crate) fn program(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_loopback-model")).with_file_name(name);
    assert!(program.exists(), "{name} is not built; run the tests by `make test`");
    program
}

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The search path of the tester, after the folders of the stages and of the example stages.
fn search_path() -> OsString {
    let bin = program("loopback-model").parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = [bin, repository().join("examples/stages")].into_iter().chain(env::split_paths(&path));
    env::join_paths(dirs).unwrap()
}

/// The arguments of a stage, without the workspace.
fn stage_args(name: &str) -> &'static [&'static str] {
    match name {
        "stage-propose" => &["--software", "Books", "--env-dir", ENV, "--agent", "existing"],
        "stage-amplify" => &["--software", "Books", "--env-dir", ENV, "--count", "8", "--num-workers", "3"],
        "stage-extract" => &["--env-dir", ENV],
        _ => &["--env-dir", ENV, "--python", "none"],
    }
}

/// A server whose model writes good tasks.
pub(crate) fn author_server() -> Server {
    Server::start(|asked| Play::Answer(author::good(asked)))
}

/// The label of a call in a run whose plan takes one call.
pub(crate) fn label(call: &Call) -> String {
    match call {
        Call::Plan(_) => "plan/1".to_owned(),
        Call::Readme(task) => format!("readme/{task}"),
        Call::Files(task) => format!("files/{task}"),
        Call::Checklist(task) => format!("checklist/{task}"),
        Call::Fixtures(task) => format!("fixtures/{task}"),
    }
}
