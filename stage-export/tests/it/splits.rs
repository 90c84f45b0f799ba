//! gym-anything's split files.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::ENV;

use crate::world::{World, probed};

const FILE: &str = "demo_split.json";

fn split(train: &[&str], test: &[&str]) -> Value {
    json!({
        "env_folder": format!("examples/{ENV}"), "train_ratio": 0.8, "train_tasks": train, "test_tasks": test,
        "additional_splits": { "mine": ["old_b", "old_a"] },
    })
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// The list in which each task is.
fn sides(split: &Value) -> BTreeMap<String, &'static str> {
    let side = |list: &'static str| names(&split[list]).into_iter().map(move |name| (name, list));
    side("train_tasks").chain(side("test_tasks")).collect()
}

#[test]
fn tasks_are_added_once_and_nothing_else_changes() {
    let world = World::new(&["old_a", "old_b", "new"]);
    // The list is not sorted: its order is kept, and new tasks are at the end.
    world.write_split(FILE, &split(&["old_b", "old_a"], &["gone"]));
    let before = world.split_text(FILE);
    let ran = world.export(&[], &probed(&["old_a", "new"]));
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 task for training and 0 for tests added to"), "{}", ran.stderr);
    let after = world.split_text(FILE);
    assert_eq!(
        after,
        before.replace("    \"old_a\"\n  ],\n  \"test", "    \"old_a\",\n    \"new\"\n  ],\n  \"test")
    );
    assert_eq!(world.export(&[], &probed(&["old_a", "new"])).status, Some(0));
    assert_eq!(world.split_text(FILE), after);
}

#[test]
fn adding_tasks_never_moves_one_that_is_there() {
    let tasks: Vec<String> = (0..100).map(|n| format!("task_{n}")).collect();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let world = World::new(&[]);
    for (n, task) in tasks.iter().enumerate() {
        let spec =
            json!({ "id": format!("{task}@1"), "description": format!("Task number {n} of its own kind") });
        world.add_task(task, &spec, "");
    }
    world.write_split(FILE, &split(&[], &[]));
    let mut before = BTreeMap::new();
    for n in (0..=100).step_by(5).skip(1) {
        assert_eq!(world.export(&[], &probed(&tasks[..n])).status, Some(0));
        let after = sides(&world.split(FILE));
        assert_eq!(after.len(), n);
        assert!(before.iter().all(|(task, side)| after[task] == *side));
        before = after;
    }
    assert!(before.values().any(|side| *side == "test_tasks"));

    // All at once, the sides are the same.
    world.write_split(FILE, &split(&[], &[]));
    assert_eq!(world.export(&[], &probed(&tasks)).status, Some(0));
    assert_eq!(sides(&world.split(FILE)), before);
}

#[test]
fn seeds_are_training_tasks_and_so_is_what_resembles_them() {
    let world = World::new(&[]);
    let text = "Enter the invoices of March into the ledger and close the period with a reconciled balance";
    let mut records = Vec::new();
    for n in 0..20 {
        let name = format!("task_{n}");
        world.add_task(&name, &json!({ "id": name, "description": format!("{text}, number {n}") }), "");
        records.extend(probed(&[&name]));
    }
    records.push(json!({
        "record": "seed", "env": ENV, "task": "task_7", "dir": "x", "origin": "agent", "files": []
    }));
    world.write_split(FILE, &split(&[], &[]));
    assert_eq!(world.export(&[], &records).status, Some(0));
    assert_eq!(names(&world.split(FILE)["train_tasks"]).len(), 20);
}

#[test]
fn a_list_of_all_tasks_and_one_of_long_tasks_are_kept_complete() {
    let world = World::new(&["short"]);
    let long = json!({ "id": "long@1", "description": "Do much.", "init": { "max_steps": 300 } });
    world.add_task("long", &long, "");
    let mut before = split(&["a"], &[]);
    before["all_tasks"] = json!(["a"]);
    world.write_split(FILE, &before);
    assert_eq!(world.export(&[], &probed(&["long", "short"])).status, Some(0));
    let after = world.split(FILE);
    assert_eq!(after["all_tasks"], json!(["a", "long", "short"]));
    assert_eq!(after["additional_splits"], json!({ "mine": ["old_b", "old_a"], "long_horizon": ["long"] }));
}

#[test]
fn the_list_of_valid_tasks_keeps_other_environments() {
    let world = World::new(&["one"]);
    let verified = json!({
        "by_environment": { "a_env": ["x"], "z_env": ["y"] }, "generated_at": "then", "root": "r",
        "schema_version": 1, "task_count": 2, "tasks": ["a_env/x", "z_env/y"],
    });
    world.write_split("verified.json", &verified);
    assert_eq!(world.export(&[], &probed(&["one"])).status, Some(0));
    let mut after = world.split("verified.json");
    assert_ne!(after["generated_at"].take(), "then");
    let expected = json!({
        "by_environment": { "a_env": ["x"], "demo_env": ["one"], "z_env": ["y"] }, "generated_at": null, "root": "r",
        "schema_version": 1, "task_count": 3, "tasks": ["a_env/x", "demo_env/one", "z_env/y"],
    });
    assert_eq!(after.to_string(), expected.to_string());

    let text = world.split_text("verified.json");
    assert_eq!(world.export(&[], &probed(&["one"])).status, Some(0));
    assert_eq!(world.split_text("verified.json"), text);
}

#[test]
fn an_environment_without_a_split_file_needs_none() {
    let world = World::new(&["one"]);
    let ran = world.export(&[], &probed(&["one"]));
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no split file"), "{}", ran.stderr);
}

#[test]
fn a_damaged_split_file_is_an_error_and_stays() {
    let world = World::new(&["one"]);
    world.write_split(FILE, &json!({ "env_folder": format!("examples/{ENV}"), "train_tasks": "all" }));
    let before = world.split_text(FILE);
    let ran = world.export(&[], &probed(&["one"]));
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("train_tasks is not a list"), "{}", ran.stderr);
    assert_eq!(world.split_text(FILE), before);
}
