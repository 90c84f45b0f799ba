//! What helps people who audit a whole corpus.

use fs_err as fs;
use serde_json::{Value, json};
use testkit::{ENV_DIR, ENVIRONMENTS, Ran};

use crate::world::{World, verdicts};

/// A valid task and two bad ones.
fn world() -> World {
    let world = World::new();
    world.add_valid_task("a_good");
    world.task_with("b_bad", &json!({ "hooks": {"pre_task": "gone.sh"} }));
    world.task_with("c_bad", &json!({ "init": {"speed": 1}, "difficulty": "nightmare" }));
    world
}

#[test]
fn missing_modules_are_named_in_one_line_with_the_command_that_installs_them() {
    let world = World::new();
    for (task, import) in [("a", "PIL, nowhere_to_be_found"), ("b", "gym_anything, PIL"), ("c", "json")] {
        world.add_valid_task(task);
        world.write_task_file(task, "verifier.py", &format!("import {import}\ndef verify(): pass\n"));
    }
    world.write("bin/no-packages", "#!/bin/sh\nexec python3 -S -I \"$@\"\n");
    fs::set_permissions(world.path("bin/no-packages"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let python = world.path("bin/no-packages").to_string_lossy().into_owned();
    let output = Ran::of(&mut world.command(&["--python", &python, ENV_DIR]), "");
    let line = output.stderr.lines().last().unwrap().replace(&python, "PYTHON");
    insta::assert_snapshot!(line);
}

#[test]
fn text_ends_with_tables_by_code_and_by_environment() {
    let world = world();
    world.add_env("other_env");
    let output = world.run(&[ENVIRONMENTS, "--format", "text"]);
    let (_, tables) = output.stdout.split_once("\n\n").unwrap();
    insta::assert_snapshot!(tables);
}

#[test]
fn only_bad_leaves_out_the_good_and_counts_them() {
    let output = world().run(&[ENV_DIR, "--only-bad"]);
    assert_eq!(
        verdicts(&output),
        ["b_bad: bad missing_hook_reference", "c_bad: bad validation_error unknown_difficulty"]
    );
    assert!(output.stderr.contains("4 verdicts, 2 of them bad"), "{}", output.stderr);
    assert_eq!(world().run(&["--only-bad", "--env-dir", ENV_DIR]).status, Some(2));
}

#[test]
fn a_baseline_tells_new_findings_from_fixed_ones() {
    let world = world();
    assert_eq!(world.run(&[ENVIRONMENTS, "-o", "before.jsonl"]).status, Some(1));
    world.add_valid_task("b_bad");
    world.task_with("d_new", &json!({ "init": {"speed": 1} }));
    fs::remove_dir_all(world.task_dir("a_good")).unwrap();
    let output = world.run(&[ENVIRONMENTS, "--baseline", "before.jsonl", "--format", "text"]);
    assert!(
        output.stdout.contains("\nNew findings:\n  demo_env/d_new: validation_error\n"),
        "{}",
        output.stdout
    );
    let fixed = "\nFixed findings:\n  demo_env/b_bad: missing_hook_reference\n";
    assert!(output.stdout.ends_with(fixed), "{}", output.stdout);
    insta::assert_snapshot!(output.stderr.lines().last().unwrap());
    let output = world.run(&[ENVIRONMENTS, "--baseline", "before.jsonl", "-v"]);
    assert!(output.stderr.contains("new: demo_env/d_new: validation_error"), "{}", output.stderr);
}

#[test]
fn a_baseline_without_verdicts_is_refused() {
    let world = world();
    world.write("empty.jsonl", "");
    let output = world.run(&[ENV_DIR, "--baseline", "empty.jsonl"]);
    assert_eq!(output.status, Some(2));
    assert!(output.stderr.contains("contains no verdict record"), "{}", output.stderr);
    assert_eq!(world.run(&[ENV_DIR, "--baseline", "nope.jsonl"]).status, Some(2));
}

#[test]
fn csv_has_a_row_for_each_finding() {
    insta::assert_snapshot!(world().run(&[ENV_DIR, "--format", "csv"]).stdout);
}

#[test]
fn sarif_has_rules_results_and_their_state() {
    let world = world();
    assert_eq!(world.run(&[&format!("{ENV_DIR}/tasks/b_bad"), "-o", "before.jsonl"]).status, Some(1));
    let output = world.run(&[ENV_DIR, "--format", "sarif", "--baseline", "before.jsonl"]);
    let mut sarif: Value = serde_json::from_str(&output.stdout).unwrap();
    sarif["runs"][0]["tool"]["driver"]["version"] = json!("VERSION");
    insta::assert_json_snapshot!(sarif);
    fs::remove_dir_all(world.tasks_dir()).unwrap();
    let empty: Value = serde_json::from_str(&world.run(&[ENV_DIR, "--format", "sarif"]).stdout).unwrap();
    assert_eq!(empty["runs"][0]["results"], json!([]));
}

/// The tasks of the file of valid tasks.
fn split(world: &World) -> Value {
    let split: Value = serde_json::from_slice(&fs::read(world.path("verified.json")).unwrap()).unwrap();
    assert_eq!(split["task_count"], split["tasks"].as_array().unwrap().len());
    split["tasks"].clone()
}

#[test]
fn the_split_of_one_environment_keeps_the_others() {
    let world = world();
    world.write(
        "verified.json",
        r#"{"root": "all", "by_environment": {"demo_env": ["b_bad", "gone"], "far_env": ["z", "y"]}}"#,
    );
    let path = format!("{ENV_DIR}/tasks/b_bad");
    assert_eq!(world.run(&[&path, "--write-verified-split", "verified.json"]).status, Some(1));
    assert_eq!(split(&world), json!(["demo_env/gone", "far_env/y", "far_env/z"]));
    assert_eq!(world.run(&[ENV_DIR, "--write-verified-split", "verified.json"]).status, Some(1));
    assert_eq!(split(&world), json!(["demo_env/a_good", "far_env/y", "far_env/z"]));
    // A whole corpus is known completely.
    assert_eq!(world.run(&[ENVIRONMENTS, "--write-verified-split", "verified.json"]).status, Some(1));
    assert_eq!(split(&world), json!(["demo_env/a_good"]));
}

#[test]
fn a_file_that_is_not_a_split_is_not_replaced() {
    let world = world();
    world.write("verified.json", "{}");
    let output = world.run(&[ENV_DIR, "--write-verified-split", "verified.json"]);
    assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""));
    assert_eq!(fs::read_to_string(world.path("verified.json")).unwrap(), "{}");
}
