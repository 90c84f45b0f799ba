//! Runs that are interrupted, and runs that are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::iter;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, PROGRAM, confines, is_running, names_in, run, wait_until};

const SOUND: &str = "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n";

/// A verifier that takes a while: five of them make a run that can be interrupted.
const SLOW: &str =
    "import time\ndef verify(a, b, c):\n    time.sleep(0.5)\n    return {'passed': False, 'score': 0}\n";

#[test]
fn what_was_begun_is_finished_and_the_next_run_completes() {
    for signal in [Signal::INT, Signal::TERM] {
        let bench = Bench::new();
        let tasks: Vec<String> = (0..6).map(|number| format!("task_{number}")).collect();
        bench.task(&tasks[0], SOUND);
        for task in &tasks[1..] {
            bench.task(task, SLOW);
        }
        let mut probe = probe(&bench).spawn().unwrap();
        let mut records = records(&mut probe);
        let mut written = vec![records.next().unwrap()];
        let processes = descendants(&probe);
        send(&probe, signal);
        written.extend(records);
        assert_eq!(probe.wait().unwrap().code(), Some(130));
        let done: Vec<String> = written.iter().map(|line| task_of(line)).collect();
        assert!(done.len() < tasks.len(), "it was not interrupted");
        assert_eq!(done, tasks[..done.len()]);
        check_interrupted(&bench, &written, &processes);
        for task in &tasks {
            bench.task(task, SOUND);
        }
        check_next_run(&bench, tasks.len());
    }
}

#[test]
fn a_probe_that_waits_for_records_ends() {
    let bench = Bench::new();
    bench.task("one", SOUND);
    let mut probe = command(&bench).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = probe.stdin.take().unwrap();
    writeln!(
        input,
        r#"{{"record":"task","env":"demo_env","task":"one","dir":"demo_env/tasks/one","status":"written"}}"#
    )
    .unwrap();
    let mut records = records(&mut probe);
    let written = [records.next().unwrap()];
    let processes = descendants(&probe);
    send(&probe, Signal::TERM);
    assert_eq!((probe.wait().unwrap().code(), records.next()), (Some(130), None));
    // Until here there could have been more.
    drop(input);
    check_interrupted(&bench, &written, &processes);
}

#[test]
fn a_second_interrupt_ends_the_verifiers_that_run() {
    let bench = Bench::new();
    if !confines(bench.command(Path::new(PROGRAM))) {
        return;
    }
    bench.task("a_quick", SOUND);
    let marker = sleeper(&bench, "b_hangs");
    let mut probe = probe(&bench).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(probe.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut records = records(&mut probe);
    let written = [records.next().unwrap()];
    wait_until("the verifier runs", || is_running(&marker));
    let processes = descendants(&probe);
    for answer in ["waiting for the verifiers that run", "ending the verifiers that run"] {
        send(&probe, Signal::INT);
        let said = said.next().unwrap();
        assert!(said.contains(answer), "{said}");
    }
    assert_eq!((probe.wait().unwrap().code(), records.next()), (Some(130), None));
    assert_eq!(task_of(&written[0]), "a_quick");
    check_interrupted(&bench, &written, &processes);
    bench.task("b_hangs", SOUND);
    check_next_run(&bench, 2);
}

#[test]
fn a_probe_that_is_killed_takes_its_verifiers_along() {
    let bench = Bench::new();
    if !confines(bench.command(Path::new(PROGRAM))) {
        return;
    }
    let marker = sleeper(&bench, "hangs");
    let mut probe = probe(&bench).spawn().unwrap();
    wait_until("the verifier runs", || is_running(&marker));
    let processes = descendants(&probe);
    probe.kill().unwrap();
    probe.wait().unwrap();
    check_gone(&bench, &processes);
}

/// Adds a task whose verifier sleeps, and tells by which argument its process is known.
fn sleeper(bench: &Bench, name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // A number of seconds that no other process sleeps for.
    let marker = format!("{}{:03}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let verifier =
        format!("import subprocess\ndef verify(a, b, c):\n    subprocess.run(['sleep', '{marker}'])\n");
    bench.task(name, &verifier);
    marker
}

/// The program, with folders of its own for its manifest and for what it may leave behind.
fn command(bench: &Bench) -> Command {
    let tmp = bench.path().join("tmp");
    fs::create_dir_all(&tmp).unwrap();
    let mut command = bench.command(Path::new(PROGRAM));
    command.args(["--unsafe", "--run-dir", "run", "--quiet", "--repeat", "1"]).env("TMPDIR", tmp);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// The program at work on all tasks, one after the other.
fn probe(bench: &Bench) -> Command {
    let mut command = command(bench);
    command.arg(bench.env()).args(["--jobs", "1", "--timeout", "600"]);
    command
}

/// Probes all tasks to the end.
#[track_caller]
fn check_next_run(bench: &Bench, tasks: usize) {
    let mut command = command(bench);
    command.arg(bench.env());
    let ended = run(command, "");
    assert_eq!((ended.code, ended.records.len()), (Some(0), tasks), "{}", ended.stderr);
    assert_eq!(names_in(&bench.path().join("run")), [".probe.lock", "probes.jsonl"]);
}

fn send(probe: &Child, signal: Signal) {
    kill_process(Pid::from_child(probe), signal).unwrap();
}

/// The lines of a probe's standard output, as they come.
fn records(probe: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(probe.stdout.take().unwrap()).lines().map(Result::unwrap)
}

/// Checks what is left of a run that was interrupted after it had `written` these records.
#[track_caller]
fn check_interrupted(bench: &Bench, written: &[String], processes: &BTreeSet<i32>) {
    assert_eq!(names_in(&bench.path().join("run")), [".probe.lock", "probes.jsonl.partial"]);
    let partial = fs::read_to_string(bench.path().join("run/probes.jsonl.partial")).unwrap();
    assert!(partial.ends_with('\n'), "a record is torn");
    assert_eq!(partial.lines().collect::<Vec<_>>(), written);
    check_gone(bench, processes);
}

/// Checks that neither processes nor files of a run are left.
#[track_caller]
fn check_gone(bench: &Bench, processes: &BTreeSet<i32>) {
    assert!(!processes.is_empty());
    // The kernel takes a moment for those that end with their parents.
    wait_until("every process is gone", || {
        processes.iter().all(|pid| stat(*pid).is_none_or(|stat| stat.ended))
    });
    assert_eq!(names_in(&bench.path().join("tmp")), [""; 0]);
}

/// The task that a probe record is of.
fn task_of(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    assert_eq!(record["record"], "probe", "{record}");
    record["task"].as_str().unwrap().to_owned()
}

/// Everybody whom the probe started, and whom they started.
fn descendants(probe: &Child) -> BTreeSet<i32> {
    let probe = i32::try_from(probe.id()).unwrap();
    let pids = names_in(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
    let parents: BTreeMap<i32, i32> = pids.filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let ancestors = |pid: i32| iter::successors(parents.get(&pid), |parent| parents.get(parent));
    parents.keys().copied().filter(|pid| ancestors(*pid).any(|ancestor| *ancestor == probe)).collect()
}

/// What `proc_pid_stat(5)` says of a process that is there.
struct Stat {
    ended: bool,
    parent: i32,
}

fn stat(pid: i32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    Some(Stat { ended: matches!(fields.next()?, "Z" | "X"), parent: fields.next()?.parse().ok()? })
}
