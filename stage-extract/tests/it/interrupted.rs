//! Runs that a signal ends, or whose reader goes away.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use testkit::{ENV, Ran};

use crate::world::{World, lines, records, statuses};

const SIGNALS: [Signal; 2] = [Signal::INT, Signal::TERM];

fn start(world: &World, args: &[&str]) -> Child {
    let mut command = world.command(&[&["--env-dir", ENV], args].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends these records, sends the signal once the first result is there, and returns all results.
#[track_caller]
fn interrupt(mut child: Child, input: &str, signal: Signal) -> Ran {
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let rest: String = stdout.lines().map(|line| line.unwrap() + "\n").collect();
    let ran = child.wait_with_output().unwrap();
    drop(stdin);
    Ran { status: ran.status.code(), stdout: first + &rest, stderr: String::from_utf8(ran.stderr).unwrap() }
}

#[test]
fn f3_a_signal_ends_the_stage_and_leaves_nothing_unfinished() {
    for signal in SIGNALS {
        let world = World::new();
        let ran = interrupt(start(&world, &[]), &lines(&records(&["a"])), signal);
        assert_eq!((ran.status, statuses(&ran)), (Some(130), vec!["written".to_owned()]), "{ran:?}");
        assert!(ran.stderr.contains("interrupted; run the same command again to resume"), "{ran:?}");
        assert!(!world.tasks_dir().join(".unfinished").exists());
        assert!(!world.run_dir().join("tasks.jsonl").exists());
        let ran = world.extract(&[], &records(&["a", "b"]));
        assert_eq!((ran.status, statuses(&ran)), (Some(0), vec!["kept".to_owned(), "written".to_owned()]));
    }
}

#[test]
fn f3_a_signal_ends_the_quarantine() {
    for signal in SIGNALS {
        let world = World::new();
        assert_eq!(world.extract(&[], &records(&["a", "b"])).status, Some(0));
        let bad =
            json!({"record": "verdict", "kind": "task", "env": ENV, "task": "a", "path": "x", "ok": false});
        let ran = interrupt(start(&world, &["--quarantine"]), &lines(&[bad]), signal);
        assert_eq!((ran.status, statuses(&ran)), (Some(130), vec!["quarantined".to_owned()]), "{ran:?}");
        assert!(world.tasks_dir().join("b").exists() && !world.tasks_dir().join("a").exists());
    }
}

#[test]
fn f2_a_stage_whose_reader_is_gone_exits_with_141_and_leaves_nothing_unfinished() {
    let world = World::new();
    let names: Vec<String> = (0..400).map(|number| format!("task_{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    fs::write(world.path("files.jsonl"), lines(&records(&names))).unwrap();
    let mut child = start(&world, &["-i", "files.jsonl"]);
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(141), ""));
    assert!(!world.tasks_dir().join(".unfinished").exists());
    assert!(!world.run_dir().join("tasks.jsonl").exists());
}
