//! Answers become task folders.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use fs_err as fs;
use serde_json::{Value, json};
use testkit::{ENV, ENV_DIR};

use crate::world::{World, answer, lines, record, records, statuses};

#[test]
fn answers_become_task_folders() {
    let world = World::new();
    let ran = world.extract(&[], &records(&["one", "two"]));
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    insta::assert_snapshot!(ran.stderr, @"stage-extract: 2 written");
    insta::assert_snapshot!(serde_json::to_string_pretty(&ran.records()[1]).unwrap());
    let published = world.published();
    let names: Vec<&str> = published.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "one/setup_task.sh",
            "one/task.json",
            "one/verifier.py",
            "two/setup_task.sh",
            "two/task.json",
            "two/verifier.py"
        ]
    );
    assert_eq!(published["one/setup_task.sh"], "#!/bin/bash\necho one\n");
    let is_executable =
        |name| fs::metadata(world.tasks_dir().join(name)).unwrap().permissions().mode() & 0o100 != 0;
    assert!(is_executable("one/setup_task.sh") && !is_executable("one/verifier.py"));
    // The manifest has the same lines, and only the task folders are left.
    let manifest = world.manifest();
    assert_eq!(manifest, lines(&ran.records()));
    assert_eq!(fs::read_dir(world.tasks_dir()).unwrap().count(), 2);
}

#[test]
fn an_existing_folder_is_kept_without_overwrite() {
    let world = World::new();
    assert_eq!(world.extract(&[], &records(&["one"])).status, Some(0));
    fs::write(world.tasks_dir().join("one/mine.txt"), "mine").unwrap();

    let changed = [record(1, "one", &answer("one").replace("echo one", "echo changed"))];
    let kept = world.extract(&[], &changed);
    assert_eq!(kept.status, Some(0));
    assert_eq!(statuses(&kept), ["kept"]);
    assert_eq!(kept.record()["files"].as_array().unwrap().len(), 4);
    assert_eq!(world.published()["one/setup_task.sh"], "#!/bin/bash\necho one\n");

    let replaced = world.extract(&["--overwrite"], &changed);
    assert_eq!(replaced.status, Some(0));
    assert_eq!(statuses(&replaced), ["replaced"]);
    assert_eq!(world.published()["one/setup_task.sh"], "#!/bin/bash\necho changed\n");
    assert!(!world.tasks_dir().join("one/mine.txt").exists());

    // A bad answer replaces nothing.
    let rejected = world.extract(&["--overwrite"], &[record(1, "one", "```task.json\n{")]);
    assert_eq!(rejected.status, Some(1));
    assert_eq!(statuses(&rejected), ["rejected"]);
    assert_eq!(world.published()["one/setup_task.sh"], "#!/bin/bash\necho changed\n");
}

#[test]
fn the_first_answer_for_a_task_is_kept_and_with_overwrite_the_last() {
    let versions: Vec<Value> =
        (0..20).map(|n| record(1, "one", &answer("one").replace("echo one", &format!("echo {n}")))).collect();
    let world = World::new();
    let kept = world.extract(&[], &versions);
    assert_eq!(statuses(&kept)[..3], ["written", "kept", "kept"]);
    assert_eq!(world.published()["one/setup_task.sh"], "#!/bin/bash\necho 0\n");
    let replaced = world.extract(&["--overwrite"], &versions);
    assert_eq!(statuses(&replaced), ["replaced"; 20]);
    assert_eq!(world.published()["one/setup_task.sh"], "#!/bin/bash\necho 19\n");
}

#[test]
fn a_bad_answer_is_rejected_before_a_good_one_and_ignored_after_it() {
    let bad = || record(1, "one", "```task.json\n{");
    let answers: Vec<Value> = [bad(), bad(), record(1, "one", &answer("one")), bad(), bad()].into();
    let world = World::new();
    let ran = world.extract(&[], &answers);
    assert_eq!(statuses(&ran), ["rejected", "rejected", "written", "kept", "kept"]);
    assert_eq!(ran.records()[4]["problems"], json!([]));
    assert_eq!(ran.records()[4]["files"], ran.records()[2]["files"]);
}

#[test]
fn a_dry_run_reports_without_writing() {
    let world = World::new();
    for spelling in ["--dry-run", "--dry_run"] {
        let ran = world.extract(&[spelling], &[record(1, "one", &answer("one")), record(2, "two", "no")]);
        assert_eq!(ran.status, Some(1));
        assert_eq!(statuses(&ran), ["planned", "rejected"]);
        assert_eq!(ran.records()[0]["files"].as_array().unwrap().len(), 3);
    }
    assert!(!world.tasks_dir().exists());
    assert!(!world.run_dir().join("tasks.jsonl").exists());
}

#[test]
fn the_number_of_answers_can_be_limited() {
    let world = World::new();
    let ran = world.extract(&["--max_tasks", "2"], &records(&["one", "two", "three"]));
    assert_eq!(ran.status, Some(0));
    let seen: Vec<_> =
        ran.records().iter().map(|record| record["record"].as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, ["task", "task", "dropped"]);
    assert_eq!(
        (&ran.records()[2]["task"], &ran.records()[2]["code"]),
        (&json!("three"), &json!("max_tasks"))
    );
    assert!(!world.tasks_dir().join("three").exists());
}

#[test]
fn the_destination_comes_from_the_record_or_the_command_line() {
    let world = World::new();
    let named = world.run(&[], &lines(&records(&["one"])));
    assert_eq!(named.record()["dir"], format!("{ENV_DIR}/tasks/one"));
    let given = world.run(&["--tasks-dir", "out/tasks"], &lines(&records(&["one"])));
    assert_eq!(given.record()["dir"], "out/tasks/one");
    assert_eq!((named.status, given.status), (Some(0), Some(0)));

    let unknown = world.run(&[], &lines(&records(&["one"])).replace(ENV, "no_env"));
    assert_eq!((unknown.status, unknown.record()["status"].as_str()), (Some(1), Some("rejected")));
    assert_eq!(unknown.record()["problems"][0]["code"], "unknown_environment");
    let missing = world.run(&["--env-dir", "no_env"], "");
    assert_eq!(missing.status, Some(2));
    assert!(missing.stderr.starts_with("stage-extract: error: no environment no_env"), "{}", missing.stderr);
}

#[test]
fn other_records_pass_through_in_order() {
    let world = World::new();
    let failure = json!({ "record": "failure", "stage": "amplify", "code": "refused", "message": "no" });
    let custom = r#"{"record": "mine",  "x": 1.0}"#;
    let [one, two] = records(&["one", "two"]).try_into().unwrap();
    let ran = world.run(&[], &format!("{failure}\n{one}\n{custom}\nno record\n{two}\n"));
    let records = ran.records();
    let kinds: Vec<_> = records.iter().map(|record| record["record"].as_str().unwrap()).collect();
    assert_eq!((ran.status, kinds), (Some(1), vec!["failure", "task", "mine", "task"]));
    assert!(ran.stderr.contains("standard input:4: no valid record"), "{}", ran.stderr);
}

#[test]
fn files_take_precedence_over_the_answer_and_problems_reject() {
    let world = World::new();
    let files = json!({
        "task.json": "{\"id\": \"one@1\", \"description\": \"d\", \"success\": {\"mode\": \"multi\"}}",
        "setup_task.sh": "echo\r\n",
    });
    let record =
        json!({ "record": "files", "env": ENV, "task": "one", "files": files, "answer": "```task.json\n{" });
    let cut = json!({
        "record": "files", "env": ENV, "task": "two", "files": files,
        "problems": [{ "code": "cut_off", "message": "at the limit of tokens" }],
    });
    let remark = json!({ "record": "files", "env": ENV, "files": files,
        "problems": [{ "code": "somebodys_remark", "message": "fine" }] });
    let ran = world.extract(&[], &[record, cut, remark]);
    assert_eq!(statuses(&ran), ["written", "rejected", "kept"]);
    assert_eq!(world.published()["one/setup_task.sh"], "echo\n");
}

#[test]
fn a_record_is_processed_while_the_input_is_open() {
    let world = World::new();
    let mut command = world.command(&[]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for name in ["one", "two"] {
        stdin.write_all(lines(&records(&[name])).as_bytes()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("\"written\""), "{line}");
        assert!(world.tasks_dir().join(name).join("task.json").exists());
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn runs_on_the_same_answers_are_byte_identical() {
    let names: Vec<String> = (0..50).map(|n| format!("task_{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let [one, two] = [World::new(), World::new()].map(|world| {
        let ran = world.extract(&[], &records(&names));
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
        let manifest = world.manifest();
        (manifest, world.published())
    });
    assert_eq!(one, two);
}
