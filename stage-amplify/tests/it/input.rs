//! Inputs and run directories that the stage refuses, before anything is spent.

use std::collections::BTreeMap;

use testkit::files_below;

use crate::world::{Ran, World, good_server};

const FAILURE: &str = "{\"record\":\"failure\",\"stage\":\"propose\",\"code\":\"x\",\"message\":\"y\"}\n";
const SEED: &str =
    "{\"record\":\"seed\",\"env\":\"demo_env\",\"task\":\"t\",\"dir\":\"x\",\"origin\":\"agent\"}\n";

#[test]
fn an_input_without_seeds_starts_nothing() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "1"]).status, Some(0));
    let before = (server.log().len(), files_without_lock(&world));
    for input in ["", FAILURE] {
        let ran = Ran::of(&mut world.command_at(&server, &["--count", "2"]), input);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), input), "{ran:?}");
        assert!(ran.stderr.contains("the input has no seed record"), "{ran:?}");
        assert!((server.log().len(), files_without_lock(&world)) == before, "{ran:?}");
    }
    let ran = Ran::of(&mut world.command_at(&server, &["--count", "2", "--env-seeds"]), "");
    assert_eq!((ran.status, ran.records().len()), (Some(0), 2), "{ran:?}");
}

#[test]
fn an_input_without_what_a_pass_needs_changes_nothing() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "1"]).status, Some(0));
    for pass in ["files", "snapshot", "repair"] {
        let before = (server.log().len(), files_without_lock(&world));
        let ran = Ran::of(&mut world.command_at(&server, &["--pass", pass]), SEED);
        assert_eq!(ran.status, Some(2), "{pass}: {ran:?}");
        assert!(ran.stderr.contains("record, so there is nothing to do"), "{pass}: {ran:?}");
        assert!((server.log().len(), files_without_lock(&world)) == before, "{pass}: {ran:?}");
    }
}

#[test]
fn the_run_directory_of_another_environment_is_refused() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "1"]).status, Some(0));
    world.add_env("other_env");
    let before = (server.log().len(), files_without_lock(&world));
    for more in [&[][..], &["--estimate"], &["--dry-run"]] {
        let run_dir = world.run_dir();
        let args = [&["--count", "2", "--run-dir", run_dir.to_str().unwrap()], more].concat();
        let ran = Ran::from(world.command_on("other_env", &args).output().unwrap());
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("is the run directory of demo_env, not of other_env"), "{ran:?}");
        assert!((server.log().len(), files_without_lock(&world)) == before, "{ran:?}");
    }
    assert!(!world.path("benchmarks/cua_world/environments/other_env/tasks/seed_tasks.json").exists());
}

/// The files of the run directory with their contents, except the locks, which hold ids of processes.
fn files_without_lock(world: &World) -> BTreeMap<String, String> {
    let mut files = files_below(&world.run_dir());
    files.retain(|name, _| name != ".amplify.lock");
    files
}
