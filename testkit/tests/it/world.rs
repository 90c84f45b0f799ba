//! A workspace for one test, and the stages to run in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Play, Ran, Server, author};

/// The environment's name.
pub(crate) const ENV: &str = "demo_env";

/// A workspace with one environment, which has one task. Gone at the end of the test.
pub(crate) struct World {
    dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        world.write(
            "env.json",
            &json!({"id": "demo_env@0.1", "base": "ubuntu-gnome-systemd_highres"}).to_string(),
        );
        let task = "open_period";
        for block in author::files_answer("demo_env@0.1", task, "Open the March period.").split("````\n") {
            let Some((name, text)) = block.trim_start().trim_start_matches('`').split_once('\n') else {
                continue;
            };
            world.write(&format!("tasks/{task}/{name}"), text);
        }
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn env(&self) -> PathBuf {
        self.path().join("benchmarks/cua_world/environments").join(ENV)
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.path().join("task_generation_runs").join(ENV)
    }

    /// Writes a file of the environment.
    fn write(&self, name: &str, text: &str) {
        let path = self.env().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    /// A stage, told to work on the environment and to ask the model of `server`.
    pub(crate) fn stage(&self, name: &str, server: &Server) -> Command {
        let mut command = Command::new(program(name));
        command.args(stage_args(name)).arg("--workspace").arg(self.path()).stdin(Stdio::null());
        self.surround(&mut command, server);
        command
    }

    /// A shell command that finds the stages on its PATH and `$A` to hold what each stage is told.
    pub(crate) fn shell(&self, script: &str, server: &Server) -> Ran {
        let mut command = Command::new("bash");
        command.args(["-c", script]).current_dir(self.path());
        self.surround(&mut command, server);
        Ran::of(&mut command, "")
    }

    fn surround(&self, command: &mut Command, server: &Server) {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = program("loopback-model");
        command
            .env_clear()
            .env("PATH", format!("{}:{}:{path}", bin.parent().unwrap().display(), examples().display()))
            .env("HOME", self.path())
            .env("GEMINI_BASE_URL", server.url())
            .env("GEMINI_API_KEY", "key")
            .env("A", format!("--workspace {} --env-dir {ENV}", self.path().display()));
    }

    /// Everything that matters of what the chain left: the manifests without what differs between runs, and
    /// the environment's files.
    pub(crate) fn result(&self) -> String {
        let mut result = String::new();
        for name in ["seeds", "plan", "specs", "files", "tasks", "verdicts"] {
            let path = self.run_dir().join(format!("{name}.jsonl"));
            for line in fs_err::read_to_string(path).unwrap().lines() {
                let mut record: Value = serde_json::from_str(line).unwrap();
                // Which calls a cache served depends on which came first.
                record.as_object_mut().unwrap().remove("usage");
                writeln!(result, "{record}").unwrap();
            }
        }
        for (name, content) in self.files() {
            writeln!(result, "{name}: {content}").unwrap();
        }
        result
    }

    fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = walkdir::WalkDir::new(self.env())
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry.path().strip_prefix(self.env()).unwrap().display().to_string();
                (name, fs_err::read_to_string(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
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

fn examples() -> PathBuf {
    repository().join("examples/stages")
}

/// What the stage needs to be told, beside the workspace.
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
