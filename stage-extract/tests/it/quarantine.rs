//! Tasks that stay bad are moved out of their environment.

use fs_err as fs;
use serde_json::{Value, json};

use crate::fixture::{Fixture, files, lines, records};

fn verdict(task: &str, ok: bool) -> Value {
    let issues = json!([
        { "code": "missing_hook_reference", "severity": "error", "message": "no setup" },
        { "code": "weak", "severity": "warning", "message": "weak" },
    ]);
    json!({ "record": "verdict", "env": "demo_env", "task": task, "kind": "task", "path": "x", "ok": ok, "issues": issues })
}

#[test]
fn bad_tasks_are_moved_to_the_run_directory_and_forgotten_as_seeds() {
    let fixture = Fixture::new();
    assert_eq!(fixture.extract(&[], &records(&["one", "two", "three"])).status, 0);
    let seeds = fixture.tasks().join("seed_tasks.json");
    fs::write(&seeds, r#"["one", "two", "elsewhere"]"#).unwrap();
    let probe = json!({ "record": "probe", "env": "demo_env", "task": "three", "ok": false });
    let custom = json!({ "record": "mine" });
    let input = [
        verdict("one", true),
        custom.clone(),
        verdict("two", false),
        verdict("two", false),
        probe,
        verdict("gone", false),
    ];

    let planned = fixture.extract(&["--quarantine", "--dry-run"], &input);
    assert_eq!(planned.status, 0);
    assert!(fixture.tasks().join("two").exists());

    let ran = fixture.extract(&["--quarantine"], &input);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("warning: the task gone is not in ") && ran.stderr.ends_with(": 2 moved out\n")
    );
    assert_eq!(ran.records.len(), 3);
    assert_eq!(ran.records[0], custom);
    assert_eq!(ran.records[1]["status"], "quarantined");
    assert_eq!(ran.records[1]["dir"], "task_generation_runs/demo_env/quarantine/two");
    assert_eq!(
        ran.records[1]["problems"],
        json!([{ "code": "missing_hook_reference", "message": "no setup" }])
    );
    assert_eq!(
        serde_json::from_str::<Value>(&fs::read_to_string(&seeds).unwrap()).unwrap(),
        json!(["one", "elsewhere"])
    );
    assert!(fixture.tasks().join("one").exists() && !fixture.tasks().join("three").exists());
    let moved = files(&fixture.path("task_generation_runs/demo_env/quarantine"));
    assert_eq!(moved.len(), 6);
    assert_eq!(moved["two/setup_task.sh"], "#!/bin/bash\necho two\n");
    let manifest =
        fs::read_to_string(fixture.path("task_generation_runs/demo_env/quarantine.jsonl")).unwrap();
    assert_eq!(manifest, lines(&ran.records));
}

#[test]
fn a_record_cannot_move_anything_else() {
    let fixture = Fixture::new();
    assert_eq!(fixture.extract(&[], &records(&["one"])).status, 0);
    let before = fixture.published();
    let hostile: Vec<Value> = ["..", ".", "one/../one", "/etc", "", ".unfinished"]
        .iter()
        .map(|task| verdict(task, false))
        .collect();
    let ran = fixture.extract(&["--quarantine"], &hostile);
    assert_eq!((ran.status, ran.records.len()), (1, 0));
    assert_eq!(fixture.published(), before);
}
