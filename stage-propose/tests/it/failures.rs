//! Agents that fail, and runs that are refused or interrupted.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::SIGHUP;
use testkit::Ran;

use crate::world::{SESSION, World, check_run, failures};

const TOO_FEW: &str = "failure too_few_seeds";

/// The message that a failing first phase leaves.
fn first_phase(script: &str, args: &[&str], code: &str) -> (World, String) {
    let world = World::new();
    world.script(1, script);
    let output = world.run(&[args, &["--session-id", SESSION]].concat());
    check_run(&output, 1, &[&format!("failure {code}"), TOO_FEW]);
    assert_eq!(world.calls(), 1, "no phase is built on one that failed");
    let message = failures(&output, code).remove(0);
    (world, message)
}

#[track_caller]
fn check_refusal(output: &Ran, message: &str) {
    assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.starts_with(&format!("stage-propose: error: {message}")), "{}", output.stderr);
}

#[test]
fn claude_is_not_found() {
    let world = World::new();
    let mut command = world.command(&[]);
    command.env_remove("CLAUDE_BIN").env("PATH", world.path("home"));
    check_refusal(&world.finish(command), "no program claude in PATH; install Claude Code (npm install -g");
    check_refusal(&world.run(&["--claude-bin", "nowhere/claude"]), "no Claude Code at nowhere/claude");
}

#[test]
fn claude_is_found_in_the_path() {
    let world = World::new();
    let bin = world.path("bin");
    fs::create_dir_all(&bin).unwrap();
    World::stand_in(&bin.join("claude"));
    let mut command = world.command(&["--seed-count", "1"]);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.env("CLAUDE_BIN", "").env("PATH", path);
    check_run(&world.finish(command), 1, &[TOO_FEW]);
    assert_eq!(world.calls(), 3);
}

#[test]
fn claude_is_not_executable() {
    let world = World::new();
    fs::set_permissions(world.path("claude"), PermissionsExt::from_mode(0o644)).unwrap();
    let output = world.run(&[]);
    assert_eq!(output.status, Some(2));
    assert!(output.stderr.contains("claude is not executable; run chmod +x on it"), "{}", output.stderr);
}

#[test]
fn claude_cannot_be_executed() {
    let world = World::new();
    fs::write(world.path("claude"), "#!/nowhere/interpreter\n").unwrap();
    let output = world.run(&[]);
    assert_eq!(output.status, Some(2));
    assert!(output.stderr.contains("cannot start the agent"), "{}", output.stderr);
}

#[test]
fn root_must_declare_a_sandbox() {
    let world = World::new();
    let mut command = world.command(&["--seed-count", "1"]);
    command.env_remove("IS_SANDBOX");
    let output = world.finish(command);
    if rustix::process::geteuid().is_root() {
        check_refusal(&output, "Claude Code refuses to work without asking for permissions as root");
        assert_eq!(world.calls(), 0);
    } else {
        check_run(&output, 1, &[TOO_FEW]);
    }
}

#[test]
fn the_agent_exits_with_an_error() {
    let (_, message) = first_phase("init; echo 'disk is full' >&2; exit 1", &[], "phase_failed");
    insta::assert_snapshot!(message, @"phase 1 (notes) ended with exit status 1: disk is full; to resume: stage-propose --env-dir demo_env --software Demo --session-id [SESSION] --start-phase 1");
}

#[test]
fn the_agent_is_killed() {
    let (_, message) = first_phase("init; kill -9 $$", &[], "phase_failed");
    assert!(message.starts_with("phase 1 (notes) was killed by signal 9; to resume"), "{message}");
}

#[test]
fn the_agent_and_its_processes_hang() {
    let script = "init
        stubborn='trap \"\" TERM INT HUP; echo $$ >>\"$RECORD/pids\"; while :; do sleep 600; done'
        sh -c \"$stubborn\" & setsid sh -c \"$stubborn\" & (setsid sh -c \"$stubborn\" &)
        trap '' TERM; while :; do sleep 600; done";
    let (world, message) = first_phase(script, &["--timeout-sec", "3"], "phase_timed_out");
    assert!(
        message.starts_with("phase 1 (notes) exceeded its time limit of 3 s and was ended; to resume"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(world.path("record/pids")).unwrap().lines().count(), 4);
}

#[test]
fn processes_left_behind_are_ended() {
    let world = World::new();
    world.script(1, "init; sleep 600 & echo $! >>\"$RECORD/pids\"; result");
    let output = world.run(&["--seed-count", "1"]);
    check_run(&output, 1, &[TOO_FEW]);
    assert!(output.stderr.contains("ended 1 process that the agent left behind"), "{}", output.stderr);
}

#[test]
fn the_session_is_in_use() {
    let script = "echo \"Error: Session ID $session is already in use.\" >&2; exit 1";
    let (_, message) = first_phase(script, &[], "session_in_use");
    assert!(
        message.contains("Session ID [SESSION] is already in use.: remove --session-id to start a new one"),
        "{message}"
    );
}

#[test]
fn the_session_is_unknown() {
    let world = World::new();
    world.script(
        1,
        r#"echo "No conversation found with session ID: $session" >&2
        printf '{"type":"result","subtype":"error_during_execution","is_error":true,"errors":["No conversation found with session ID: x"]}\n'
        exit 1"#,
    );
    let output = world.run(&["--session-id", SESSION, "--start-phase", "2"]);
    check_run(&output, 1, &["failure session_unknown", TOO_FEW]);
    assert!(world.recorded("argv", 1).contains("--resume\n11111111"));
}

#[test]
fn the_agent_reports_an_error() {
    for end in ["", "; exit 1"] {
        let result =
            r#"{"type":"result","subtype":"success","is_error":true,"result":"API Error: 529 overloaded"}"#;
        let (_, message) = first_phase(&format!("init; echo '{result}'{end}"), &[], "phase_error");
        let start = "phase 1 (notes) ended with an error: API Error: 529 overloaded; to resume: ";
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn the_agent_ends_without_a_result() {
    let (_, message) = first_phase("init", &[], "phase_failed");
    assert!(message.starts_with("phase 1 (notes) ended without a result; to resume"), "{message}");
}

#[test]
fn a_session_is_resumed_from_the_failed_phase() {
    let world = World::new();
    world.script(2, "init; write_task early; exit 1");
    check_run(&world.run(&["--seed-count", "2"]), 1, &["seed early", "failure phase_failed", TOO_FEW]);

    world.script(3, "init; write_task late; result");
    world.script(4, "init; result");
    check_run(&world.run(&["--seed-count", "2", "--start-phase", "2"]), 0, &["seed early", "seed late"]);
    let id = |call| world.recorded("argv", call).lines().find(|arg| arg.len() == 36).map(str::to_owned);
    assert_eq!(id(1), id(3));
    assert!(world.recorded("argv", 3).contains("\n--resume\n"));
    assert_eq!(world.seeds(), ["early", "late"]);
}

#[test]
fn tasks_written_by_others_between_runs_are_not_seeds() {
    let world = World::new();
    world.script(2, "init; write_task mine; exit 1");
    check_run(&world.run(&["--seed-count", "1"]), 1, &["seed mine", "failure phase_failed"]);
    world.add_valid_task("theirs");
    check_run(&world.run(&["--seed-count", "1", "--start-phase", "3"]), 0, &["seed mine"]);
    assert!(world.recorded("argv", 3).starts_with("-p\nYou have not completed the task."));
}

#[test]
fn tasks_of_a_killed_run_belong_to_the_session() {
    let world = World::new();
    let started = world.fifo("started");
    world.script(2, "init; write_task mine; echo yes >\"$RECORD/started\"");
    let (mut child, _lines) = world.start(&["--seed-count", "1"]);
    assert_eq!(fs::read_to_string(started).unwrap(), "yes\n");
    child.kill().unwrap();
    child.wait().unwrap();
    check_run(&world.run(&["--seed-count", "1", "--start-phase", "3"]), 0, &["seed mine"]);
}

#[test]
fn the_agent_is_ended_when_the_stage_is_killed() {
    let world = World::new();
    let started = world.fifo("started");
    world.script(
        1,
        "init
        stubborn='trap \"\" TERM INT HUP; echo $$ >>\"$RECORD/pids\"; echo yes >\"$RECORD/started\"; while :; do sleep 600; done'
        sh -c \"$stubborn\" & setsid sh -c \"$stubborn\" & (setsid sh -c \"$stubborn\" &)
        trap '' TERM; while :; do sleep 600; done",
    );
    let (mut child, _lines) = world.start(&["--seed-count", "1"]);
    let mut ready = BufReader::new(fs::File::open(started).unwrap());
    for _ in 0..3 {
        ready.read_line(&mut String::new()).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    while !world.running().is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "not within a minute: {:?}", world.running());
        thread::yield_now();
    }
}

#[test]
fn there_is_no_session_to_resume() {
    let output = World::new().run(&["--start-phase", "3"]);
    check_refusal(&output, "no session to resume in [W]/task_generation_runs/demo_env; set --session-id");
}

#[test]
fn the_first_phase_can_be_repeated_in_a_session() {
    let (world, _) = first_phase("init; exit 1", &[], "phase_failed");
    world.script(2, "init; exit 1");
    assert_eq!(world.run(&["--session-id", SESSION]).status, Some(1));
    assert!(world.recorded("argv", 2).contains("\n--resume\n"));
}

#[test]
fn propose_start_idx_counts_completed_phases() {
    let world = World::new();
    world.script(1, "init; write_task one; result");
    let args = ["--session-id", SESSION, "--propose-start-idx", "2", "--seed-count", "1"];
    check_run(&world.run(&args), 0, &["seed one"]);
    assert_eq!(world.calls(), 1);
    assert!(world.recorded("argv", 1).starts_with("-p\nYou have not completed the task."));
}

/// Sends a signal while the agent is in its second phase.
fn interrupt(with: Signal) {
    let world = World::new();
    let started = world.fifo("started");
    world.script(
        2,
        "init; write_task done; sleep 600 & echo $! >>\"$RECORD/pids\"; echo yes >\"$RECORD/started\"; wait",
    );
    let (child, _lines) = world.start(&["--seed-count", "2"]);
    assert_eq!(fs::read_to_string(started).unwrap(), "yes\n");
    kill_process(Pid::from_child(&child), with).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("phase 2 (write) was interrupted; to resume: "), "{stderr}");
    world.assert_nothing_runs();
    // What was finished is not lost, and the manifest is not taken for whole.
    assert_eq!(world.seeds(), ["done"]);
    assert!(!world.run_dir().join("seeds.jsonl").exists());
}

#[test]
fn ctrl_c_ends_the_agent_and_shows_how_to_resume() {
    interrupt(Signal::INT);
}

#[test]
fn a_closed_terminal_ends_the_agent() {
    // A program that nohup started ignores the signal, and so do its children. A handler is not inherited: with one
    // here, the stage starts with the default.
    signal_hook::flag::register(SIGHUP, Arc::default()).unwrap();
    interrupt(Signal::HUP);
}

#[test]
fn a_second_run_in_the_same_run_directory_is_refused() {
    let world = World::new();
    let (started, gate) = (world.fifo("started"), world.fifo("gate"));
    world.script(1, "init; echo yes >\"$RECORD/started\"; cat \"$RECORD/gate\"; result");
    let (mut child, lines) = world.start(&["--seed-count", "1"]);
    assert_eq!(fs::read_to_string(started).unwrap(), "yes\n");
    let second = world.command(&[]).output().unwrap();
    fs::write(gate, "go\n").unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another stage-propose (process"));
    assert_eq!(lines.count(), 1);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn contradictory_arguments_are_refused() {
    let world = World::new();
    let check = |args: &[&str], message: &str| check_refusal(&world.run(args), message);
    check(&["--agent", "command"], "--agent command needs --agent-cmd");
    check(&["--agent-cmd", "x {prompt_file}"], "--agent-cmd needs --agent command");
    check(&["--agent", "command", "--agent-cmd", "x"], "--agent-cmd has no {prompt_file}");
    check(&["--input", "seeds.jsonl"], "stage-propose is the first stage: it reads no records");
    check(&["--notes", "nowhere"], "cannot read the notes in nowhere");
    check(&["--prompts", "nowhere"], "the prompts folder nowhere does not exist");
    fs::write(world.path("empty.md"), " \n").unwrap();
    check(&["--edit-task", "old_task", "--feedback", "empty.md"], "the feedback is empty");
    check(&["--edit-task", "no_task", "--feedback", "empty.md"], "demo_env has no task \"no_task\" to edit");
    check(
        &["--agent", "existing", "--edit-task", "old_task", "--feedback", "empty.md"],
        "--edit-task needs an agent",
    );
    assert!(!Path::new(&world.path("record/calls")).exists());
}
