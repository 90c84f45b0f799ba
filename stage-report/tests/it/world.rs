//! A workspace with a run to report.

use derive_more::Deref;
use serde_json::{Value, json};
use testkit::{ENV, ENV_DIR, Ran, Workspace};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_stage-report");

/// A workspace with a run to report.
#[derive(Deref)]
pub(crate) struct World(Workspace);

impl World {
    pub(crate) fn new() -> Self {
        let world = Self(Workspace::new());
        fs_err::create_dir_all(world.run_dir()).unwrap();
        world
    }

    /// Three tasks: one is good, one has a bad verdict, one was not written.
    pub(crate) fn with_run() -> Self {
        let world = Self::new();
        for task in ["good", "bad"] {
            world.add_valid_task(task);
        }
        world.manifest("plan", &[plan(1, "good"), plan(2, "bad"), plan(3, "lost")]);
        let failure = json!({"record": "failure", "env": ENV, "task": "lost", "stage": "amplify",
            "code": "unusable_answers", "message": "no usable answer", "attempts": 2});
        world.manifest("files", std::slice::from_ref(&failure));
        world.manifest("tasks", &[failure.clone(), task("good"), task("bad")]);
        let error = json!([{"code": "parse_error", "severity": "error", "message": "line 2: no value"}]);
        world.manifest("verdicts", &[failure, verdict("good", &json!([])), verdict("bad", &error)]);
        let asked = json!({"amplify": {"asked": {"software": "Books", "count": 4, "model": "m"}}});
        world.write(world.run_dir().join("run.json"), &asked.to_string());
        let answers = [
            json!({"label": "plan/1", "model": "claude-opus-4-5", "text": "",
                "usage": {"uncached_input": 1_000_000}, "seconds": 3, "cost": 5.0}),
            json!({"label": "files/good", "model": "claude-opus-4-5", "text": "",
                "usage": {"cache_read": 1_000_000}, "cost": 0.5}),
        ];
        world.manifest("answers", &answers);
        world
    }

    /// Writes a manifest of the run.
    pub(crate) fn manifest(&self, name: &str, records: &[Value]) {
        let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
        self.write(self.run_dir().join(format!("{name}.jsonl")), &(lines.join("\n") + "\n"));
    }

    /// Reports the run.
    pub(crate) fn report(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(PROGRAM);
        command.arg("--workspace").arg(self.root());
        Ran::of(command.arg("--run-dir").arg(self.run_dir()).args(arguments), "")
    }

    /// The figures of the run.
    pub(crate) fn figures(&self) -> Value {
        let ran = self.report(&["--json"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

fn plan(index: usize, task: &str) -> Value {
    json!({"record": "plan", "env": ENV, "task": task, "index": index, "title": task,
        "occupation": "Clerks", "features": ["invoice"], "archetype": "repair", "difficulty": "hard"})
}

fn task(name: &str) -> Value {
    json!({"record": "task", "env": ENV, "task": name, "dir": format!("{ENV_DIR}/tasks/{name}"),
        "status": "written"})
}

pub(crate) fn verdict(task: &str, issues: &Value) -> Value {
    let dir = format!("{ENV_DIR}/tasks/{task}");
    let ok = issues.as_array().unwrap().is_empty();
    json!({"record": "verdict", "env": ENV, "task": task, "kind": "task", "dir": dir, "path": dir,
        "ok": ok, "issues": issues})
}
