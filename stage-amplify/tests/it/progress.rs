//! What a person is told while calls are in flight, fail, or wait.

use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use testkit::faults::rate_limited;
use testkit::{Play, Server};

use crate::ending::Door;
use crate::world::{Call, KEY, Ran, World, call, good, good_server, task};

/// A run whose messages are read as they come.
struct Running {
    child: Child,
    messages: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        command.args(["--progress-interval", "0.02"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let messages = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, messages }
    }

    /// Waits for a message with all of these words.
    #[track_caller]
    fn says(&mut self, words: &[&str]) -> String {
        let mut all = Vec::new();
        for message in &mut self.messages {
            let message = message.unwrap();
            if words.iter().all(|word| message.contains(word)) {
                return message;
            }
            all.push(message);
        }
        panic!("no message with {words:?} in\n{}", all.join("\n"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_progress_line_says_what_is_done_what_is_going_on_and_what_it_cost() {
    let (world, door) = (World::new(), Door::default());
    let before = door.clone();
    let server = Server::start(move |asked| {
        if call(asked) == Call::Files(task(3)) {
            before.pass();
        }
        Play::Answer(good(asked))
    });
    let mut run = Running::start(&mut world.command_at(&server, &["--count", "3"]));
    let line = run.says(&["README 3/3, files 2/3, checklist 2/3, fixtures 2/3, 1 in flight"]);
    for part in ["k tokens in, ", " out, $0.", "s so far, ", " left"] {
        assert!(line.contains(part), "{line}");
    }
    door.open();
    assert!(run.child.wait().unwrap().success());
}

#[test]
fn a_pause_because_of_a_silent_call_is_explained() {
    let (world, door) = (World::new(), Door::default());
    let before = door.clone();
    let server = Server::start(move |asked| {
        before.pass();
        Play::Answer(good(asked))
    });
    let mut run = Running::start(&mut world.command_at(&server, &["--count", "3"]));
    run.says(&["no progress for ", ": 1 call in flight, nothing from plan/1 for "]);
    run.says(&["plan 0/3, 1 in flight, 0 tokens in, 0 out, $0.00, ", "time left not known yet"]);
    door.open();
    assert!(run.child.wait().unwrap().success());
}

#[test]
fn a_pause_because_of_a_rate_limit_is_explained() {
    let world = World::new();
    let server = Server::start(|asked| rate_limited(asked.format, Duration::from_mins(5)));
    let mut run = Running::start(&mut world.command_at(&server, &["--count", "3", "--verbose"]));
    run.says(&["plan/1: attempt 1 failed: Gemini answered 429: ", "; the next one follows in 300.0 s"]);
    run.says(&["no progress for ", ": 1 call will be sent again, the first in ", ": Gemini answered 429: "]);
    run.says(&["plan 0/3, 0 in flight, 1 throttled for ", " (Gemini answered 429: "]);
}

#[test]
fn a_pause_because_of_broken_connections_is_explained() {
    let world = World::new();
    let server = Server::start(|asked| match call(asked) {
        Call::Plan { .. } => Play::Answer(good(asked)),
        _ => Play::HangUp,
    });
    let mut run = Running::start(&mut world.command_at(&server, &["--count", "3"]));
    run.says(&["no progress for ", " will be sent again, the first in ", "cannot ask Gemini at 127.0.0.1"]);
    run.says(&[
        "README 0/3, files 0/3, checklist 0/3, fixtures 0/3, ",
        " retrying in ",
        "cannot ask Gemini at 127.0.0.1",
    ]);
}

#[test]
fn an_unreachable_provider_is_one_error() {
    let world = World::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = world.command(&["--count", "20"]);
    command.env("GEMINI_BASE_URL", format!("http://{address}")).env("GEMINI_API_KEY", KEY);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.status, Some(2), "{ran:?}");
    let told = ran.stderr.lines().filter(|line| line.contains("error:")).collect::<Vec<_>>();
    let [error] = told[..] else { panic!("{ran:?}") };
    assert!(error.contains(&format!("cannot ask Gemini at {address}")), "{error}");
    assert!(error.contains("Connection refused"), "{error}");
    for untold in ["cut off", "named no", "0 answers"] {
        assert!(!ran.stderr.contains(untold), "{untold}: {}", ran.stderr);
    }
}

#[test]
fn a_run_without_a_pause_has_no_progress_lines() {
    let world = World::new();
    let ran = world.run_at(&good_server(), &["--count", "3", "--progress-interval", "3600"]);
    assert!(!ran.stderr.contains("no progress") && !ran.stderr.contains("in flight"), "{ran:?}");
}
