//! Hostile answers and folders.

use std::os::unix::fs::symlink;

use fs_err as fs;
use serde_json::json;
use testkit::{ENV, ENV_DIR, files_below, names_in};

use crate::world::{World, answer, lines, record, records, statuses};

#[test]
fn nothing_is_written_outside_the_task_folder() {
    let world = World::new();
    let mut hostile = Vec::new();
    for (at, name) in
        ["../../escape.sh", "/tmp/escape.sh", "tasks/x/../../../escape.sh", "a\u{0}b.sh", "con.txt", "x.exe"]
            .into_iter()
            .enumerate()
    {
        let by_fence = answer("one") + &format!("```{name}\nx\n```\n");
        hostile.push(record(at, "one", &by_fence));
        hostile.push(json!({ "record": "files", "env": ENV, "task": "one", "files": { name: "x" } }));
    }
    let before = files_below(world.root());
    let ran = world.extract(&[], &hostile);
    assert_eq!(statuses(&ran), vec!["rejected"; hostile.len()], "{}", ran.stderr);
    let mut after = files_below(world.root());
    after.retain(|name, _| !name.starts_with("task_generation_runs/"));
    assert_eq!(before, after);
}

#[test]
fn a_hostile_task_name_is_sanitised() {
    let world = World::new();
    let ran = world.extract(&[], &[record(1, "../../Evil Task", &answer("one"))]);
    assert_eq!(ran.record()["dir"], format!("{ENV_DIR}/tasks/evil_task"));
    assert_eq!(ran.status, Some(0));
    let nameless = world.extract(&[], &[record(1, "..", "no files")]);
    assert_eq!((nameless.status, nameless.record()["dir"].as_str()), (Some(1), Some("")));
}

#[test]
fn c1_an_environment_outside_the_workspace_is_not_reached_by_a_record() {
    let world = World::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("env.json"), "{}").unwrap();
    let mut all = records(&["one"]);
    all[0]["env"] = outside.path().to_string_lossy().into();
    let ran = world.run(&[], &lines(&all));
    assert_ne!(ran.status, Some(0), "{}", ran.stderr);
    assert!(!outside.path().join("tasks").exists());
}

#[test]
fn links_are_not_followed() {
    let world = World::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(world.tasks_dir()).unwrap();
    symlink(elsewhere.path(), world.tasks_dir().join("one")).unwrap();
    let kept = world.extract(&[], &records(&["one"]));
    assert_eq!(kept.status, Some(0));
    assert_eq!(statuses(&kept), ["kept"]);
    let refused = world.extract(&["--overwrite"], &records(&["one"]));
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("symbolic links are not followed"), "{}", refused.stderr);

    fs::remove_dir_all(world.tasks_dir()).unwrap();
    symlink(elsewhere.path(), world.tasks_dir()).unwrap();
    let refused = world.extract(&[], &records(&["one"]));
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("tasks is a symbolic link"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn d2_a_kept_task_with_a_pipe_a_sparse_file_and_a_link_is_described() {
    let world = World::new();
    let task = world.task_dir("one");
    world.write_task_file("one", "task.json", "{}");
    rustix::fs::mkfifoat(rustix::fs::CWD, task.join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    fs::File::create(task.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    symlink("/etc/passwd", task.join("link")).unwrap();
    let ran = world.extract(&[], &records(&["one"]));
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let record = ran.record();
    let names = |list: &str, key: &str| -> Vec<String> {
        let items = record[list].as_array().unwrap();
        items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("files", "name"), ["task.json"]);
    assert_eq!(names("problems", "code"), ["unreadable_file"; 3]);
    assert_eq!(
        names("problems", "message"),
        [
            "link: it is a symbolic link, or below one",
            "pipe: it is not a regular file",
            "sparse: it is longer than the 67108864 bytes that are read"
        ]
    );
}

#[test]
fn printed_text_has_no_terminal_escapes() {
    let world = World::new();
    let text = "```\u{1b}[2J\u{202e}x.txt\nx\n```\n```task.json\n{\"id\": \"\u{1b}[31m\u{202e}\", \"description\": 1}\n```\n";
    let ran = world.extract(&[], &[record(1, "one", text)]);
    assert_eq!(ran.status, Some(1));
    assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}']), "{:?}", ran.stderr);
}

#[test]
fn a_huge_answer_is_rejected_and_the_others_are_unpacked() {
    let world = World::new();
    let huge = record(1, "huge", &"x".repeat(40_000_000));
    let mut all = vec![huge];
    all.extend(records(&["one"]));
    let ran = world.extract(&[], &all);
    assert_eq!(statuses(&ran), ["rejected", "written"]);
    assert_eq!(ran.records()[0]["problems"][0]["code"], "too_large");
}

#[test]
fn c2_a_device_name_of_windows_is_not_published() {
    let world = World::new();
    for name in ["con", "nul", "com1"] {
        let ran = world.extract(&[], &[record(1, name, &answer(name))]);
        assert_eq!((statuses(&ran), ran.status), (vec!["rejected".to_owned()], Some(1)), "{name}: {ran:?}");
    }
    assert!(!world.tasks_dir().exists() || names_in(&world.tasks_dir()).is_empty());
}
