//! The engine that is gym-anything, with a runner whose machines are folders.

use std::env;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fs_err as fs;
use serde_json::json;
use testkit::{Ran, names_in, spawn_silently};

use crate::world::{World, codes, episodes};

/// The stage with a gym-anything whose runner is configured like this, on the environment.
fn command(world: &World, runner: &str, args: &[&str]) -> Command {
    world.write("modules/gym_anything.py", include_str!("gym_anything.py"));
    let mut command = world.command(env!("CARGO_BIN_EXE_stage-verify-task"));
    command.args(["--engine", "gym-anything", "--jobs", "2"]).args(args);
    if !args.contains(&"--list-images") {
        command.arg(world.env_dir());
    }
    command.env("PYTHONPATH", world.path("modules")).env("RUNNER", runner);
    command
}

fn run(world: &World, runner: &str, args: &[&str]) -> Ran {
    Ran::of(&mut command(world, runner, args), "")
}

fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "waited for a minute");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Machines that were not ended.
fn machines(world: &World) -> Vec<String> {
    names_in(&world.path("")).into_iter().filter(|name| name.starts_with("machine-")).collect()
}

#[test]
fn tasks_run_in_the_machines_of_a_runner() {
    let world = World::new();
    world.task("one", &[]);
    world.task("two", &[]);
    world.solution("one", "solve.sh", "echo true >\"$ROOT/state\"\n");
    let ran = run(&world, "{}", &["--once"]);
    let records = ran.records();
    assert_eq!(episodes(&records[0]), [("untouched", "fail"), ("solution", "pass")], "{ran:?}");
    assert_eq!((&records[0]["ok"], codes(&records[1])), (&json!(true), vec![]), "{ran:?}");
    assert_eq!(records[0]["engine"], "gym-anything");
    // The set-up of the environment ran once, and its files name the checkpoint.
    let image = records[0]["image"].as_str().unwrap();
    let hash = image.rsplit(':').next().unwrap();
    assert_eq!(names_in(&world.path("checkpoints")), [format!("{hash}-post_start")]);
    assert_eq!(machines(&world), [""; 0]);
}

#[test]
fn the_status_of_a_hook_is_that_of_the_script_and_not_of_the_runner() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", "echo no display >&2\nexit 3\n")]);
    let trial = run(&world, "{}", &["--once"]).records().remove(0);
    assert_eq!(codes(&trial), ["setup_failed"], "{trial:#}");
    assert_eq!(trial["episodes"][0]["setup"]["exit"], 3);
    assert_eq!(trial["episodes"][0]["setup"]["log"], "no display");
}

#[test]
fn a_script_ends_at_its_time_limit() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", "sleep 60\n")]);
    let spec = world.read(world.task_dir("one").join("task.json"));
    let spec = spec.replace("\"pre_task\":", "\"pre_task_timeout\": 1, \"pre_task\":");
    world.write_task_file("one", "task.json", &spec);
    let trial = run(&world, "{}", &["--once"]).records().remove(0);
    assert_eq!(codes(&trial), ["setup_timeout"], "{trial:#}");
    assert_eq!(machines(&world), [""; 0]);
}

#[test]
fn no_checkpoint_is_kept_after_a_failed_hook() {
    let world = World::new();
    world.task("one", &[]);
    world.write_env_file("scripts/install.sh", "exit 100\n");
    let trial = run(&world, "{}", &[]).records().remove(0);
    assert!(trial["not_run"].as_str().unwrap().contains("pre_start ended with 100"), "{trial:#}");
    assert!(!world.path("checkpoints").exists());
    assert_eq!(machines(&world), [""; 0]);
}

#[test]
fn a_runner_without_checkpoints_is_named() {
    let world = World::new();
    world.task("one", &[]);
    let trial = run(&world, r#"{"forgets": true}"#, &[]).records().remove(0);
    assert!(trial["not_run"].as_str().unwrap().contains("Runner keeps no checkpoints"), "{trial:#}");
}

#[test]
fn a_machine_that_is_still_starting_is_ended_with_the_stage() {
    let world = World::new();
    world.task("one", &[]);
    let mut stage = command(&world, r#"{"hangs": true}"#, &[]);
    let mut stage = spawn_silently(&mut stage);
    wait_until(|| !machines(&world).is_empty());
    stage.kill().unwrap();
    stage.wait().unwrap();
    wait_until(|| machines(&world).is_empty());
}

#[test]
fn a_container_that_outlives_its_runner_is_removed() {
    let world = World::new();
    world.task("one", &[]);
    let docker = "case $1 in container) [ -d \"$3\" ] ;; rm) rm -r \"$4\" ;; esac";
    world.write("bin/docker", &format!("#!/bin/sh\n{docker}\n"));
    fs::set_permissions(world.path("bin/docker"), Permissions::from_mode(0o755)).unwrap();
    let mut command = command(&world, r#"{"outlived": true}"#, &["--once"]);
    let path = format!("{}:{}", world.path("bin").display(), env::var("PATH").unwrap());
    let ran = Ran::of(command.env("PATH", path), "");
    assert_eq!(codes(&ran.record()), [""; 0], "{ran:?}");
    assert_eq!(machines(&world), [""; 0]);
}

#[test]
fn without_gym_anything_tasks_are_not_run() {
    let world = World::new();
    world.task("one", &[]);
    let mut command = command(&world, "{}", &[]);
    world.write("modules/gym_anything.py", "raise ImportError('not here')");
    let ran = Ran::of(&mut command, "");
    let reason = ran.record()["not_run"].as_str().unwrap().to_owned();
    assert!(reason.contains("gym-anything is not installed for python3: ImportError: not here"), "{reason}");
    assert_eq!(ran.status, Some(1));
}

#[test]
fn the_checkpoints_of_gym_anything_are_not_listed() {
    let world = World::new();
    let ran = run(&world, "{}", &["--list-images"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("gym-anything keeps its checkpoints itself"), "{ran:?}");
}
