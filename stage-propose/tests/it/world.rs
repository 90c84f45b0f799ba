//! A workspace, and a scripted stand-in for Claude Code.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use derive_more::Deref;
use fs_err as fs;
use serde_json::Value;
use testkit::{ENV, Ran, Workspace};

pub(crate) const SESSION: &str = "11111111-2222-4333-8444-555555555555";

/// The start of the stand-in: it records how it was started and defines functions for the phase's script. Calls
/// are numbered from 1.
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

/// A workspace whose environment has the task `old_task`, and a stand-in for the agent.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    /// Creates a workspace with a stand-in that writes nothing.
    pub(crate) fn new() -> Self {
        let world = Self(Workspace::new());
        world.write_env_file("scripts/install.sh", "true\n");
        world.add_valid_task("old_task");
        fs::create_dir(world.record()).unwrap();
        Self::stand_in(&world.path("claude"));
        for call in 1..=3 {
            world.script(call, "init; result");
        }
        world
    }

    fn record(&self) -> PathBuf {
        self.path("record")
    }

    /// Writes the stand-in to `path`.
    pub(crate) fn stand_in(path: &Path) {
        fs::write(path, format!("{PRELUDE}. \"$RECORD/script.$call\"\n")).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Sets the stand-in's script for its `call`th call.
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
        let mut command = self.0.command(env!("CARGO_BIN_EXE_stage-propose"));
        command
            .args(["--env-dir", ENV, "--software", "Demo"])
            .args(args)
            .env("CLAUDE_BIN", self.path("claude"))
            .env("IS_SANDBOX", "1")
            .env("RECORD", self.record())
            .env("ENV", self.env_dir())
            .stdin(Stdio::piped());
        command
    }

    /// Runs the stage to completion.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.finish(self.command(args))
    }

    /// Runs a command to completion. Its output is without paths and session ids.
    pub(crate) fn finish(&self, mut command: Command) -> Ran {
        let ran = Ran::of(&mut command, "");
        self.assert_nothing_runs();
        Ran { stdout: self.neutral(&ran.stdout), stderr: self.neutral(&ran.stderr), ..ran }
    }

    /// Starts the stage. Returns the lines of its standard output.
    pub(crate) fn start(&self, args: &[&str]) -> (Child, impl Iterator<Item = String> + use<>) {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        (child, lines)
    }

    /// Asserts that the processes in `$RECORD/pids` have ended.
    pub(crate) fn assert_nothing_runs(&self) {
        assert_eq!(self.running(), [""; 0], "still runs");
    }

    /// The processes in `$RECORD/pids` that have not ended.
    pub(crate) fn running(&self) -> Vec<String> {
        let pids = fs::read_to_string(self.record().join("pids")).unwrap_or_default();
        let stats =
            pids.split_whitespace().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
        stats.filter(|stat| !stat.contains(") Z ")).collect()
    }

    /// Replaces the paths and the session ids in `text`.
    fn neutral(&self, text: &str) -> String {
        let text = self.without_paths(text);
        let sessions = fs::read_dir(self.run_dir().join("logs/propose")).into_iter().flatten();
        let ids = sessions.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let text = ids.fold(text, |text, id| text.replace(&id, "[SESSION]"));
        text.replace(env!("CARGO_BIN_EXE_stage-propose"), "stage-propose")
    }
}

/// Asserts the exit status and the records, each as in [`brief`].
#[track_caller]
pub(crate) fn check_run(ran: &Ran, status: i32, records: &[&str]) {
    let found: Vec<String> = ran.stdout.lines().map(brief).collect();
    assert_eq!((ran.status, found), (Some(status), strings(records)), "{}", ran.stderr);
}

fn strings(records: &[&str]) -> Vec<String> {
    records.iter().map(|record| (*record).to_owned()).collect()
}

/// The messages of the failures with this code.
pub(crate) fn failures(ran: &Ran, code: &str) -> Vec<String> {
    let failures = ran.records().into_iter().filter(|record| record["code"] == code);
    failures.map(|record| record["message"].as_str().unwrap().to_owned()).collect()
}

/// `kind task-or-code` of a record.
pub(crate) fn brief(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    let what = if record["record"] == "failure" { &record["code"] } else { &record["task"] };
    format!("{} {}", record["record"].as_str().unwrap(), what.as_str().unwrap())
}
