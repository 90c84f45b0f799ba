//! Exports that are folders: what is in them, and when they are replaced.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use fs_err as fs;
use serde_json::{Value, json};
use testkit::{ENV, Ran};
use walkdir::WalkDir;

use crate::world::{World, decision, probe, probed, trial, verdict};

/// The formats.
const FORMATS: [&str; 4] = ["huggingface", "harbor", "verifiers", "grasp"];

/// Content and mode of every file below a folder.
fn snapshot(folder: &Path) -> BTreeMap<String, (Vec<u8>, u32)> {
    let entries = WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let facts = |path: &Path| (fs::read(path).unwrap(), fs::metadata(path).unwrap().permissions().mode());
    files
        .map(|entry| {
            (entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), facts(entry.path()))
        })
        .collect()
}

/// The tasks of an export, with their sides.
fn tasks(world: &World, format: &str) -> Value {
    let marker: Value = serde_json::from_str(&world.read(format!("exports/{format}/export.json"))).unwrap();
    assert_eq!(marker["format"], format);
    marker["tasks"][ENV].clone()
}

fn names(tasks: &Value) -> Vec<&str> {
    tasks.as_object().unwrap().keys().map(String::as_str).collect()
}

fn assert_done(ran: &Ran) {
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
}

#[test]
fn the_same_tasks_give_the_same_bytes_in_another_place() {
    for format in FORMATS {
        let exported = [World::new(&["a", "b"]), World::new(&["b", "a"])].map(|world| {
            assert_done(&world.export_to(format, &[], &probed(&["a", "b"])));
            let first = snapshot(&world.path("exports").join(format));
            assert_done(&world.export_to(format, &[], &probed(&["a", "b"])));
            assert_eq!(snapshot(&world.path("exports").join(format)), first, "{format}");
            first
        });
        assert_eq!(exported[0], exported[1], "{format}");
    }
}

#[test]
fn bad_quarantined_rejected_and_unproved_tasks_are_not_in_a_folder() {
    for format in FORMATS {
        let world = World::new(&["good", "bad_spec", "bad_probe", "unproved", "moved", "refused"]);
        let mut records = probed(&["good", "moved", "refused"]);
        records.push(decision("refused", "reject"));
        records.extend([verdict("bad_spec", false), verdict("bad_probe", true), probe("bad_probe", false)]);
        records.push(verdict("unproved", true));
        records.push(
            json!({ "record": "task", "env": ENV, "task": "moved", "dir": "x", "status": "quarantined" }),
        );
        assert_done(&world.export_to(format, &[], &records));
        assert_eq!(names(&tasks(&world, format)), ["good"], "{format}");
        let text = snapshot(&world.path("exports").join(format));
        let all: Vec<u8> =
            text.into_iter().flat_map(|(name, (bytes, _))| [name.into_bytes(), bytes].concat()).collect();
        let all = String::from_utf8_lossy(&all);
        for absent in ["bad_spec", "bad_probe", "unproved", "moved", "refused"] {
            assert!(!all.contains(absent), "{format}: {absent}");
        }
    }
}

#[test]
fn the_evidence_asked_for_decides_about_a_folder() {
    for format in FORMATS {
        let world = World::new(&["checked", "probed", "run"]);
        let mut records = vec![verdict("checked", true)];
        records.extend(probed(&["probed", "run"]));
        records.push(trial("run", true));
        for (require, expected) in
            [("spec", &["checked", "probed", "run"][..]), ("probe", &["probed", "run"]), ("live", &["run"])]
        {
            assert_done(&world.export_to(format, &["--require", require], &records));
            assert_eq!(names(&tasks(&world, format)), expected, "{format}, {require}");
        }
    }
}

#[test]
fn a_task_stays_on_its_side() {
    let world = World::new(&[]);
    let names: Vec<String> = (0..40).map(|number| format!("task_{}", number * 7 % 40)).collect();
    for (number, name) in names.iter().enumerate() {
        // Each is nearly the same as the one before, so that a new one could draw others with it.
        let text =
            format!("Close the period of ledger {} with a reconciled balance and no open item", number / 2);
        world.add_task(name, &json!({ "id": name, "description": text }), "");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut before = json!({});
    for count in [5, 20, 40] {
        assert_done(&world.export_to("huggingface", &[], &probed(&names[..count])));
        let after = tasks(&world, "huggingface");
        for (name, side) in before.as_object().unwrap() {
            assert_eq!(after[name], *side, "{name}");
        }
        before = after;
    }
}

#[test]
fn the_split_file_decides_where_it_lists_a_task() {
    let world = World::new(&["a", "b"]);
    let split = json!({ "env_folder": format!("examples/{ENV}"), "train_tasks": ["b"], "test_tasks": ["a"] });
    world.write_split("demo_split.json", &split);
    let before = world.split_text("demo_split.json");
    assert_done(&world.export_to("huggingface", &[], &probed(&["a", "b"])));
    assert_eq!(tasks(&world, "huggingface"), json!({ "a": "test", "b": "train" }));
    assert_eq!(world.split_text("demo_split.json"), before);
}

#[test]
fn what_is_not_an_export_is_never_replaced() {
    let world = World::new(&["one"]);
    let records = probed(&["one"]);
    world.write("mine/notes.txt", "keep");
    let ran = world.export_to("huggingface", &["--export-dir", "mine"], &records);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("mine is not an export"), "{}", ran.stderr);

    assert_done(&world.export_to("huggingface", &["--export-dir", "out"], &records));
    world.write("out/.git/HEAD", "keep");
    let before = snapshot(&world.path("out"));
    let ran = world.export_to("huggingface", &["--export-dir", "out"], &records);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("out/.git is not part of the export"), "{}", ran.stderr);
    assert_eq!(snapshot(&world.path("out")), before);

    fs::create_dir(world.path("empty")).unwrap();
    assert_done(&world.export_to("huggingface", &["--export-dir", "empty"], &records));
    let ran = world.export_to("huggingface", &["--export-dir", "empty", "--require", "live"], &records);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("no task has the evidence"), "{}", ran.stderr);
    assert!(world.path("empty/README.md").exists() && !world.path(".unfinished").exists());
}

#[test]
fn a_task_with_a_link_is_left_out() {
    for format in FORMATS {
        let world = World::new(&["good", "linked"]);
        world.write("secret.txt", "key");
        symlink(world.path("secret.txt"), world.task_dir("linked").join("data.txt")).unwrap();
        let ran = world.export_to(format, &[], &probed(&["good", "linked"]));
        assert_done(&ran);
        assert_eq!(names(&tasks(&world, format)), ["good"]);
        let record = &ran.records()[0];
        assert_eq!(
            (&record["task"], &record["code"]),
            (&json!("linked"), &json!("not_exportable")),
            "{format}"
        );
    }
}
