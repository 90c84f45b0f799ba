//! Hostile environments: what may not go into a prompt, and what may not hold a run up. Each test is named for its
//! letter in the list of attacks that once succeeded.

use std::os::unix::fs::symlink;
use std::path::Path;

use fs_err as fs;
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::{Value, json};
use testkit::{ENV, ENV_DIR};

use crate::world::{Ran, World, good_server};

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
    fs::remove_file(world.env_dir().join("tasks/open_period/export_result.sh")).unwrap();
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
    let dir = format!("{ENV_DIR}/tasks/linked");
    for (pass, record, reason) in [
        ("repair", bad_verdict("linked"), "it is a symbolic link, or below one"),
        ("fixtures", kept_task("linked", &dir), "it is a symbolic link, or below one"),
        ("fixtures", kept_task("elsewhere", "outside/task"), "is not in the environment demo_env"),
        ("fixtures", kept_task("elsewhere", &format!("{outside}/../../task")), "a record names the folder"),
    ] {
        let server = good_server();
        let ran = Ran::of(&mut world.command_at(&server, &["--pass", pass]), &format!("{record}\n"));
        assert_eq!((ran.status, server.log().len()), (Some(1), 0), "{pass}: {ran:?}");
        let failure = ran.record();
        assert_eq!(failure["code"], "unreadable_task", "{failure}");
        assert!(failure["message"].as_str().unwrap().contains(reason), "{failure}");
    }
}

/// The verdict that the spec of a task is bad.
fn bad_verdict(task: &str) -> Value {
    json!({ "record": "verdict", "kind": "task", "env": ENV, "task": task, "path": "", "ok": false })
}

/// The record of a task that was there already.
fn kept_task(task: &str, dir: &str) -> Value {
    json!({ "record": "task", "env": ENV, "task": task, "dir": dir, "status": "kept" })
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

/// Files that look like secrets, with what would have been sent of them.
const SECRETS: [(&str, &str); 4] = [
    ("config/credentials.json", "{\"password\": \"canary-one\"}"),
    ("config/key.txt", "-----BEGIN RSA PRIVATE KEY-----\ncanary-two\n-----END RSA PRIVATE KEY-----\n"),
    ("scripts/secrets.sh", "export TOKEN=canary-three\n"),
    ("tasks/open_period/setup_task.sh", "export AWS_ACCESS_KEY_ID=AKIAQ3EGUJ7NA2RTLZ5X # canary-four\n"),
];

#[test]
fn d3_files_that_look_like_secrets_are_not_sent_and_are_named() {
    let world = World::new();
    for (name, content) in SECRETS {
        world.write_env_file(name, content);
    }
    let (bodies, stderr) = sent(&world, &[]);
    assert!(bodies.iter().all(|body| !body.contains("canary-")), "{stderr}");
    let dry_run = World::new();
    for (name, content) in SECRETS {
        dry_run.write_env_file(name, content);
    }
    let ran = dry_run.run(&["--dry-run"]);
    for (name, _) in SECRETS {
        let line = format!("warning: demo_env/{name} is not sent to the model: it ");
        assert!(stderr.contains(&line) && ran.stderr.contains(&line), "{line}: {stderr}");
    }
    for pass in ["plan", "readme", "files"] {
        assert!(!dry_run.result(&format!("prompts/dry-run/{pass}.md")).contains("canary-"), "{pass}");
    }
}

#[test]
fn d3_send_overrides_for_the_files_that_it_names() {
    let world = World::new();
    for (name, content) in SECRETS {
        world.write_env_file(name, content);
    }
    let path = world.env_dir().join("config/key.txt");
    let send = ["--send", "scripts/secrets.sh", "--send", path.to_str().unwrap()];
    let (bodies, stderr) = sent(&world, &send);
    let is_sent = |canary: &str| bodies.iter().any(|body| body.contains(canary));
    let canaries = ["canary-one", "canary-two", "canary-three", "canary-four"];
    assert_eq!(canaries.map(is_sent), [false, true, true, false], "{stderr}");
    let unknown = world.run(&["--dry-run", "--send", "config/gone"]);
    assert_eq!(unknown.status, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("--send: there is no file config/gone"), "{unknown:?}");
}

#[test]
fn d3_a_task_with_a_secret_is_not_repaired_without_send() {
    let world = World::new();
    let (name, content) = SECRETS[3];
    world.write_env_file(name, content);
    let bad = format!("{}\n", bad_verdict("open_period"));
    let repair = |args: &[&str]| {
        let server = good_server();
        let ran = Ran::of(&mut world.command_at(&server, &[&["--pass", "repair"], args].concat()), &bad);
        (ran, server.log().len())
    };
    let (ran, calls) = repair(&[]);
    assert_eq!((ran.status, calls), (Some(1), 0), "{ran:?}");
    let message = ran.record()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("open_period/setup_task.sh: it contains a key of AWS; pass --send"),
        "{message}"
    );
    assert_ne!(repair(&["--send", name]).1, 0);
}

#[test]
fn d3_names_are_escaped_in_prompts() {
    let world = World::new();
    let name = "a\n# New section\u{202e}\x1b[2J";
    world.write_env_file(&format!("scripts/{name}.sh"), "true\n");
    world.write_env_file(&format!("data/{name}.bin"), "x");
    world.write_task(name, "Close the period.");
    world.write_env_file("tasks/seed_tasks.json", &json!(["open_period", name]).to_string());
    let ran = world.run(&["--dry-run"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for pass in ["plan", "readme", "files"] {
        let prompt = world.result(&format!("prompts/dry-run/{pass}.md"));
        assert!(!prompt.contains("\n# New section") && !prompt.contains('\x1b'), "{prompt}");
        assert!(prompt.contains(r"a\n# New section\u{202e}\u{1b}[2J"), "{prompt}");
    }
}
