//! `task` records on standard input.

use std::io::{BufRead, BufReader, Write};

use fs_err as fs;
use serde_json::json;
use testkit::ENV_DIR;

use crate::world::{World, task_record, verdicts};

#[test]
fn tasks_are_checked_and_other_records_pass_through() {
    let world = World::new();
    world.add_valid_task("a");
    world.task_with("b", &json!({ "init": 5 }));
    let failure = r#"{"record":"failure","stage":"amplify","code":"x","message":"y","extra":[1,  2]}"#;
    let other = r#"{"record":"of_somebody_else",  "n":1}"#;
    let input = [
        failure.to_owned(),
        task_record("b", "written"),
        other.to_owned(),
        task_record("c", "rejected"),
        task_record("a", "kept"),
    ];
    let output = world.feed(&[], &input.join("\n"));
    assert_eq!(output.status, Some(1));
    assert_eq!(
        verdicts(&output),
        ["failure", "demo_env: ok", "b: bad validation_error", "of_somebody_else", "task", "a: ok"]
    );
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!((lines[0], lines[3]), (failure, other));
    assert!(output.stderr.contains("1 task record passed on unchecked"), "{}", output.stderr);
    assert!(lines[1].contains(&format!("\"dir\":\"{ENV_DIR}\",\"path\":")), "{}", lines[1]);
    let folder = format!("{ENV_DIR}/tasks/b");
    let paths = format!("\"dir\":\"{folder}\",\"path\":\"{folder}/task.json\"");
    assert!(lines[2].contains(&paths), "{}", lines[2]);
}

#[test]
fn c1_a_record_names_tasks_in_the_workspace_or_in_the_environment_of_the_command_line_only() {
    let (world, elsewhere) = (World::new(), World::new());
    elsewhere.add_valid_task("a");
    let dir = elsewhere.task_dir("a");
    let record =
        json!({ "record": "task", "env": "e", "task": "a", "dir": dir, "status": "kept" }).to_string();
    let ran = world.feed(&[], &record);
    assert_eq!((ran.status, verdicts(&ran)), (Some(1), vec!["task".to_owned()]), "{ran:?}");
    assert!(ran.stderr.contains("neither in the workspace nor in the environment"), "{ran:?}");
    let ran = world.feed(&["--env-dir", elsewhere.env_dir().to_str().unwrap()], &record);
    assert_eq!(
        (ran.status, verdicts(&ran)),
        (Some(0), vec!["demo_env: ok".to_owned(), "a: ok".to_owned()]),
        "{ran:?}"
    );
}

#[test]
fn a_task_is_checked_as_soon_as_its_record_arrives() {
    let world = World::new();
    world.add_valid_task("a");
    world.add_valid_task("b");
    let mut child = world.start(&[]);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for (name, expected) in [("a", 2), ("b", 1)] {
        writeln!(stdin, "{}", task_record(name, "written")).unwrap();
        for _ in 0..expected {
            assert!(lines.next().unwrap().unwrap().contains(r#""ok":true"#));
        }
    }
    drop(stdin);
    assert!(lines.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn many_records_keep_their_order() {
    let world = World::new();
    let names: Vec<_> = (0..300).map(|n| format!("t{n}")).collect();
    for name in &names {
        world.add_valid_task(name);
    }
    let input: Vec<_> = names.iter().map(|name| task_record(name, "written")).collect();
    let output = world.feed(&[], &input.join("\n"));
    let expected: Vec<_> = names.iter().map(|name| format!("{name}: ok")).collect();
    assert_eq!(verdicts(&output)[1..], expected);
}

#[test]
fn the_run_directory_gets_the_manifest() {
    let world = World::new();
    world.add_valid_task("a");
    let output = world.feed(&["--run-dir", "run"], &task_record("a", "written"));
    assert_eq!(output.status, Some(0));
    assert_eq!(fs::read_to_string(world.path("run/verdicts.jsonl")).unwrap(), output.stdout);
    let output = world.feed(&["--env-dir", ENV_DIR], &task_record("a", "written"));
    let manifest = world.run_dir().join("verdicts.jsonl");
    assert_eq!(fs::read_to_string(manifest).unwrap(), output.stdout);
}

#[test]
fn invalid_lines_are_reported_and_skipped() {
    let world = World::new();
    world.add_valid_task("a");
    let input = format!("nonsense\n{}\n{{\"record\":\"task\"}}\n", task_record("a", "written"));
    let output = world.feed(&[], &input);
    assert_eq!(output.status, Some(1));
    assert_eq!(verdicts(&output), ["demo_env: ok", "a: ok"]);
    assert!(output.stderr.contains("standard input:1: no valid record"), "{}", output.stderr);
    assert!(output.stderr.contains("standard input:3: no valid record"), "{}", output.stderr);
}

#[test]
fn a_missing_task_folder_is_reported() {
    let world = World::new();
    let output = world.feed(&[], &task_record("gone", "written"));
    assert_eq!(
        (output.status, verdicts(&output)),
        (Some(1), vec!["demo_env: ok".into(), "gone: bad parse_error".into()])
    );
}

#[test]
fn a_task_of_a_folder_without_an_environment_is_checked() {
    let world = World::new();
    world.add_valid_task("a");
    fs::remove_file(world.env_dir().join("env.json")).unwrap();
    let output = world.feed(&[], &task_record("a", "written"));
    assert_eq!(verdicts(&output), ["demo_env: bad missing_env_spec", "a: ok"]);
}
