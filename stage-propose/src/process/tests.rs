//! Commands that end by themselves, and commands that resist.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::*;

/// Keeps tests apart: they share a process, and an orphan is ended with the first command that ends.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const LIMITS: Limits = Limits { time: None, grace: Duration::from_millis(200) };

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Runs a script and returns how it ended and what it wrote to standard output.
fn run_script(script: &str) -> (ProcessEnd, String) {
    let mut out = Vec::new();
    let end = run(shell(script), LIMITS, &Interrupt::default(), |stream, line| {
        if stream == Stream::Stdout {
            out.extend_from_slice(line);
        }
        ControlFlow::Continue(())
    });
    (end.expect("it starts"), String::from_utf8(out).expect("text"))
}

fn start_error(program: &Path) -> ProcessError {
    let ignore = |_: Stream, _: &[u8]| ControlFlow::Continue(());
    run(Command::new(program), LIMITS, &Interrupt::default(), ignore).expect_err("it does not start")
}

fn is_running(pid: &str) -> bool {
    fs_err::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.starts_with(" Z")))
}

#[track_caller]
fn check_all_ended(pids: &str) {
    assert!(!pids.is_empty(), "the script prints its processes");
    for pid in pids.split_ascii_whitespace() {
        assert!(!is_running(pid), "process {pid} of {pids:?} still runs");
    }
}

fn status(end: ProcessEnd) -> Option<i32> {
    match end.cause {
        EndCause::Exited(status) => status.code(),
        _ => None,
    }
}

#[test]
fn output_is_complete_and_standard_input_is_closed() {
    let _alone = alone();
    let (end, out) = run_script("echo one; echo no >&2; cat; printf two; exit 7");
    assert_eq!((status(end), out.as_str(), end.left_behind), (Some(7), "one\ntwo", 0));
}

#[test]
fn the_error_says_why_a_program_cannot_be_started() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let plain = dir.path().join("plain");
    fs_err::write(&plain, "no program").expect("a file");
    let missing = start_error(&dir.path().join("missing"));
    assert!(matches!(missing, ProcessError::NotFound(_)), "{missing:?}");
    let plain = start_error(&plain);
    assert!(matches!(plain, ProcessError::NotExecutable(_)), "{plain:?}");
}

#[test]
fn processes_left_behind_are_ended() {
    let _alone = alone();
    let (end, pids) = run_script("sleep 600 & echo $!; setsid sleep 600 & echo $!");
    assert_eq!((status(end), end.left_behind >= 2), (Some(0), true));
    check_all_ended(&pids);
}

#[test]
fn a_time_limit_ends_it() {
    let _alone = alone();
    let limits = Limits { time: Some(Duration::from_millis(50)), ..LIMITS };
    let end = run(shell("sleep 600"), limits, &Interrupt::default(), |_, _| ControlFlow::Continue(()));
    assert_eq!(end.expect("it starts").cause, EndCause::TimedOut);
}

#[test]
fn processes_that_ignore_signals_or_hide_are_ended() {
    let _alone = alone();
    let stubborn = "trap '' TERM; echo $$; while :; do sleep 600; done";
    let script = format!(
        "(setsid sh -c \"{0}\" &) ; sh -c \"{0}\" & echo $$; trap '' TERM; while :; do sleep 600; done",
        stubborn.replace('$', "\\$")
    );
    let mut pids = String::new();
    let end = run(shell(&script), LIMITS, &Interrupt::default(), |_, line| {
        pids.push_str(&String::from_utf8_lossy(line));
        if pids.lines().count() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(end.expect("it starts").cause, EndCause::CutOff);
    check_all_ended(&pids);
}

#[test]
fn an_interrupt_ends_it() {
    let _alone = alone();
    let interrupt = Interrupt::default();
    let mut pids = String::new();
    let end = run(shell("echo $$; sleep 600"), LIMITS, &interrupt, |_, line| {
        pids.push_str(&String::from_utf8_lossy(line));
        interrupt.raise();
        ControlFlow::Continue(())
    });
    assert_eq!(end.expect("it starts").cause, EndCause::Interrupted);
    check_all_ended(&pids);
}

#[test]
fn endless_output_can_be_cut_off() {
    let _alone = alone();
    let mut bytes = 0;
    let end = run(Command::new("yes"), LIMITS, &Interrupt::default(), |_, line| {
        bytes += line.len();
        if bytes > 10_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(end.expect("it starts").cause, EndCause::CutOff);
}

#[test]
fn commands_that_run_at_the_same_time_do_not_end_each_other() {
    let _alone = alone();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (end, out) = run_script("sleep 0.05; echo done");
                assert_eq!((status(end), out.as_str()), (Some(0), "done\n"));
            });
        }
    });
}
