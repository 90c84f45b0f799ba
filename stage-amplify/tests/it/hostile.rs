//! Hostile environments: what may not go into a prompt, and what may not hold a run up. Each test is named for its
//! letter in the list of attacks that once succeeded.

use std::os::unix::fs::symlink;
use std::path::Path;

use fs_err as fs;
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::world::{World, good_server};

/// What a file outside the environment contains.
const SECRET: &str = "select a-hash-that-must-stay-here";

/// A folder outside every environment, with a secret in each file that a prompt could show.
fn outside(world: &World) -> String {
    let task = ["task.json", "README.md", "setup_task.sh", "export_result.sh", "verifier.py"];
    let task = task.map(|name| format!("task/{name}"));
    for name in ["shadow", "config/notes.md"].into_iter().chain(task.iter().map(String::as_str)) {
        world.write(Path::new("outside").join(name), &format!("{{\"description\": \"{SECRET}\"}}\n"));
    }
    world.path("outside").to_string_lossy().into_owned()
}

/// Runs all passes, and returns the bodies of the requests.
fn sent(world: &World, args: &[&str]) -> (Vec<String>, String) {
    let server = good_server();
    let ran = world.run_at(&server, &[&["--count", "2"], args].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let bodies: Vec<String> = server.log().iter().map(|logged| logged.asked.body.to_string()).collect();
    assert!(bodies.len() >= 5, "{bodies:?}");
    (bodies, ran.stderr)
}

#[test]
fn d1_no_file_outside_the_environment_is_sent() {
    let world = World::new();
    let outside = outside(&world);
    let links = [
        ("shadow", "README.md"),
        ("shadow", "scripts/setup.sh"),
        ("config", "config"),
        ("shadow", "tasks/open_period/README.md"),
        ("shadow", "tasks/open_period/export_result.sh"),
        ("task", "tasks/linked"),
    ];
    for (target, name) in links {
        symlink(format!("{outside}/{target}"), world.env_dir().join(name)).unwrap();
    }
    world.write_env_file("tasks/seed_tasks.json", r#"["open_period", "linked", "../../../outside/task"]"#);
    let (bodies, stderr) = sent(&world, &[]);
    assert!(bodies.iter().all(|body| !body.contains("a-hash-that-must-stay-here")), "{stderr}");
    for (_, name) in links {
        let name = if name == "tasks/linked" { "tasks/linked/task.json" } else { name };
        let line = format!("demo_env/{name} is not sent to the model: it is a symbolic link");
        assert!(stderr.contains(&line), "{line}: {stderr}");
    }
}

#[test]
fn d1_no_file_outside_a_neighbour_environment_is_sent() {
    let world = World::new();
    let outside = outside(&world);
    world.add_env("other_env");
    let other = world.path("benchmarks/cua_world/environments/other_env");
    fs::remove_dir(other.join("tasks")).unwrap();
    symlink(&outside, other.join("tasks")).unwrap();
    let (bodies, _) = sent(&world, &[]);
    assert!(bodies.iter().all(|body| !body.contains("a-hash-that-must-stay-here")));
}

#[test]
fn d1_neither_repair_nor_fixtures_read_a_linked_task() {
    let world = World::new();
    let outside = outside(&world);
    symlink(format!("{outside}/task"), world.task_dir("linked")).unwrap();
    let records = [
        (
            "repair",
            r#"{"record": "verdict", "kind": "task", "env": "demo_env", "task": "linked", "ok": false}"#,
        ),
        (
            "fixtures",
            r#"{"record": "task", "env": "demo_env", "task": "linked", "status": "kept",
                "dir": "benchmarks/cua_world/environments/demo_env/tasks/linked"}"#,
        ),
        (
            "fixtures",
            r#"{"record": "task", "env": "demo_env", "task": "t", "status": "kept", "dir": "outside/task"}"#,
        ),
    ];
    for (pass, record) in records {
        let server = good_server();
        let mut command = world.command_at(&server, &["--pass", pass]);
        let ran = testkit::Ran::of(&mut command, &(record.replace('\n', " ") + "\n"));
        assert_eq!(ran.status, Some(1), "{pass}: {ran:?}");
        assert_eq!(server.log().len(), 0, "{pass}: {ran:?}");
    }
}

#[test]
fn d2_pipes_and_sparse_files_hold_nothing_up() {
    let world = World::new();
    let pipe = |name: &str| mkfifoat(CWD, world.env_dir().join(name), Mode::RWXU).unwrap();
    for name in ["README.md", "scripts/setup.sh", "tasks/open_period/README.md", "tasks/seed_tasks2.json"] {
        pipe(name);
    }
    fs::create_dir(world.env_dir().join("data")).unwrap();
    for name in ["data/rows.csv", "tasks/open_period/setup_task.sh"] {
        fs::File::create(world.env_dir().join(name)).unwrap().set_len(1 << 40).unwrap();
    }
    let refused = world.run(&["--dry-run"]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("seed_tasks2.json: it is not a regular file"), "{refused:?}");
    fs::remove_file(world.tasks_dir().join("seed_tasks2.json")).unwrap();
    let (_, stderr) = sent(&world, &[]);
    assert!(stderr.contains("README.md is not sent to the model: it is not a regular file"), "{stderr}");
    fs::remove_file(world.env_dir().join("env.json")).unwrap();
    pipe("env.json");
    let ran = world.run(&["--dry-run"]);
    assert!(ran.stderr.contains("env.json is not sent to the model: it is not a regular file"), "{ran:?}");
}
