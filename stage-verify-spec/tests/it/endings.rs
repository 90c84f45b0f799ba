//! How the stage ends.

use std::io::{BufRead, BufReader};

use crate::world::{World, end};

#[test]
fn all_good_is_zero() {
    let world = World::new();
    world.task("a");
    assert_eq!(world.run(&["envs/demo_env"]).code, Some(0));
}

#[test]
fn the_limit_of_failures_is_three() {
    let world = World::new();
    world.environment("next_env");
    for name in ["a", "b", "c"] {
        world.task_with(name, r#""init":5"#);
    }
    // As the original does, at the end of the environment.
    let output = world.run(&["envs", "--max-failures", "2"]);
    assert_eq!((output.code, output.records().len()), (Some(3), 4));
    assert!(output.stderr.contains("stopped early"), "{}", output.stderr);
    let input: Vec<_> = ["a", "b", "c"].map(|name| World::record(name, "written")).to_vec();
    let output = world.feed(&["--max-failures", "2"], &input.join("\n"));
    assert_eq!((output.code, output.records().len()), (Some(3), 3));
    let output = world.run(&["envs", "--max-failures", "9"]);
    assert_eq!((output.code, output.records().len()), (Some(1), 5));
}

#[test]
fn what_cannot_be_started_is_two() {
    let world = World::new();
    world.write("empty/x", "");
    let check = |args: &[&str], expected: &str| {
        let output = world.run(args);
        assert_eq!(output.code, Some(2), "{args:?}");
        assert!(output.stderr.contains(expected), "{args:?}: {}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1, "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    };
    check(&["nope"], "no environment nope");
    check(&["empty"], "empty is no environment, no task and no folder of environments");
    check(&["empty/x"], "neither a folder nor a spec");
    check(&["--task", "x"], "--task needs an environment");
    check(&["envs/demo_env", "-o", "no/such/folder/x"], "cannot write the output");
    check(&["-i", "nope.jsonl"], "cannot read the input");
}

#[test]
fn a_python_that_was_asked_for_must_be_there() {
    let world = World::new();
    let output = end(world.command(&["--python", "no-such-python", "envs/demo_env"]).spawn().unwrap());
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("cannot start the Python 'no-such-python'"), "{}", output.stderr);
}

#[test]
fn without_a_python_imports_are_warnings() {
    let world = World::new();
    world.task("a");
    world.write("envs/demo_env/tasks/a/verifier.py", "import json, numpy\ndef verify(): pass\n");
    let output = end(world.command(&["envs/demo_env"]).env("PATH", "").spawn().unwrap());
    assert_eq!((output.code, output.verdicts().swap_remove(1)), (Some(0), "a: ok unknown_import".to_owned()));
    assert!(output.stderr.contains("there is no python3"), "{}", output.stderr);
}

#[test]
fn a_python_is_asked_which_modules_it_has() {
    let world = World::new();
    world.task("a");
    world.write("envs/demo_env/tasks/a/verifier.py", "import json, no_such_module\ndef verify(): pass\n");
    // What lies in the working directory is not installed.
    world.write("no_such_module.py", "raise SystemExit('imported')");
    for _ in 0..2 {
        let output = end(world.command(&["envs/demo_env"]).spawn().unwrap());
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        assert!(output.stdout.contains("imports 'no_such_module'"), "{}", output.stdout);
    }
    assert!(world.path("home/.cache/propose-amplify").is_dir());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::new();
    for n in 0..500 {
        world.task(&format!("t{n}"));
    }
    let mut child = world.start(&["envs/demo_env"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("verdict"));
    drop(lines);
    let output = end(child);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
}
