//! Runs that are interrupted, limited or disturbed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use signal_hook::consts::SIGHUP;
use testkit::faults::Rates;
use testkit::{Play, Server, spawn_silently};

use crate::world::{Call, KEY, Ran, World, call, good, good_server, kinds_and_tasks, task};

/// Delays calls until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<(Mutex<bool>, Condvar)>);

impl Door {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        let shut = self.0.0.lock().unwrap();
        drop(self.0.1.wait_timeout_while(shut, Duration::from_secs(20), |open| !*open).unwrap());
    }
}

/// A server that answers every call except the one for the files of task `held`, which waits for the door.
fn server_with_door(held: usize) -> (Server, Door) {
    let door = Door::default();
    let before = door.clone();
    let server = Server::start(move |asked| {
        if call(asked) == Call::Files(task(held)) {
            before.pass();
        }
        Play::Answer(good(asked))
    });
    (server, door)
}

#[test]
fn records_are_written_while_calls_are_in_flight() {
    let world = World::new();
    let (server, door) = server_with_door(3);
    let mut child = world
        .command_at(&server, &["--count", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 1..=2 {
        assert!(lines.next().unwrap().unwrap().contains(&task(n)));
    }
    door.open();
    assert!(lines.next().unwrap().unwrap().contains(&task(3)));
    assert!(child.wait().unwrap().success());
}

#[test]
fn after_a_kill_no_answer_is_paid_for_again() {
    let undisturbed = World::new();
    assert_eq!(undisturbed.run_at(&good_server(), &["--count", "5"]).status, Some(0));
    let world = World::new();
    for held in 1..=5 {
        let (server, _door) = server_with_door(held);
        let mut child =
            spawn_silently(&mut world.command_at(&server, &["--count", "5", "--num-workers", "2"]));
        let before = server.log().len();
        server.wait_for(before + 1);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let server = good_server();
    let journalled = world.result("answers.jsonl").lines().count();
    let ran = world.run_at(&server, &["--count", "5"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(server.log().len(), 21 - journalled.min(21));
    for manifest in ["plan.jsonl", "specs.jsonl", "files.jsonl"] {
        assert!(world.manifest(manifest) == undisturbed.manifest(manifest), "{manifest}");
    }
}

#[test]
fn on_a_bad_day_every_task_is_generated_and_every_answer_kept() {
    let world = World::new();
    let server = Server::start(|asked| Rates::BAD_DAY.strike(asked, good(asked), Duration::from_millis(20)));
    let ran = world.run_at(
        &server,
        &["--count", "30", "--num-workers", "16", "--idle-timeout-sec", "1", "--max-candidates", "9"],
    );
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let expected: Vec<_> = (1..=30).map(|n| ("files".to_owned(), task(n))).collect();
    assert_eq!(kinds_and_tasks(&ran), expected);
    let journal = world.result("answers.jsonl");
    let mut kept: Vec<String> = journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    let mut given: Vec<String> = server.log().into_iter().filter_map(|logged| logged.given).collect();
    kept.sort();
    given.sort();
    assert!(kept == given, "{} kept, {} given", kept.len(), given.len());
}

#[test]
fn a_wrong_key_ends_the_run_at_once_with_the_providers_message() {
    let world = World::new();
    let server = Server::start(|_| {
        Play::refusal(
            401,
            &json!({"error": {"code": 401, "message": "API key not valid. Please pass a valid API key."}}),
        )
    });
    let ran = world.run_at(&server, &["--count", "5"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("API key not valid"), "{}", ran.stderr);
    assert_eq!(server.log().len(), 1);
}

#[test]
fn a_cost_limit_ends_the_run_with_usable_records() {
    let world = World::new();
    let server = good_server();
    let prices = world.write(
        "prices.json",
        r#"{"models": [{"name": "gemini-4-argon", "max_output_tokens": 1000, "price": {"base": {"input": 1, "output": 1}}}]}"#,
    );
    let prices = prices.to_str().unwrap();
    let ran = world
        .run_at(&server, &["--count", "5", "--num-workers", "1", "--prices", prices, "--max-cost", "0.02"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(!ran.records().is_empty() && ran.records().len() < 5, "{ran:?}");
    let ran =
        world.run_at(&server, &["--count", "5", "--num-workers", "1", "--prices", prices, "--max-cost", "5"]);
    assert_eq!((ran.status, ran.records().len()), (Some(0), 5), "{ran:?}");
    assert_eq!(server.log().len(), 21);
}

#[test]
fn an_interrupted_run_finishes_calls_in_flight_and_starts_no_other() {
    let world = World::new();
    let (server, door) = server_with_door(2);
    let mut child = world
        .command_at(&server, &["--count", "4", "--num-workers", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for(1 + 4 + 2);
    let interrupt = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(interrupt.success());
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("waiting for in-flight calls")));
    door.open();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(world.result("answers.jsonl").lines().count(), 7);
    assert!(!world.run_dir().join("files.jsonl").exists());
}

/// The stage has read the line that passes through, and waits for the next one.
#[test]
fn f1_a_signal_ends_the_stage_although_standard_input_is_open() {
    // A program that nohup started ignores the signal, and so do its children. A handler is not inherited: with one
    // here, the stage starts with the default.
    signal_hook::flag::register(SIGHUP, Arc::default()).unwrap();
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "1"]).status, Some(0));
    let asked = server.log().len();
    let finished = world.result("files.jsonl");
    for pass in ["plan", "files", "fixtures", "repair", "snapshot"] {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let mut child = world
                .command_at(&server, &["--pass", pass, "--count", "1"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            writeln!(stdin, r#"{{"record":"mine"}}"#).unwrap();
            assert!(
                BufReader::new(child.stdout.take().unwrap())
                    .lines()
                    .next()
                    .unwrap()
                    .unwrap()
                    .contains("mine")
            );
            kill_process(Pid::from_child(&child), signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(130), "{pass} {signal:?}");
        }
    }
    assert_eq!((server.log().len(), world.result("files.jsonl")), (asked, finished));
}

#[test]
fn f2_a_stage_whose_reader_is_gone_exits_with_141_and_can_be_resumed() {
    let (world, server) = (World::new(), good_server());
    let mut child = world
        .command_at(&server, &["--count", "8", "--num-workers", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(141), "{ran:?}");
    assert!(!ran.stderr.contains("error:"), "{ran:?}");
    assert!(!world.run_dir().join("files.jsonl").exists());
    assert_eq!(world.result("answers.jsonl").lines().count(), server.log().len());
    assert_eq!(world.run_at(&server, &["--count", "8"]).status, Some(0));
    assert_eq!(server.log().len(), 33);
}

#[test]
fn after_ctrl_c_in_a_pipe_the_stage_says_what_is_missing() {
    let world = World::new();
    let (server, door) = server_with_door(2);
    let mut child = world
        .command_at(&server, &["--count", "4", "--num-workers", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for(1 + 4 + 2);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("waiting for in-flight calls")));
    // The next stage has ended by the same Ctrl-C.
    drop(child.stdout.take());
    door.open();
    let last = said.last().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let end = "interrupted; 3 of 4 tasks missing; run the same command again to resume";
    assert!(last.ends_with(end), "{last}");
    assert_eq!(world.run_at(&server, &["--count", "4"]).status, Some(0));
    assert_eq!(server.log().len(), 17);
}

#[test]
fn a_second_process_is_refused() {
    let world = World::new();
    let (server, door) = server_with_door(1);
    let mut child = spawn_silently(&mut world.command_at(&server, &["--count", "1"]));
    server.wait_for(3);
    let ran = world.run_at(&server, &["--count", "1"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("another stage-amplify"), "{}", ran.stderr);
    door.open();
    assert!(child.wait().unwrap().success());
}

#[test]
fn without_a_key_no_call_is_made() {
    let world = World::new();
    let ran = world.run(&["--count", "1"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("GEMINI_API_KEY"), "{}", ran.stderr);
}

#[test]
fn the_key_is_never_written() {
    let world = World::new();
    let ran = world.run_at(&good_server(), &["--count", "2", "-v"]);
    assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY));
    let mut folders = vec![world.root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs_err::read(&path).unwrap();
                assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{}", path.display());
            }
        }
    }
}

/// Every user of the machine can read the title of a process.
#[test]
#[cfg(target_os = "linux")]
fn the_key_is_not_in_the_process_title() {
    let (world, server) = (World::new(), Server::start(|_| Play::Endless));
    let mut child = spawn_silently(&mut world.command_at(&server, &["--count", "2"]));
    server.wait_for(1);
    for file in ["cmdline", "comm"] {
        let title = fs_err::read(format!("/proc/{}/{file}", child.id())).unwrap();
        assert!(!String::from_utf8_lossy(&title).contains(KEY), "{file}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_stage_waits_for_seeds_and_passes_other_records_on() {
    let (world, server) = (World::new(), good_server());
    world.write_task("other_seed", "Post the rent.");
    let mut child = world
        .command_at(&server, &["--count", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let seed =
        json!({"record": "seed", "env": "demo_env", "task": "other_seed", "dir": "x", "origin": "agent"});
    writeln!(stdin, "{seed}\n{{\"record\":\"mine\",  \"x\": 1.0}}\nrubbish").unwrap();
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(ran.stdout.starts_with("{\"record\":\"mine\",  \"x\": 1.0}\n"), "{ran:?}");
    assert!(ran.stderr.contains("standard input:3: no valid record"), "{ran:?}");
    assert!(world.result("prompts/readme.1.md").contains("## demo_env: `other_seed`"));
}
