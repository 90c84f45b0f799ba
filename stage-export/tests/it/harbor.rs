//! Task folders and images for Harbor.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use fs_err as fs;
use serde_json::{Value, json};
use testkit::{ENV, names_in};

use crate::world::{World, probed};

const VERIFIER: &str = "\
import json, tempfile
from shared import THRESHOLD

def verify(traj, env_info, task_info):
    with tempfile.NamedTemporaryFile() as file:
        env_info['copy_from_env'](task_info['metadata']['result'], file.name)
        score = json.load(file)['score']
    return {'passed': score >= THRESHOLD, 'score': score, 'feedback': traj['episode_dir'] and 'read'}
";

/// A world with an environment that mounts its scripts and tasks, and the exported task `close`.
fn exported() -> World {
    let world = World::new(&[]);
    let env = json!({
        "id": "demo_env@1", "base": "ubuntu-gnome-systemd_highres",
        "mounts": [
            { "source": "benchmarks/cua_world/environments/demo_env/scripts", "target": "/workspace/scripts" },
            { "source": "benchmarks/cua_world/environments/demo_env/tasks", "target": "/workspace/tasks" },
        ],
        "hooks": { "pre_start": "/workspace/scripts/install.sh 'a b'" }, "resources": { "cpu": 2, "mem_gb": 4 },
        "user_accounts": [{ "name": "ga", "permissions": { "sudo": true } }],
    });
    world.write_env_file("env.json", &env.to_string());
    world.write_env_file("scripts/install.sh", "#!/bin/sh\n");
    world.write_env_file("utils/shared.py", "THRESHOLD = 60\n");
    let spec = json!({
        "id": "close@1", "env_id": "demo_env@1", "description": "Close \"the\" year.\nAll of it.",
        "init": { "timeout_sec": 900, "max_steps": 50 }, "metadata": { "result": world.path("result.json") },
        "hooks": { "pre_task": "/workspace/tasks/close/setup_task.sh", "post_task": "/workspace/tasks/close/export_result.sh" },
        "success": { "mode": "program", "spec": { "program": "verifier.py::verify" } },
    });
    world.add_task("close", &spec, VERIFIER);
    for name in ["setup_task.sh", "export_result.sh", "fixtures.json", "vlm_checklist.json", "data/in.csv"] {
        world.write_task_file("close", name, "{}");
    }
    world.write(world.run_dir().join("solutions/close/solve.sh"), "true\n");
    let ran = world.export_to("harbor", &[], &probed(&["close"]));
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    world
}

#[test]
fn the_agent_sees_what_the_set_up_needs_and_nothing_else() {
    let world = exported();
    let task = world.path("exports/harbor/tasks/demo_env__close");
    assert_eq!(names_in(&task.join("environment/close")), ["data", "setup_task.sh"]);
    assert_eq!(names_in(&task.join("tests/task")), ["data", "export_result.sh", "setup_task.sh"]);
    assert_eq!(names_in(&task.join("solution")), ["solution.sh", "solve.sh"]);
    assert!(!task.join("tests/env/tasks/close/fixtures.json").exists());
    let mode = fs::metadata(task.join("tests/test.sh")).unwrap().permissions().mode();
    assert_ne!(mode & 0o100, 0);
    assert_eq!(fs::read_to_string(task.join("instruction.md")).unwrap(), "Close \"the\" year.\nAll of it.\n");
    let image = world.path(format!("exports/harbor/environments/{ENV}"));
    assert!(image.join("files/workspace/scripts/install.sh").exists());
    assert!(!image.join("files/workspace/tasks").exists());
    let toml = fs::read_to_string(task.join("task.toml")).unwrap();
    let name = fs::read_to_string(image.join("image.txt")).unwrap();
    for line in [
        "name = \"demo_env/close\"",
        "user = \"ga\"",
        "timeout_sec = 900.0",
        "workdir = \"/workspace/tasks\"",
        "memory_mb = 4096",
        "evidence = \"probe\"",
        &format!("docker_image = \"{}\"", name.trim()),
    ] {
        assert!(toml.lines().any(|found| found == line), "{line}: {toml}");
    }
}

/// Harbor runs its first command in the working directory, before it copies a file into the container.
#[test]
fn the_image_has_the_working_directory_of_every_task() {
    let world = exported();
    let install = world.read(format!("exports/harbor/environments/{ENV}/install.sh"));
    assert!(install.contains("mkdir -p \"$tasks/\""), "{install}");
    let settings = world.read(format!("exports/harbor/environments/{ENV}/settings.sh"));
    let toml = world.read("exports/harbor/tasks/demo_env__close/task.toml");
    let place = "/workspace/tasks";
    assert!(settings.contains(&format!("tasks={place}\n")), "{settings}");
    assert!(toml.contains(&format!("workdir = \"{place}\"")), "{toml}");
}

#[test]
fn the_tag_of_an_image_changes_with_what_it_is_built_from() {
    let world = exported();
    let image = || world.read(format!("exports/harbor/environments/{ENV}/image.txt"));
    let before = image();
    world.write_task_file("close", "setup_task.sh", "# changed");
    assert_eq!(world.export_to("harbor", &[], &probed(&["close"])).status, Some(0));
    assert_eq!(image(), before);
    world.write_env_file("scripts/install.sh", "# changed");
    assert_eq!(world.export_to("harbor", &[], &probed(&["close"])).status, Some(0));
    assert_ne!(image(), before);
}

/// The reward after running the exported verifier on a result.
fn reward(world: &World, result: &str) -> Value {
    world.write("result.json", result);
    let mut command = Command::new("python3");
    command.arg(world.path("exports/harbor/tasks/demo_env__close/tests/verify.py"));
    assert!(command.env("LOGS", world.path("logs")).status().unwrap().success());
    serde_json::from_str(&world.read("logs/reward.json")).unwrap()
}

#[test]
fn the_reward_is_the_score_of_the_verifier() {
    let world = exported();
    assert_eq!(reward(&world, r#"{"score": 100}"#), json!({ "reward": 1.0, "passed": 1 }));
    assert_eq!(reward(&world, r#"{"score": 40}"#), json!({ "reward": 0.4, "passed": 0 }));
    assert_eq!(reward(&world, r#"{"score": 1e999}"#), json!({ "reward": 1.0, "passed": 1 }));
    assert_eq!(reward(&world, "nothing"), json!({ "reward": 0.0, "passed": 0 }));
    assert!(world.read("logs/verdict.json").contains("JSONDecodeError"));
}

#[test]
fn what_no_container_can_run_is_left_out() {
    let world = exported();
    world.add_task("looked_at", &json!({ "id": "x", "success": { "mode": "vlm_checklist" } }), "");
    let ran = world.export_to("harbor", &[], &probed(&["close", "looked_at"]));
    assert!(
        ran.stderr.contains("looked_at: left out (not_exportable): no program verifies it"),
        "{}",
        ran.stderr
    );

    let env = json!({ "id": "demo_env@1", "os_type": "windows" });
    world.write_env_file("env.json", &env.to_string());
    let ran = world.export_to("harbor", &[], &probed(&["close"]));
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("environment_not_exportable"), "{}", ran.stderr);
}
