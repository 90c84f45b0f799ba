//! Bad tasks are moved out of their environment.

use fs_err as fs;
use serde_json::{Value, json};
use testkit::{ENV, files_below};

use crate::world::{World, lines, records};

fn verdict(task: &str, ok: bool) -> Value {
    let issues = json!([
        { "code": "missing_hook_reference", "severity": "error", "message": "no setup" },
        { "code": "weak", "severity": "warning", "message": "weak" },
    ]);
    json!({ "record": "verdict", "env": ENV, "task": task, "kind": "task", "path": "x", "ok": ok, "issues": issues })
}

#[test]
fn bad_tasks_are_moved_to_the_run_directory_and_removed_from_the_seeds() {
    let world = World::new();
    assert_eq!(world.extract(&[], &records(&["one", "two", "three"])).status, Some(0));
    let seeds = world.tasks_dir().join("seed_tasks.json");
    fs::write(&seeds, r#"["one", "two", "elsewhere"]"#).unwrap();
    let probe = json!({ "record": "probe", "env": ENV, "task": "three", "ok": false });
    let trial = json!({ "record": "trial", "env": ENV, "task": "three", "ok": false });
    let not_run =
        json!({ "record": "trial", "env": ENV, "task": "one", "ok": false, "not_run": "no engine" });
    let custom = json!({ "record": "mine" });
    let input = [
        verdict("one", true),
        custom.clone(),
        verdict("two", false),
        verdict("two", false),
        probe,
        trial,
        not_run,
        verdict("gone", false),
    ];

    let planned = world.extract(&["--quarantine", "--dry-run"], &input);
    assert_eq!(planned.status, Some(0));
    assert!(world.tasks_dir().join("two").exists());

    let ran = world.extract(&["--quarantine"], &input);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("warning: the task gone is not in ") && ran.stderr.ends_with(": 2 quarantined\n")
    );
    assert_eq!(ran.records().len(), 3);
    assert_eq!(ran.records()[0], custom);
    assert_eq!(ran.records()[1]["status"], "quarantined");
    assert_eq!(ran.records()[1]["dir"], format!("task_generation_runs/{ENV}/quarantine/two"));
    assert_eq!(
        ran.records()[1]["problems"],
        json!([{ "code": "missing_hook_reference", "message": "no setup" }])
    );
    assert_eq!(
        serde_json::from_str::<Value>(&fs::read_to_string(&seeds).unwrap()).unwrap(),
        json!(["one", "elsewhere"])
    );
    assert!(world.tasks_dir().join("one").exists() && !world.tasks_dir().join("three").exists());
    let moved = files_below(&world.run_dir().join("quarantine"));
    assert_eq!(moved.len(), 6);
    assert_eq!(moved["two/setup_task.sh"], "#!/bin/bash\necho two\n");
    let manifest = world.read(world.run_dir().join("quarantine.jsonl"));
    assert_eq!(manifest, lines(&ran.records()));

    let tasks = world.read(world.run_dir().join("tasks.jsonl"));
    let statuses: Vec<Value> =
        tasks.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone()).collect();
    assert_eq!(statuses, ["written", "quarantined", "quarantined"]);
    let again = world.extract(&[], &records(&["one", "two", "three"]));
    assert!(again.stderr.ends_with(": 1 kept, 2 quarantined\n"), "{}", again.stderr);
    assert!(!world.tasks_dir().join("two").exists());
}

#[test]
fn a_task_that_could_not_be_probed_stays() {
    let world = World::new();
    assert_eq!(world.extract(&[], &records(&["one", "two"])).status, Some(0));
    let probe = |task: &str, code: &str| {
        let issues = json!([{ "code": code, "severity": "error", "message": "m" }]);
        json!({ "record": "probe", "env": ENV, "task": task, "ok": false, "issues": issues })
    };
    let ran = world.extract(&["--quarantine"], &[probe("one", "unjudged"), probe("two", "wrong_verdict")]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(world.task_dir("one").exists() && !world.task_dir("two").exists());
    assert!(ran.stderr.contains("1 task could not be probed on this machine: not moved"), "{ran:?}");
}

#[test]
fn d1_no_task_is_moved_out_of_a_linked_folder() {
    let world = World::new();
    assert_eq!(world.extract(&[], &records(&["one"])).status, Some(0));
    let elsewhere = world.path("elsewhere");
    fs::rename(world.tasks_dir(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, world.tasks_dir()).unwrap();
    let ran = world.extract(&["--quarantine"], &[verdict("one", false)]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("tasks is a symbolic link, which is not followed"), "{ran:?}");
    assert!(elsewhere.join("one").exists());
}

#[test]
fn a_record_can_only_move_task_folders() {
    let world = World::new();
    assert_eq!(world.extract(&[], &records(&["one"])).status, Some(0));
    let before = world.published();
    let hostile: Vec<Value> = ["..", ".", "one/../one", "/etc", "", ".unfinished"]
        .iter()
        .map(|task| verdict(task, false))
        .collect();
    let ran = world.extract(&["--quarantine"], &hostile);
    assert_eq!((ran.status, ran.records().len()), (Some(1), 0));
    assert_eq!(world.published(), before);
}

#[test]
fn a_task_that_a_person_rejected_is_moved() {
    let world = World::new();
    assert_eq!(world.extract(&[], &records(&["one", "two", "three"])).status, Some(0));
    let decision = |task: &str, choice: &str| json!({ "record": "decision", "env": ENV, "task": task, "choice": choice, "comment": "the date is wrong" });
    let decisions = [decision("one", "accept"), decision("two", "reject"), decision("three", "comment")];
    let ran = world.extract(&["--quarantine"], &decisions);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let problem = json!([{ "code": "rejected_by_person", "message": "the date is wrong" }]);
    assert_eq!(ran.record()["problems"], problem);
    assert!(world.tasks_dir().join("one").exists() && world.tasks_dir().join("three").exists());
    assert!(!world.tasks_dir().join("two").exists());
}

#[test]
fn a_task_that_a_person_accepted_stays() {
    let world = World::new();
    assert_eq!(world.extract(&[], &records(&["one", "two", "three"])).status, Some(0));
    let decision = |task: &str, choice: &str| json!({ "record": "decision", "env": ENV, "task": task, "choice": choice });
    // A person changed their mind about three.
    let kept = [decision("one", "accept"), decision("three", "accept"), decision("three", "reject")];
    let kept = kept.map(|record| record.to_string() + "\n").concat();
    world.write(world.run_dir().join("decisions.jsonl"), &kept);
    let input = [decision("two", "accept"), verdict("one", false), verdict("two", false)];
    let ran = world.extract(&["--quarantine"], &input);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(ran.record()["task"], "three");
    assert!(world.tasks_dir().join("one").exists() && world.tasks_dir().join("two").exists());
    assert!(ran.stderr.contains("not moved, as a person accepted them: 2 bad tasks"), "{ran:?}");
}
