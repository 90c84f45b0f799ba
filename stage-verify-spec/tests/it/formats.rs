//! Output formats and files.

use fs_err as fs;
use serde_json::json;
use testkit::{ENV_DIR, ENVIRONMENTS};

use crate::world::{World, verdicts};

/// Three tasks, two of which are bad, and another environment.
fn world() -> World {
    let world = World::new();
    world.add_valid_task("a_good");
    world.task_with(
        "b_bad",
        &json!({ "hooks": {"pre_task": "gone.sh", "post_task": "/workspace/scripts/lost.py"} }),
    );
    world.task_with("c_bad", &json!({ "init": {"speed": 1} }));
    world.write_env_file("tasks/seed_tasks.json", "[]");
    world.add_env("other_env");
    world.write(format!("{ENVIRONMENTS}/readme/README.md"), "");
    world
}

fn stable(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("\"generated_at\": ") {
        Some((before, _)) => format!("{before}\"generated_at\": …"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn records() {
    let output = world().run(&[ENVIRONMENTS]);
    assert_eq!(output.status, Some(1));
    insta::assert_snapshot!(output.stdout);
    insta::assert_snapshot!(output.stderr, @"stage-verify-spec: 5 verdicts, 2 of them bad (3 errors, 0 warnings)");
}

#[test]
fn text() {
    let output = world().run(&[ENVIRONMENTS, "--format", "text"]);
    assert_eq!(output.status, Some(1));
    insta::assert_snapshot!(output.stdout);
}

#[test]
fn control_characters_are_escaped_in_text() {
    let world = World::new();
    world.task_with("t", &json!({ "hooks": {}, "x": 1 }));
    world.write_task_file("t", "task.json", r#"{"id":"\u001b[2Jevil","success":{"mode":"\u001b[31m"}}"#);
    let output = world.run(&[ENV_DIR, "--format", "text"]);
    assert!(!output.stdout.contains('\u{1b}') && output.stdout.contains("evil"), "{}", output.stdout);
}

#[test]
fn summary() {
    let world = world();
    let output = world.run(&[ENVIRONMENTS, "--format", "summary-json"]);
    assert_eq!(output.status, Some(1));
    let summary: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    insta::assert_json_snapshot!(summary);
    fs::remove_dir_all(world.tasks_dir()).unwrap();
    fs::remove_file(world.env_dir().join("env.json")).unwrap();
    let output = world.run(&["--format", "summary-json"]);
    assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""));
}

#[test]
fn manifests() {
    let world = world();
    let args = [
        ENVIRONMENTS,
        "--write-status-manifest",
        "out/status.json",
        "--write-verified-split",
        "out/split.json",
        "--write-missing-hook-manifest",
        "out/missing.json",
    ];
    assert_eq!(world.run(&args).status, Some(1));
    for name in ["status", "split", "missing"] {
        let text = fs::read_to_string(world.path(format!("out/{name}.json"))).unwrap();
        insta::assert_snapshot!(name, stable(&text));
    }
}

#[test]
fn output_goes_to_a_file() {
    let world = world();
    let output = world.run(&[ENV_DIR, "-o", "verdicts.jsonl", "-q"]);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    assert_eq!(fs::read_to_string(world.path("verdicts.jsonl")).unwrap().lines().count(), 4);
}

#[test]
fn one_task() {
    let world = world();
    let expected = ["demo_env: ok", "c_bad: bad validation_error"];
    assert_eq!(verdicts(&world.run(&[ENV_DIR, "--task", "c_bad"])), expected);
    assert_eq!(verdicts(&world.run(&[&format!("{ENV_DIR}/tasks/c_bad")])), expected);
    assert_eq!(verdicts(&world.run(&[&format!("{ENV_DIR}/tasks/c_bad/task.json")])), expected);
    let inside =
        world.command(&["--python", "none", "."]).current_dir(world.task_dir("c_bad")).output().unwrap();
    assert_eq!(String::from_utf8(inside.stdout).unwrap().lines().count(), 2);
    let output = world.run(&[ENV_DIR, "--task", "nope"]);
    assert_eq!(output.status, Some(2));
    assert!(output.stderr.contains(&format!("there is no task nope in {ENV_DIR}")), "{}", output.stderr);
}

#[test]
fn specs_in_yaml_come_first() {
    let world = World::new();
    world.add_valid_task("a");
    world.write_task_file("b", "task.yml", "id: [");
    world.write_task_file("c", "task.yaml", "id: c@1\nsuccess: {mode: vlm_checklist}\n");
    world.write_task_file("a", "task.yaml", "- id");
    let expected =
        ["demo_env: ok", "a: bad parse_error", "c: bad missing_vlm_checklist", "b: bad parse_error", "a: ok"];
    assert_eq!(verdicts(&world.run(&[ENV_DIR])), expected);
}

#[test]
fn lints_warn_and_can_be_skipped_or_made_strict() {
    let world = World::new();
    world.task_with("t", &json!({ "difficulty": "nightmare" }));
    world.write_task_file("t", "setup_task.sh", "#!/bin/sh\r\n");
    let dir = format!("{ENV_DIR}/tasks/t");
    let run = |args: &[&str]| {
        let output = world.run(&[&[dir.as_str()], args].concat());
        (output.status, verdicts(&output).swap_remove(1))
    };
    let on = "t: ok unknown_difficulty windows_line_ends".to_owned();
    assert_eq!(run(&[]), (Some(0), on.clone()));
    assert_eq!(run(&["--strict"]), (Some(1), on.replace("ok", "bad")));
    assert_eq!(run(&["--skip-lint", "unknown_difficulty", "--strict"]).1, "t: bad windows_line_ends");
    assert_eq!(run(&["--skip-lint", "all", "--strict"]), (Some(0), "t: ok".to_owned()));
    assert!(world.run(&["--lints"]).stdout.contains("unknown_difficulty  "));
}
