//! A run through make that is killed and limited again and again, and then runs to its end.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use testkit::author::{call, good};
use testkit::{Asked, Play, Ran, Server};

use crate::make::{make, make_command};
use crate::world::{World, author_server, label};

/// Calls of a run over eight tasks: the plan, and four for each task.
const CALLS: usize = 33;
/// After how many further answers each kill comes. Drawn once.
const KILLS: [usize; 10] = [0, 1, 2, 0, 3, 1, 2, 1, 0, 2];
/// The kills that a run with a cost limit follows.
const LIMITED_AFTER: [usize; 2] = [3, 7];
/// What such a run may spend beside what was spent, in US dollars: two or three calls at their worst case, and never
/// all that are missing.
const ALLOWANCE: f64 = 0.012;
const RUN: [&str; 2] = ["run", "COUNT=8"];

/// Lets as many calls of the present run through as are allowed. Further ones wait, until the run that made them is
/// killed. Runs are told apart by their keys: a request may arrive after its sender was killed.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Calls>, Condvar)>);

#[derive(Debug, Default)]
struct Calls {
    allowed: usize,
    answered: usize,
    waiting: usize,
    /// The key of the present run.
    key: String,
    runs: usize,
}

impl Gate {
    fn play(&self, asked: &Asked) -> Play {
        let key = asked.header("x-goog-api-key").unwrap_or_default();
        let mut calls = self.calls();
        calls.waiting += usize::from(calls.key == key);
        let must_wait = |calls: &mut Calls| calls.answered >= calls.allowed && calls.key == key;
        calls = self.0.1.wait_while(calls, must_wait).unwrap();
        if calls.key != key {
            return Play::HangUp;
        }
        calls.waiting -= 1;
        calls.answered += 1;
        Play::Answer(good(asked))
    }

    /// Begins a run of which this many calls are let through. Returns its key.
    fn next_run(&self, answers: usize) -> String {
        let mut calls = self.calls();
        calls.allowed = calls.answered.saturating_add(answers);
        calls.waiting = 0;
        calls.runs += 1;
        calls.key = format!("key-{}", calls.runs);
        self.0.1.notify_all();
        calls.key.clone()
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.0.lock().unwrap()
    }
}

/// The complete lines of the journal.
fn journal(world: &World) -> Vec<Value> {
    let text = fs_err::read_to_string(world.run_dir().join("answers.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn dollars(journal: &[Value]) -> f64 {
    journal.iter().map(|line| line["cost"].as_f64().unwrap()).sum()
}

/// Starts a run, and kills make and all its stages when this many further answers are in the journal and another call
/// waits for its answer.
fn kill_after(answers: usize, world: &World, server: &Server, gate: &Gate) {
    let key = gate.next_run(answers);
    let mut command = make_command(world, server, &RUN);
    command.env("GEMINI_API_KEY", key);
    let mut child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(2);
    let is_there = || {
        let calls = gate.calls();
        let is_waiting = calls.answered == calls.allowed && calls.waiting > 0;
        is_waiting && journal(world).len() == calls.answered
    };
    while !is_there() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended by itself");
        assert!(
            Instant::now() < deadline,
            "no call waits: {:?}, {} in the journal",
            gate.calls(),
            journal(world).len()
        );
        thread::sleep(Duration::from_millis(5));
    }
    kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
}

/// Runs to the end.
fn run(world: &World, server: &Server, gate: &Gate, args: &[&str]) -> Ran {
    let key = gate.next_run(usize::MAX);
    Ran::of(make_command(world, server, args).env("GEMINI_API_KEY", key), "")
}

/// Runs with a limit that some further calls fit under.
fn stop_at_limit(world: &World, server: &Server, gate: &Gate) {
    let before = dollars(&journal(world));
    let limit = format!("AMPLIFY_ARGS=--prices {} --max-cost {}", prices(world), before + ALLOWANCE);
    let stopped = run(world, server, gate, &[&RUN[..], &[&limit]].concat());
    assert_eq!(stopped.status, Some(2), "{stopped:?}");
    let after = dollars(&journal(world));
    assert!(before < after && after <= before + ALLOWANCE, "{before} {after} {stopped:?}");
    assert!(stopped.stderr.contains("of 8 tasks missing"), "{stopped:?}");
    assert!(stopped.stderr.contains("not complete: amplify"), "{stopped:?}");
    assert!(!stopped.stderr.contains("all done"), "{stopped:?}");
}

/// A table of prices with answers of limited length, so that few worst cases fill a limit.
fn prices(world: &World) -> String {
    let model = r#"{"name": "gemini-4-argon", "max_output_tokens": 2000, "price": {"base": {"input": 1, "output": 1}}}"#;
    world.write("prices.json", &format!(r#"{{"models": [{model}]}}"#)).to_str().unwrap().to_owned()
}

#[test]
fn a_run_killed_ten_times_and_limited_twice_ends_as_an_undisturbed_one_and_pays_for_nothing_twice() {
    let (undisturbed, server) = (World::new(), author_server());
    assert_eq!(make(&undisturbed, &server, &RUN).status, Some(0));

    let (world, gate) = (World::new(), Gate::default());
    let server = Server::start({
        let gate = gate.clone();
        move |asked| gate.play(asked)
    });
    for (number, answers) in KILLS.into_iter().enumerate() {
        kill_after(answers, &world, &server, &gate);
        if LIMITED_AFTER.contains(&number) {
            stop_at_limit(&world, &server, &gate);
        }
    }
    let last = run(&world, &server, &gate, &RUN);
    assert_eq!(last.status, Some(0), "{last:?}");
    assert!(last.stderr.contains("make: all done"), "{last:?}");
    assert!(last.stderr.contains("tasks: 8 asked, 8 planned, 8 written, 8 valid, 0 bad\n"), "{last:?}");

    let result = world.result().replace("\"kept\"", "\"written\"");
    assert!(result == undisturbed.result(), "{last:?}");
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    for logged in server.log().iter().filter(|logged| logged.given.is_some()) {
        *given.entry(label(&call(&logged.asked))).or_default() += 1;
    }
    assert!(given.len() == CALLS && given.values().all(|&times| times == 1), "{given:?}");
    assert_eq!(journal(&world).len(), CALLS);
}
