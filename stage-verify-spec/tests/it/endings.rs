//! Exit statuses.

use std::io::{BufRead, BufReader, Write};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testkit::{ENV_DIR, ENVIRONMENTS, Ran};

use crate::world::{World, task_record, verdicts};

#[test]
fn valid_tasks_exit_with_0() {
    let world = World::new();
    world.add_valid_task("a");
    assert_eq!(world.run(&[ENV_DIR]).status, Some(0));
}

#[test]
fn max_failures_exits_with_3() {
    let world = World::new();
    world.add_env("next_env");
    for name in ["a", "b", "c"] {
        world.task_with(name, &json!({ "init": 5 }));
    }
    // As the original does, at the end of the environment.
    let output = world.run(&[ENVIRONMENTS, "--max-failures", "2"]);
    assert_eq!((output.status, output.records().len()), (Some(3), 4));
    assert!(output.stderr.contains("stopped early"), "{}", output.stderr);
    let input: Vec<_> = ["a", "b", "c"].map(|name| task_record(name, "written")).to_vec();
    let output = world.feed(&["--max-failures", "2"], &input.join("\n"));
    assert_eq!((output.status, output.records().len()), (Some(3), 3));
    let output = world.run(&[ENVIRONMENTS, "--max-failures", "9"]);
    assert_eq!((output.status, output.records().len()), (Some(1), 5));
}

#[test]
fn errors_at_startup_exit_with_2() {
    let world = World::new();
    world.write("empty/x", "");
    let check = |args: &[&str], expected: &str| {
        let output = world.run(args);
        assert_eq!(output.status, Some(2), "{args:?}");
        assert!(output.stderr.contains(expected), "{args:?}: {}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1, "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    };
    check(&["nope"], "no environment nope");
    check(&["empty"], "empty is not an environment, a task or a folder of environments");
    check(&["empty/x"], "neither a folder nor a spec");
    check(&["--task", "x"], "--task needs an environment");
    check(&[ENV_DIR, "-o", "no/such/folder/x"], "cannot write the output");
    check(&["-i", "nope.jsonl"], "cannot read the input");
}

#[test]
fn one_of_a_kind_is_counted_in_the_singular() {
    let world = World::new();
    world.task_with("a", &json!({ "init": 5 }));
    let output = world.feed(&[], &task_record("a", "rejected"));
    assert!(output.stderr.contains("1 task record passed on unchecked"), "{}", output.stderr);
    let output = world.run(&[ENV_DIR]);
    assert!(output.stderr.contains("2 verdicts, 1 of them bad (1 error, 0 warnings)"), "{}", output.stderr);
}

#[test]
fn a_misspelled_name_gets_a_suggestion() {
    let world = World::new();
    world.add_env("moodle_env");
    world.add_valid_task("merge_two_cohorts");
    let check = |args: &[&str], expected: &str| {
        let output = world.run(args);
        assert_eq!(output.status, Some(2), "{args:?}");
        assert!(output.stderr.contains(expected), "{args:?}: {}", output.stderr);
    };
    check(&["modle_env"], "did you mean moodle_env?");
    check(&["--env-dir", "mooodle_env"], "did you mean moodle_env?");
    check(&[ENV_DIR, "--task", "merge_to_cohort"], "did you mean merge_two_cohorts?");
}

#[test]
fn a_named_python_must_exist() {
    let world = World::new();
    let output = Ran::of(&mut world.command(&["--python", "no-such-python", ENV_DIR]), "");
    assert_eq!(output.status, Some(2));
    assert!(output.stderr.contains("cannot start the Python 'no-such-python'"), "{}", output.stderr);
}

#[test]
fn without_a_python_imports_are_warnings() {
    let world = World::new();
    world.add_valid_task("a");
    world.write_task_file("a", "verifier.py", "import json, numpy\ndef verify(): pass\n");
    let output = Ran::of(world.command(&[ENV_DIR]).env("PATH", ""), "");
    assert_eq!(
        (output.status, verdicts(&output).swap_remove(1)),
        (Some(0), "a: ok unknown_import".to_owned())
    );
    assert!(output.stderr.contains("python3 is not installed"), "{}", output.stderr);
}

#[test]
fn a_python_is_asked_which_modules_it_has() {
    let world = World::new();
    world.add_valid_task("a");
    world.write_task_file("a", "verifier.py", "import json, no_such_module\ndef verify(): pass\n");
    // What lies in the working directory is not installed.
    world.write("no_such_module.py", "raise SystemExit('imported')");
    for _ in 0..2 {
        let output = Ran::of(&mut world.command(&[ENV_DIR]), "");
        assert_eq!(output.status, Some(1), "{}", output.stderr);
        assert!(output.stdout.contains("imports 'no_such_module'"), "{}", output.stdout);
    }
    assert!(world.path("home/.cache/propose-amplify").is_dir());
}

#[test]
fn f2_a_stage_whose_reader_is_gone_exits_with_141_and_without_a_message() {
    let world = World::new();
    for n in 0..500 {
        world.add_valid_task(&format!("t{n}"));
    }
    for format in ["jsonl", "text", "summary-json", "sarif", "csv"] {
        let mut child = world.start(&[ENV_DIR, "--format", format]);
        drop(child.stdout.take());
        let output = Ran::from(child.wait_with_output().unwrap());
        assert_eq!((output.status, output.stderr.as_str()), (Some(141), ""), "{format}");
        assert!(!world.run_dir().join("verdicts.jsonl").exists());
    }
}

#[test]
fn f3_a_signal_ends_the_stage_although_standard_input_is_open() {
    let world = World::new();
    world.add_valid_task("a");
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = world.start(&[]);
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", task_record("a", "written")).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.by_ref().take(2).count(), 2);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(lines.count(), 0);
        let output = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(output.status, Some(130), "{output:?}");
        assert!(output.stderr.contains("interrupted") && output.stderr.contains("2 verdicts"), "{output:?}");
        assert!(!world.run_dir().join("verdicts.jsonl").exists());
    }
}
