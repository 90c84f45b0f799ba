//! The state after the stage was killed.

use std::thread;
use std::time::Duration;

use fs_err as fs;

use testkit::{ENV, spawn_silently};

use crate::world::{World, lines, records};

#[test]
fn a_killed_run_leaves_no_partial_folder_and_the_next_one_completes() {
    let names: Vec<String> = (0..150).map(|n| format!("task_{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let records = records(&names);
    let undisturbed = World::new();
    assert_eq!(undisturbed.extract(&[], &records).status, Some(0));
    let whole = undisturbed.published();

    let world = World::new();
    fs::write(world.path("files.jsonl"), lines(&records)).unwrap();
    for milliseconds in (2..60).step_by(12) {
        let mut child = spawn_silently(&mut world.command(&["--env-dir", ENV, "-i", "files.jsonl"]));
        thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        for (name, content) in world.published() {
            // Unfinished folders are out of sight.
            assert!(name.starts_with(".unfinished/") || whole.get(&name) == Some(&content), "{name}");
        }
        for entry in fs::read_dir(world.tasks_dir()).into_iter().flatten() {
            let dir = entry.unwrap().path();
            assert!(
                dir.ends_with(".unfinished") || fs::read_dir(&dir).unwrap().count() == 3,
                "{}",
                dir.display()
            );
        }
    }
    let ran = world.run(&["--env-dir", ENV, "-i", "files.jsonl"], "");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(world.published(), whole);
    assert!(!world.tasks_dir().join(".unfinished").exists());
}
