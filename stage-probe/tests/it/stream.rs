//! Records in, records out.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::bench::{Bench, PROGRAM, codes, run};

const SOUND: &str = "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n";

/// Probes what `records` name.
fn pipe(bench: &Bench, records: &[Value]) -> crate::bench::Ended {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let mut command = bench.command(Path::new(PROGRAM));
    command.args(["--unsafe", "--repeat", "1"]);
    run(command, &(lines.join("\n") + "\n"))
}

#[test]
fn tasks_are_probed_and_the_rest_passes_through() {
    let bench = Bench::new();
    bench.task("one", SOUND).task("two", SOUND).task("three", SOUND);
    let task = |name: &str, status: &str| json!({ "record": "task", "env": "demo_env", "task": name, "dir": format!("demo_env/tasks/{name}"), "status": status });
    let verdict = |name: &str, ok: bool| {
        json!({ "record": "verdict", "env": "demo_env", "task": name, "kind": "task", "ok": ok,
                "path": format!("demo_env/tasks/{name}/task.json"), "spec_id": null, "issues": [] })
    };
    let mark = json!({ "record": "mark", "by": "somebody else" });
    let ended = pipe(
        &bench,
        &[
            task("one", "written"),
            mark.clone(),
            task("three", "rejected"),
            verdict("one", true),
            verdict("two", true),
            verdict("three", false),
        ],
    );
    let seen: Vec<_> = ended
        .records
        .iter()
        .map(|record| (record["record"].as_str().unwrap(), record["task"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("probe", Some("one")),
            ("mark", None),
            ("verdict", Some("one")),
            ("verdict", Some("two")),
            ("probe", Some("two")),
            ("verdict", Some("three")),
        ]
    );
    assert_eq!(ended.records[1], mark);
    assert_eq!(ended.records[0]["dir"], "demo_env/tasks/one");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn the_same_tasks_give_the_same_records() {
    let bench = Bench::new();
    for number in 0..12 {
        bench.task(&format!("task_{number:02}"), SOUND);
    }
    let records = |jobs: &str| {
        let mut records = bench.probe(&["--repeat", "1", "--jobs", jobs]).records;
        for state in records.iter_mut().flat_map(|record| record["states"].as_array_mut().unwrap()) {
            state["seconds"] = Value::Null;
        }
        records
    };
    assert_eq!(records("1"), records("3"));
}

#[test]
fn a_task_that_cannot_be_read_is_bad() {
    let bench = Bench::new();
    bench.task("a_broken", SOUND).file("a_broken", "task.json", "{");
    bench.task("b_gone", SOUND);
    fs_err::remove_file(bench.task_dir("b_gone").join("verifier.py")).unwrap();
    bench.task("c_seen", SOUND).file(
        "c_seen",
        "task.json",
        r#"{"id": "c", "success": {"mode": "vlm_checklist"}}"#,
    );
    bench.task("d_fixtures", SOUND).file("d_fixtures", "fixtures.json", r#"{"golden": {}}"#);
    let ended = bench.probe(&[]);
    let found: Vec<_> = ended.records.iter().map(codes).collect();
    assert_eq!(found, [["unreadable_task"], ["unreadable_task"], ["not_probed"], ["unreadable_task"]]);
    assert_eq!(ended.code, Some(1));
}

#[test]
fn what_a_person_reads() {
    let bench = Bench::new();
    bench
        .task(
            "bad",
            "def verify(a, b, c):\n    return {'passed': True, 'score': 5, 'feedback': '\\x1b[2J'}\n",
        )
        .task("good", SOUND);
    let ended = bench.probe(&["--repeat", "1"]);
    let lines = ended.stderr.lines().filter(|line| !line.contains("unconfined"));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_python_that_is_not_there_is_named() {
    let bench = Bench::new();
    bench.task("one", SOUND);
    let ended = bench.probe(&["--python", "/no/such/python"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("cannot start /no/such/python"), "{}", ended.stderr);
}

#[test]
fn a_folder_without_tasks_is_refused() {
    let bench = Bench::new();
    let ended = bench.probe(&[]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("there is no task in what was given"), "{}", ended.stderr);
}

#[test]
fn the_manifest_is_in_the_run_directory() {
    let bench = Bench::new();
    bench.task("one", SOUND);
    let ended = bench.probe(&["--repeat", "1", "--run-dir", "run"]);
    let manifest = fs_err::read_to_string(bench.path().join("run/probes.jsonl")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&manifest).unwrap(), ended.records[0]);
}
