//! A workspace with an environment, and a stand-in for Claude Code that does as it is told.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const SESSION: &str = "11111111-2222-4333-8444-555555555555";

/// What every call of the stand-in does first: it records how it was started, and gives the phase's script
/// functions to speak with. Calls are numbered from 1.
const PRELUDE: &str = r#"#!/bin/sh
set -u
call=$(($(cat "$RECORD/calls" 2>/dev/null || echo 0) + 1))
echo "$call" >"$RECORD/calls"
printf '%s\n' "$@" >"$RECORD/argv.$call"
env >"$RECORD/env.$call"
readlink /proc/self/fd/0 >"$RECORD/stdin.$call"
pwd >"$RECORD/cwd.$call"
echo $$ >>"$RECORD/pids"
session=$(printf '%s\n' "$@" | sed -n '/^--session-id$\|^--resume$/{n;p}')

init() { printf '{"type":"system","subtype":"init","session_id":"%s"}\n' "$session"; }
use_tool() { printf '{"type":"assistant","message":{"id":"m%s","content":[{"type":"tool_use","name":"%s","input":{"file_path":"%s"}}]}}\n' "$RANDOM_ID" "$1" "$2"; RANDOM_ID=$((RANDOM_ID + 1)); }
result() { printf '{"type":"result","subtype":"success","is_error":false,"num_turns":3,"total_cost_usd":0.25,"result":"done","errors":[]}\n'; }
write_task() {
  mkdir -p "$ENV/tasks/$1"
  printf '{"id":"%s@1","env_id":"demo_env@1","description":"Do it.","success":{"mode":"program","spec":{"program":"verifier.py::verify_%s"}}}\n' "$1" "$1" >"$ENV/tasks/$1/task.json"
  printf 'def verify_%s(traj, env_info, task_info):\n    return {"passed": False, "score": 0, "feedback": "no"}\n' "$1" >"$ENV/tasks/$1/verifier.py"
}
RANDOM_ID=1
"#;

/// A workspace of its own for one test.
pub(crate) struct World {
    dir: TempDir,
}

/// How a run ended and what it said.
#[must_use]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// An environment with one task, and a stand-in that reads nothing and does nothing.
    pub(crate) fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        for dir in
            [world.env().join("tasks"), world.env().join("scripts"), world.record(), world.path("home")]
        {
            fs::create_dir_all(dir).unwrap();
        }
        fs::write(
            world.env().join("env.json"),
            r#"{"id":"demo_env@1","base":"ubuntu-gnome-systemd_highres"}"#,
        )
        .unwrap();
        fs::write(world.env().join("scripts/install.sh"), "true\n").unwrap();
        world.task("old_task");
        Self::stand_in(&world.path("claude"));
        for call in 1..=3 {
            world.script(call, "init; result");
        }
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn env(&self) -> PathBuf {
        self.path("benchmarks/cua_world/environments/demo_env")
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.path("task_generation_runs/demo_env")
    }

    fn record(&self) -> PathBuf {
        self.path("record")
    }

    /// Adds a good task.
    pub(crate) fn task(&self, name: &str) {
        let dir = self.env().join("tasks").join(name);
        fs::create_dir_all(&dir).unwrap();
        let spec = format!(
            r#"{{"id":"{name}@1","env_id":"demo_env@1","description":"Do it.","success":{{"mode":"program","spec":{{"program":"verifier.py::verify_{name}"}}}}}}"#
        );
        fs::write(dir.join("task.json"), spec).unwrap();
        let verifier =
            format!("def verify_{name}(traj, env_info, task_info):\n    return {{'passed': False}}\n");
        fs::write(dir.join("verifier.py"), verifier).unwrap();
    }

    /// Writes the stand-in to `path`.
    pub(crate) fn stand_in(path: &Path) {
        fs::write(path, format!("{PRELUDE}. \"$RECORD/script.$call\"\n")).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// What the stand-in does when it is called for the `call`th time.
    pub(crate) fn script(&self, call: usize, script: &str) {
        fs::write(self.record().join(format!("script.{call}")), script).unwrap();
    }

    /// What the stand-in recorded: `argv`, `env`, `stdin` or `cwd` of a call.
    pub(crate) fn recorded(&self, what: &str, call: usize) -> String {
        fs::read_to_string(self.record().join(format!("{what}.{call}"))).unwrap()
    }

    /// How often the stand-in was called.
    pub(crate) fn calls(&self) -> usize {
        fs::read_to_string(self.record().join("calls")).map_or(0, |calls| calls.trim().parse().unwrap())
    }

    /// A pipe for a script and the test to wait for one another, as `$RECORD/NAME`.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.record().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    /// The stage on this environment, with the stand-in as its agent.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-propose"));
        command
            .args(["--env-dir", "demo_env", "--software", "Demo"])
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("CLAUDE_BIN", self.path("claude"))
            .env("IS_SANDBOX", "1")
            .env("RECORD", self.record())
            .env("ENV", self.env())
            .stdin(Stdio::piped());
        command
    }

    /// Runs the stage to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.finish(self.command(args))
    }

    /// Runs a command to its end.
    pub(crate) fn finish(&self, mut command: Command) -> Output {
        let output = command.output().unwrap();
        let output = Output {
            code: output.status.code(),
            stdout: self.neutral(&String::from_utf8(output.stdout).unwrap()),
            stderr: self.neutral(&String::from_utf8(output.stderr).unwrap()),
        };
        self.assert_nothing_runs();
        output
    }

    /// Starts the stage and hands out its standard output, line by line.
    pub(crate) fn start(&self, args: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        (child, lines)
    }

    /// Every process whose number a script put into `$RECORD/pids` has ended.
    pub(crate) fn assert_nothing_runs(&self) {
        assert_eq!(self.running(), [""; 0], "still runs");
    }

    /// Processes whose numbers a script put into `$RECORD/pids`, as far as they have not ended.
    pub(crate) fn running(&self) -> Vec<String> {
        let pids = fs::read_to_string(self.record().join("pids")).unwrap_or_default();
        let stats =
            pids.split_whitespace().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        stats.filter(|stat| !stat.contains(") Z ")).collect()
    }

    /// Text that is the same in every run: without the place, the session and the times.
    fn neutral(&self, text: &str) -> String {
        let text = text.replace(&self.dir.path().to_string_lossy().into_owned(), "[W]");
        let sessions = fs::read_dir(self.run_dir().join("logs/propose")).into_iter().flatten();
        let ids = sessions.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let text = ids.fold(text, |text, id| text.replace(&id, "[SESSION]"));
        text.replace(env!("CARGO_BIN_EXE_stage-propose"), "stage-propose")
    }

    /// Names in the environment's list of seeds.
    pub(crate) fn seed_list(&self) -> Vec<String> {
        let text = fs::read_to_string(self.env().join("tasks/seed_tasks.json")).unwrap_or("[]".to_owned());
        serde_json::from_str(&text).unwrap()
    }
}

impl Output {
    /// `kind task-or-code` of each record.
    pub(crate) fn records(&self) -> Vec<String> {
        self.stdout.lines().map(brief).collect()
    }

    /// The messages of the failures with this code.
    pub(crate) fn failures(&self, code: &str) -> Vec<String> {
        let records = self.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let failures = records.filter(|record| record["code"] == code);
        failures.map(|record| record["message"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn assert(&self, code: i32, records: &[&str]) {
        assert_eq!(
            (self.code, self.records()),
            (Some(code), records.iter().map(|r| (*r).to_owned()).collect()),
            "{}",
            self.stderr
        );
    }
}

/// `kind task-or-code` of a record.
pub(crate) fn brief(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    let what = if record["record"] == "failure" { &record["code"] } else { &record["task"] };
    format!("{} {}", record["record"].as_str().unwrap(), what.as_str().unwrap())
}
