//! Interrupts, and a stage that is killed.

use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Ran, spawn_silently};

use crate::world::{SETUP, World};

/// Starts the stage on a task whose set-up lasts for `seconds`, and waits until it is being set up.
fn start(world: &World, seconds: u32) -> Child {
    world.task(
        "one",
        &[(
            "setup_task.sh",
            &format!("{SETUP}: >\"{}\"\nsleep {seconds}\n", world.path("running").display()),
        )],
    );
    let child =
        spawn_silently(world.stage(&["--once"]).arg("--run-dir").arg(world.run_dir()).arg(world.env_dir()));
    wait_until(|| world.path("running").exists());
    child
}

fn wait_until(happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !happened() {
        assert!(Instant::now() < deadline, "it did not happen within a minute");
        sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn the_first_interrupt_finishes_running_tasks() {
    let world = World::new();
    let mut child = start(&world, 2);
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let partial = world.read(world.run_dir().join("trials.jsonl.partial"));
    assert_eq!(partial.matches("\"record\":\"trial\"").count(), 1, "{partial}");
    assert_eq!(world.containers(), [""; 0]);
}

#[test]
fn the_second_interrupt_ends_running_tasks() {
    let world = World::new();
    let mut child = start(&world, 300);
    signal(&child, Signal::INT);
    sleep(Duration::from_millis(200));
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    wait_until(|| world.containers().is_empty());
}

#[test]
fn no_container_outlives_a_stage_that_is_killed() {
    let world = World::new();
    let mut child = start(&world, 5);
    assert_eq!(world.containers().len(), 1);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    wait_until(|| world.containers().is_empty());
    // The same command goes on.
    world.task("one", &[]);
    let ran = Ran::of(world.stage(&["--once"]).arg(world.env_dir()), "");
    assert_eq!(ran.status, Some(0), "{ran:?}");
}
