//! Records in, records out.

use insta::assert_snapshot;
use serde_json::{Value, json};
use testkit::{ENV, ENV_DIR, Ran};

use crate::world::{PROGRAM, World, codes, task_record};

const VALID: &str = "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n";

/// Probes the tasks that `records` name.
fn pipe(world: &World, records: &[Value]) -> Ran {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let mut command = world.command(PROGRAM);
    command.args(["--unsafe", "--repeat", "1"]);
    Ran::of(&mut command, &(lines.join("\n") + "\n"))
}

#[test]
fn tasks_are_probed_and_other_records_pass_through() {
    let world = World::new();
    world.task("one", VALID).task("two", VALID).task("three", VALID);
    let verdict = |name: &str, ok: bool| {
        json!({ "record": "verdict", "env": ENV, "task": name, "kind": "task", "ok": ok,
                "path": format!("{ENV_DIR}/tasks/{name}/task.json"), "spec_id": null, "issues": [] })
    };
    let mark = json!({ "record": "mark", "by": "another stage" });
    let ended = pipe(
        &world,
        &[
            task_record("one", "written"),
            mark.clone(),
            task_record("three", "rejected"),
            verdict("one", true),
            verdict("two", true),
            verdict("three", false),
        ],
    );
    let records = ended.records();
    let seen: Vec<_> =
        records.iter().map(|record| (record["record"].as_str().unwrap(), record["task"].as_str())).collect();
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
    assert_eq!(records[1], mark);
    assert_eq!(records[0]["dir"], format!("{ENV_DIR}/tasks/one"));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
}

#[test]
fn the_failure_of_a_missing_task_names_its_environment() {
    let world = World::new();
    let mut without_env = task_record("gone", "written");
    without_env["env"] = json!("");
    let ended = pipe(&world, &[task_record("lost", "written"), without_env]);
    for failure in ended.records() {
        assert_eq!((&failure["record"], &failure["env"]), (&json!("failure"), &json!(ENV)), "{failure}");
    }
    assert_eq!(ended.records().len(), 2);
}

#[test]
fn a_linked_environment_keeps_its_name() {
    let world = World::new();
    world.task("one", VALID).task("two", VALID);
    std::os::unix::fs::symlink(world.path(ENV_DIR), world.path("linked_env")).unwrap();
    let verdict = |name: &str, dir: &str| {
        json!({ "record": "verdict", "env": "linked_env", "task": name, "kind": "task", "ok": true, "dir": dir,
                "path": format!("linked_env/tasks/{name}/task.json"), "spec_id": null, "issues": [] })
    };
    // The second one is of a version that did not write `dir`.
    let ended = pipe(&world, &[verdict("one", "linked_env/tasks/one"), verdict("two", "")]);
    let records = ended.records();
    let probes = records.iter().filter(|record| record["record"] == "probe");
    let seen: Vec<_> = probes.map(|probe| (&probe["env"], &probe["dir"])).collect();
    let linked = json!("linked_env");
    assert_eq!(
        seen,
        [(&linked, &json!("linked_env/tasks/one")), (&linked, &json!("linked_env/tasks/two"))],
        "{}",
        ended.stderr
    );
}

#[test]
fn c1_a_record_names_tasks_in_the_workspace_or_in_the_environment_of_the_command_line_only() {
    let (world, elsewhere) = (World::new(), World::new());
    elsewhere.task("one", VALID);
    let task = elsewhere.task_dir("one");
    let record =
        |dir: &str| json!({ "record": "task", "env": ENV, "task": "one", "dir": dir, "status": "kept" });
    let absolute = task.to_str().unwrap();
    let climbing = format!("{ENV_DIR}/../../../..{absolute}");
    for dir in [absolute, &climbing] {
        let ran = pipe(&world, &[record(dir)]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert_eq!(ran.record()["code"], "no_task_folder", "{ran:?}");
        assert!(ran.stderr.contains("neither in the workspace nor in the environment"), "{ran:?}");
    }
    let mut command = world.command(PROGRAM);
    command.args(["--unsafe", "--repeat", "1", "--env-dir"]).arg(elsewhere.env_dir());
    let ran = Ran::of(&mut command, &format!("{}\n", record(absolute)));
    assert_eq!((ran.status, &ran.record()["record"]), (Some(0), &json!("probe")), "{ran:?}");
}

#[test]
fn the_same_tasks_give_the_same_records() {
    let world = World::new();
    let feedback = VALID.replace("'score': 0", "'score': 0, 'feedback': str({'a', 'b', 'c', 'd', 'e', 'f'})");
    for number in 0..12 {
        world.task(&format!("task_{number:02}"), &feedback);
    }
    let records = |jobs: &str| {
        let mut records = world.probe(&["--repeat", "1", "--jobs", jobs]).records();
        for state in records.iter_mut().flat_map(|record| record["states"].as_array_mut().unwrap()) {
            state["seconds"] = Value::Null;
        }
        records
    };
    assert_eq!(records("1"), records("3"));
}

#[test]
fn an_unreadable_task_is_bad() {
    let world = World::new();
    world.task("a_broken", VALID).write_task_file("a_broken", "task.json", "{");
    world.task("b_gone", VALID);
    fs_err::remove_file(world.task_dir("b_gone").join("verifier.py")).unwrap();
    world.task("c_seen", VALID).write_task_file(
        "c_seen",
        "task.json",
        r#"{"id": "c", "success": {"mode": "vlm_checklist"}}"#,
    );
    world.task("d_fixtures", VALID).write_task_file("d_fixtures", "fixtures.json", r#"{"golden": {}}"#);
    let ended = world.probe(&[]);
    let records = ended.records();
    let found: Vec<_> = records.iter().map(codes).collect();
    assert_eq!(found, [["unreadable_task"], ["unreadable_task"], ["not_probed"], ["unreadable_task"]]);
    assert_eq!(ended.status, Some(1));
}

#[test]
fn the_messages_of_a_run() {
    let world = World::new();
    world
        .task(
            "bad",
            "def verify(a, b, c):\n    return {'passed': True, 'score': 5, 'feedback': '\\x1b[2J'}\n",
        )
        .task("good", VALID);
    let ended = world.probe(&["--repeat", "1"]);
    let lines = ended.stderr.lines().filter(|line| !line.contains("unconfined"));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_missing_python_is_named() {
    let world = World::new();
    world.task("one", VALID);
    let ended = world.probe(&["--python", "/no/such/python"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("cannot start /no/such/python"), "{}", ended.stderr);
}

#[test]
fn a_folder_without_tasks_is_refused() {
    let world = World::new();
    let ended = world.probe(&[]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("no task found in the given paths"), "{}", ended.stderr);
}

#[test]
fn the_manifest_is_in_the_run_directory() {
    let world = World::new();
    world.task("one", VALID);
    let ended = world.probe(&["--repeat", "1", "--run-dir", "run"]);
    let manifest = fs_err::read_to_string(world.path("run/probes.jsonl")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&manifest).unwrap(), ended.records()[0]);
}

#[test]
fn a_misspelled_task_gets_a_suggestion() {
    let world = World::new();
    world.task("merge_two_cohorts", "def verify(traj, env_info, task_info): pass\n");
    let ran = world.probe(&["--task", "merge_to_cohort"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("did you mean merge_two_cohorts?"), "{}", ran.stderr);
}
