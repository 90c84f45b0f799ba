//! A workspace with an environment, and an engine that is a script.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use derive_more::Deref;
use fs_err as fs;
use serde_json::{Value, json};
use testkit::{ENV_DIR, Ran, Workspace};

/// A verifier that passes if the result says `done`, and reads it like most verifiers do.
pub(crate) const VERIFIER: &str = r#"
import json, os, tempfile

def verify(traj, env_info, task_info):
    path = os.path.join(tempfile.gettempdir(), "result.json")
    try:
        env_info["copy_from_env"]("/tmp/task_result.json", path)
    except FileNotFoundError:
        return {"passed": False, "score": 0, "feedback": "no result"}
    with open(path) as file:
        result = json.load(file)
    done = result.get("done") is True
    return {"passed": done, "score": 100 if done else result.get("score", 0), "feedback": "as the result says"}
"#;

/// A set-up that opens a window and writes a state.
pub(crate) const SETUP: &str = "echo 'The application' >\"$ROOT/windows\"\necho application >\"$ROOT/ps\"\necho false >\"$ROOT/state\"\n";

/// An export that writes the state as the result.
pub(crate) const EXPORT: &str = "mkdir -p \"$ROOT/tmp\"\nprintf '{\"done\": %s}' \"$(cat \"$ROOT/state\")\" >\"$ROOT/tmp/task_result.json\"\n";

#[derive(Deref)]
pub(crate) struct World {
    workspace: Workspace,
}

impl World {
    /// An environment without tasks, and an engine with the image `base`.
    pub(crate) fn new() -> Self {
        let world = Self { workspace: Workspace::new() };
        world.write_env_file("scripts/install.sh", "echo installed >\"$ROOT/installed\"\n");
        world.spec(&json!({ "hooks": { "pre_start": "/workspace/scripts/install.sh" } }));
        fs::create_dir_all(world.path("engine/images/base")).unwrap();
        fs::create_dir_all(world.path("engine/containers")).unwrap();
        world.write("engine/docker", include_str!("engine.py"));
        fs::set_permissions(world.path("engine/docker"), Permissions::from_mode(0o755)).unwrap();
        world.engine(&json!({}));
        world
    }

    /// Replaces fields of the environment's spec.
    pub(crate) fn spec(&self, fields: &Value) {
        let mount = |name: &str| json!({ "source": format!("{ENV_DIR}/{name}"), "target": format!("/workspace/{name}") });
        let mut spec = json!({
            "id": "demo_env@1", "base": "ubuntu-gnome-systemd", "mounts": [mount("scripts"), mount("tasks")],
        });
        for (key, value) in fields.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.write_env_file("env.json", &spec.to_string());
    }

    /// Configures the engine.
    pub(crate) fn engine(&self, config: &Value) {
        self.write("engine/engine.json", &config.to_string());
    }

    /// Adds a valid task, with some of its files replaced.
    pub(crate) fn task(&self, name: &str, replaced: &[(&str, &str)]) {
        let hook = |script: &str| format!("/workspace/tasks/{name}/{script}");
        let spec = json!({
            "id": format!("{name}@1"), "env_id": "demo_env@1", "description": "Do it.",
            "hooks": { "pre_task": hook("setup_task.sh"), "post_task": hook("export_result.sh") },
            "success": { "mode": "program", "spec": { "program": "verifier.py::verify" } },
        });
        self.add_task(name, &spec, VERIFIER);
        let files = [("setup_task.sh", SETUP), ("export_result.sh", EXPORT)];
        for (file, content) in files.iter().chain(replaced) {
            self.write_task_file(name, file, content);
        }
        for script in ["setup_task.sh", "export_result.sh"] {
            let path = self.task_dir(name).join(script);
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(self.env_dir().join("scripts/install.sh"), Permissions::from_mode(0o755))
            .unwrap();
    }

    /// Adds a solution of a task.
    pub(crate) fn solution(&self, task: &str, name: &str, script: &str) {
        self.write(self.run_dir().join("solutions").join(task).join(name), script);
    }

    /// The command that runs the stage on the engine.
    pub(crate) fn stage(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_stage-verify-task"));
        command
            .arg("--engine")
            .arg(self.path("engine/docker"))
            .args(["--base-image", "base", "--jobs", "2"])
            .args(args);
        command
    }

    /// Runs the stage on the environment.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.stage(args).arg(self.env_dir()), "")
    }

    /// The trial of the only task.
    pub(crate) fn trial(&self, args: &[&str]) -> Value {
        let ran = self.run(args);
        let mut records = ran.records();
        assert_eq!(records.len(), 1, "{ran:?}");
        assert_eq!(self.containers(), [""; 0], "containers remain");
        records.remove(0)
    }

    /// The names of the containers that are there.
    pub(crate) fn containers(&self) -> Vec<String> {
        testkit::names_in(&self.path("engine/containers"))
    }

    /// The calls of the engine that start like this.
    pub(crate) fn calls(&self, start: &str) -> Vec<String> {
        self.read("engine/calls.txt")
            .lines()
            .filter(|line| line.starts_with(start))
            .map(str::to_owned)
            .collect()
    }

    /// Another folder of the workspace.
    pub(crate) fn trials(&self, task: &str) -> PathBuf {
        self.run_dir().join("trials").join(task)
    }
}

/// The codes of a trial's issues.
pub(crate) fn codes(trial: &Value) -> Vec<&str> {
    trial["issues"].as_array().unwrap().iter().map(|issue| issue["code"].as_str().unwrap()).collect()
}

/// The names of a trial's episodes, and whether they pass.
pub(crate) fn episodes(trial: &Value) -> Vec<(&str, &str)> {
    let episodes = trial["episodes"].as_array().unwrap().iter();
    let outcome = |episode: &Value| if episode["verdict"]["outcome"] == "pass" { "pass" } else { "fail" };
    episodes.map(|episode| (episode["name"].as_str().unwrap(), outcome(episode))).collect()
}
