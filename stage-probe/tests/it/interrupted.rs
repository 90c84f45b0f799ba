//! Interrupted and killed runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::iter;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{Ran, names_in};

use crate::world::{PROGRAM, World, confines, is_running, task_record, wait_until};

const VALID: &str = "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n";

/// A slow verifier: a run with five of them can be interrupted.
const SLOW: &str =
    "import time\ndef verify(a, b, c):\n    time.sleep(0.5)\n    return {'passed': False, 'score': 0}\n";

#[test]
fn started_tasks_are_finished_and_the_next_run_completes() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new();
        let tasks: Vec<String> = (0..6).map(|number| format!("task_{number}")).collect();
        world.task(&tasks[0], VALID);
        for task in &tasks[1..] {
            world.task(task, SLOW);
        }
        let mut probe = probe(&world).spawn().unwrap();
        let mut records = records(&mut probe);
        let mut written = vec![records.next().unwrap()];
        let processes = descendants(&probe);
        send(&probe, signal);
        written.extend(records);
        assert_eq!(probe.wait().unwrap().code(), Some(130));
        let done: Vec<String> = written.iter().map(|line| task_of(line)).collect();
        assert!(done.len() < tasks.len(), "it was not interrupted");
        assert_eq!(done, tasks[..done.len()]);
        check_interrupted(&world, &written, &processes);
        for task in &tasks {
            world.task(task, VALID);
        }
        check_next_run(&world, tasks.len());
    }
}

#[test]
fn a_probe_that_waits_for_records_ends() {
    let world = World::new();
    world.task("one", VALID);
    let mut probe = command(&world).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = probe.stdin.take().unwrap();
    writeln!(input, "{}", task_record("one", "written")).unwrap();
    let mut records = records(&mut probe);
    let written = [records.next().unwrap()];
    let processes = descendants(&probe);
    send(&probe, Signal::TERM);
    assert_eq!((probe.wait().unwrap().code(), records.next()), (Some(130), None));
    // The input was open until here.
    drop(input);
    // The record has claimed the run directory for its environment.
    fs::remove_file(world.path("run/run.json")).unwrap();
    fs::remove_file(world.path("run/.run.lock")).unwrap();
    check_interrupted(&world, &written, &processes);
}

#[test]
fn a_second_interrupt_ends_running_verifiers() {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    world.task("a_quick", VALID);
    let marker = sleeper(&world, "b_hangs");
    let mut probe = probe(&world).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(probe.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut records = records(&mut probe);
    let written = [records.next().unwrap()];
    wait_until("the verifier runs", || is_running(&marker));
    let processes = descendants(&probe);
    for answer in ["waiting for running verifiers", "ending running verifiers"] {
        send(&probe, Signal::INT);
        let said = said.next().unwrap();
        assert!(said.contains(answer), "{said}");
    }
    assert_eq!((probe.wait().unwrap().code(), records.next()), (Some(130), None));
    assert_eq!(task_of(&written[0]), "a_quick");
    check_interrupted(&world, &written, &processes);
    world.task("b_hangs", VALID);
    check_next_run(&world, 2);
}

#[test]
fn killing_a_probe_ends_its_verifiers() {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    let marker = sleeper(&world, "hangs");
    let mut probe = probe(&world).spawn().unwrap();
    wait_until("the verifier runs", || is_running(&marker));
    let processes = descendants(&probe);
    probe.kill().unwrap();
    probe.wait().unwrap();
    check_gone(&world, &processes);
}

/// Adds a task whose verifier sleeps. Returns an argument that identifies its process.
fn sleeper(world: &World, name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // A duration for `sleep` that identifies the process.
    let marker = format!("{}{:03}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let verifier =
        format!("import subprocess\ndef verify(a, b, c):\n    subprocess.run(['sleep', '{marker}'])\n");
    world.task(name, &verifier);
    marker
}

/// The program, with its own run directory and its own folder for temporary files.
fn command(world: &World) -> Command {
    let tmp = world.path("tmp");
    fs::create_dir_all(&tmp).unwrap();
    let mut command = world.command(PROGRAM);
    command.args(["--unsafe", "--run-dir", "run", "--quiet", "--repeat", "1"]).env("TMPDIR", tmp);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// The program that probes all tasks, one after the other.
fn probe(world: &World) -> Command {
    let mut command = command(world);
    command.arg(world.env_dir()).args(["--jobs", "1", "--timeout", "600"]);
    command
}

/// Probes all tasks to the end.
#[track_caller]
fn check_next_run(world: &World, tasks: usize) {
    let mut command = command(world);
    command.arg(world.env_dir());
    let ended = Ran::of(&mut command, "");
    assert_eq!((ended.status, ended.records().len()), (Some(0), tasks), "{}", ended.stderr);
    assert_eq!(names_in(&world.path("run")), [".probe.lock", "probes.jsonl"]);
}

fn send(probe: &Child, signal: Signal) {
    kill_process(Pid::from_child(probe), signal).unwrap();
}

/// The lines of a probe's standard output as they arrive.
fn records(probe: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(probe.stdout.take().unwrap()).lines().map(Result::unwrap)
}

/// Checks the files of a run that was interrupted after it wrote these records.
#[track_caller]
fn check_interrupted(world: &World, written: &[String], processes: &BTreeSet<i32>) {
    assert_eq!(names_in(&world.path("run")), [".probe.lock", "probes.jsonl.partial"]);
    let partial = fs::read_to_string(world.path("run/probes.jsonl.partial")).unwrap();
    assert!(partial.ends_with('\n'), "a record is torn");
    assert_eq!(partial.lines().collect::<Vec<_>>(), written);
    check_gone(world, processes);
}

/// Checks that no process and no file of a run remains.
#[track_caller]
fn check_gone(world: &World, processes: &BTreeSet<i32>) {
    assert!(!processes.is_empty());
    // The kernel takes a moment to end processes whose parent ended.
    wait_until("every process is gone", || {
        processes.iter().all(|pid| stat(*pid).is_none_or(|stat| stat.ended))
    });
    assert_eq!(names_in(&world.path("tmp")), [""; 0]);
}

/// The task of a probe record.
fn task_of(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    assert_eq!(record["record"], "probe", "{record}");
    record["task"].as_str().unwrap().to_owned()
}

/// All processes below the probe.
fn descendants(probe: &Child) -> BTreeSet<i32> {
    let probe = i32::try_from(probe.id()).unwrap();
    let pids = names_in(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
    let parents: BTreeMap<i32, i32> = pids.filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let ancestors = |pid: i32| iter::successors(parents.get(&pid), |parent| parents.get(parent));
    parents.keys().copied().filter(|pid| ancestors(*pid).any(|ancestor| *ancestor == probe)).collect()
}

/// The state of a process: see `proc_pid_stat(5)`.
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
