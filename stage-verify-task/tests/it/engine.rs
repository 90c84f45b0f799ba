//! Engines that do not answer, and engines that fail.

use serde_json::json;
use testkit::Ran;

use crate::world::World;

#[test]
fn without_an_engine_tasks_are_not_run_and_never_ok() {
    let world = World::new();
    world.task("one", &[]);
    world.engine(&json!({ "is_down": true }));
    let ran = world.run(&[]);
    assert_eq!(ran.status, Some(1));
    let trial = &ran.records()[0];
    assert_eq!((&trial["ok"], &trial["episodes"], &trial["issues"]), (&json!(false), &json!([]), &json!([])));
    assert!(trial["not_run"].as_str().unwrap().contains("Is the docker daemon running?"), "{trial:#}");
    assert!(
        ran.stderr.trim_end().lines().last().unwrap().contains("1 task not run: no container engine answers")
    );
    assert_eq!(world.run(&["--optional"]).status, Some(0));
}

#[test]
fn an_engine_that_is_not_installed_is_named() {
    let world = World::new();
    world.task("one", &[]);
    let mut command = world.command(env!("CARGO_BIN_EXE_stage-verify-task"));
    let ran = Ran::of(command.args(["--engine", "no-such-engine"]).arg(world.env_dir()), "");
    assert!(ran.records()[0]["not_run"].as_str().unwrap().contains("cannot start no-such-engine"), "{ran:?}");
}

#[test]
fn an_engine_that_fails_in_the_middle_is_not_the_fault_of_the_task() {
    let world = World::new();
    world.task("one", &[]);
    assert_eq!(world.run(&["--once"]).status, Some(0));
    world.engine(&json!({ "dies_at": "export_result" }));
    let ran = world.run(&["--once"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let records = ran.records();
    assert_eq!((&records[0]["record"], &records[0]["code"]), (&json!("failure"), &json!("engine_failed")));
    assert!(
        records[0]["message"].as_str().unwrap().contains("Cannot connect to the Docker daemon"),
        "{ran:?}"
    );
    assert_eq!(world.containers(), [""; 0]);
    // It tried twice: the machine may have been short of memory.
    assert_eq!(world.calls("run").len(), 1 + 1 + 2);
}

#[test]
fn a_base_image_that_is_not_there_is_named() {
    let world = World::new();
    world.task("one", &[]);
    world.spec(&json!({ "image": "gone" }));
    let mut command = world.command(env!("CARGO_BIN_EXE_stage-verify-task"));
    let ran = Ran::of(command.arg("--engine").arg(world.path("engine/docker")).arg(world.env_dir()), "");
    assert!(ran.records()[0]["not_run"].as_str().unwrap().contains("cannot pull gone"), "{ran:?}");
}
