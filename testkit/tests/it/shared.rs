//! Runs that share the rate limit and the budget of a ledger.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{BatchFaults, Play, Ran, Server, author};

use crate::world::{World, author_server, program};

/// A ledger that serves until this is dropped.
struct Ledger(Child);

impl Ledger {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program("fleet-ledger"));
        let mut child = command.arg("serve").arg(dir).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening at"), "{line}");
        Self(child)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Runs stage-amplify in all of these worlds at once.
fn amplify(worlds: &[World], server: &Server, ledger: &Path) -> Vec<Ran> {
    let start = |world: &World| {
        let mut command = world.stage("stage-amplify", server);
        command.args(["--env-seeds", "--ledger"]).arg(ledger);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = worlds.iter().map(start).collect();
    children.into_iter().map(|child| Ran::from(child.wait_with_output().unwrap())).collect()
}

/// The greatest number of calls that were granted and not settled at one time.
fn most_in_flight(journal: &str) -> usize {
    let (mut now, mut most) = (0, 0);
    for line in journal.lines() {
        now = if line.starts_with("{\"granted\":") { now + 1 } else { now - 1 };
        most = most.max(now);
    }
    most
}

#[test]
fn runs_share_a_rate_limit_and_a_budget() {
    let worlds = [World::new(), World::new(), World::new()];
    let server = author_server();
    let dir = worlds[0].path("fleet");
    let file = dir.join("ledger.json");

    let ledger = Ledger::start(&dir, &["--max-cost", "0.001"]);
    for ran in amplify(&worlds, &server, &file) {
        assert_eq!(ran.status, Some(3), "{}", ran.stderr);
        assert!(ran.stderr.contains("stopped at $0.00 of the $0.00 of all runs"), "{}", ran.stderr);
        assert!(ran.stderr.contains("raise --max-cost of fleet-ledger"), "{}", ran.stderr);
    }
    assert!(server.log().is_empty());
    drop(ledger);

    let _ledger = Ledger::start(&dir, &["--max-cost", "100", "--in-flight", "2"]);
    for ran in amplify(&worlds, &server, &file) {
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    }
    let journal = worlds[0].read(dir.join("ledger.jsonl"));
    assert!(most_in_flight(&journal) <= 2, "{journal}");
    assert_eq!(journal.matches("{\"settled\":").count(), server.log().len());
    let status = Command::new(program("fleet-ledger")).args(["status", "--json"]).arg(&dir).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status["spent"].as_f64() > Some(0.0) && status["reserved"] == 0.0, "{status}");
}

/// What is spent and reserved in a ledger, in US dollars.
fn money(dir: &Path) -> (f64, f64) {
    let output = Command::new(program("fleet-ledger")).args(["status", "--json"]).arg(dir).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (status["spent"].as_f64().unwrap(), status["reserved"].as_f64().unwrap())
}

/// What the answers in the journal of a run cost, in US dollars.
fn journalled(world: &World) -> f64 {
    let journal = world.read(world.run_dir().join("answers.jsonl"));
    let answers = journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    answers.map(|answer| answer["cost"].as_f64().unwrap()).sum()
}

/// The longest README costs $0.17 in a batch; those of this server cost a cent.
#[test]
fn batches_share_the_budget_of_a_ledger_and_are_as_large_as_it_permits() {
    let world = World::new();
    let server =
        Server::with_batches(BatchFaults::default(), |_| {}, |asked| Play::Answer(author::good(asked)));
    let dir = world.path("fleet");
    let run = |limit: &str| {
        let _ledger = Ledger::start(&dir, &["--max-cost", limit]);
        let mut command = world.stage("stage-amplify", &server);
        command.args(["--env-seeds", "--batch", "--batch-poll-sec", "0"]);
        command.env("PROPOSE_AMPLIFY_LEDGER", dir.join("ledger.json"));
        let ran = Ran::of(&mut command, "");
        (ran, money(&dir))
    };
    let (ran, (spent, reserved)) = run("0.9");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    // The first READMEs do not fit in one batch.
    assert!(
        (1..8).contains(&server.batches()[0].results().len()) && server.batches().len() > 4,
        "{}",
        ran.stderr
    );
    assert!((spent - journalled(&world)).abs() < 1e-9 && spent > 0.0 && spent <= 0.9, "{spent}");
    assert!(reserved.abs() < 1e-9, "{reserved}");

    // Only the plan is left, and less of the budget than the first README may cost.
    let journal = world.read(world.run_dir().join("answers.jsonl"));
    let plan: Vec<&str> = journal.split_inclusive('\n').filter(|line| line.contains("\"plan/1\"")).collect();
    world.write(world.run_dir().join("answers.jsonl"), &plan.concat());
    let (ran, (after, _)) = run(&format!("{:.4}", spent + 0.01));
    assert_eq!(ran.status, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("of all runs: the next call may cost $0.17"), "{}", ran.stderr);
    assert!((after - spent).abs() < 1e-9, "{after}");
}

/// A server whose model writes good tasks, and which kills this process at the step of a batch with this number.
fn killing_at(step: usize, process: &Arc<Mutex<Option<Pid>>>) -> Server {
    let process = Arc::clone(process);
    let kill = move |event| {
        if event == step {
            kill_process(process.lock().unwrap().unwrap(), Signal::KILL).unwrap();
        }
    };
    Server::with_batches(BatchFaults::default(), kill, |asked| Play::Answer(author::good(asked)))
}

/// How often each request in a batch was paid for.
fn paid(server: &Server) -> BTreeMap<String, usize> {
    let mut paid = BTreeMap::new();
    let results = server.batches().into_iter().flat_map(|batch| batch.results().to_vec());
    for result in results.filter(|result| result.kind == "succeeded") {
        *paid.entry(result.mark).or_default() += 1;
    }
    paid
}

/// From the first upload, before which the money was set aside, to the first look at the batch, each message with its
/// arrival, its effect and its answer.
#[test]
fn a_run_that_is_killed_around_a_submission_pays_once_and_what_it_reserved_is_used_or_given_back() {
    for (model, steps) in [("gemini-4-argon", 12), ("claude-haiku-4-5", 6), ("openai:gpt-5.4-mini", 9)] {
        let (mut before, mut after) = (false, false);
        for step in 1..=steps {
            let process = Arc::new(Mutex::new(None));
            let (world, server) = (World::new(), killing_at(step, &process));
            let dir = world.path("fleet");
            let _ledger = Ledger::start(&dir, &["--max-cost", "20"]);
            let start = || {
                let mut command = world.stage("stage-amplify", &server);
                command.args(["--env-seeds", "--model", model, "--batch", "--batch-poll-sec", "0"]);
                command.env("ANTHROPIC_BASE_URL", server.url()).env("ANTHROPIC_API_KEY", "key");
                command.env("OPENAI_BASE_URL", server.url()).env("OPENAI_API_KEY", "key");
                command.env("PROPOSE_AMPLIFY_LEDGER", dir.join("ledger.json")).stdin(Stdio::null());
                let mut process = process.lock().unwrap();
                let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
                *process = Some(Pid::from_child(&child));
                child
            };
            let killed = start().wait_with_output().unwrap();
            assert_eq!(killed.status.code(), None, "{model} at {step}: {killed:?}");
            let is_submitted = !server.batches().is_empty();
            (before, after) = (before || !is_submitted, after || is_submitted);
            let (spent, reserved) = money(&dir);
            assert!(spent > 0.0 && reserved > 0.0, "{model} at {step}: ${spent}, ${reserved}");

            let ran = Ran::from(start().wait_with_output().unwrap());
            assert_eq!(ran.status, Some(0), "{model} at {step}: {}", ran.stderr);
            assert!(paid(&server).values().all(|&times| times == 1), "{model} at {step}: {ran:?}");
            let (spent, reserved) = money(&dir);
            assert!((spent - journalled(&world)).abs() < 1e-9, "{model} at {step}: ${spent}");
            assert!(reserved.abs() < 1e-9, "{model} at {step}: ${reserved}");
        }
        // Anthropic gets the requests in the message that submits them.
        assert!(after && before != model.starts_with("claude"), "{model}: {before}, {after}");
    }
}

#[test]
fn what_the_last_call_cost_is_reported_to_a_ledger_that_starts_again() {
    let world = World::new();
    let dir = world.path("fleet");
    let ledger = Arc::new(Mutex::new(Some(Ledger::start(&dir, &[]))));
    // A plan, and the READMEs and the files of eight tasks.
    let last = 17;
    let (to_restart, at) = (Arc::clone(&ledger), dir.clone());
    let server = Server::start(move |asked| {
        if asked.number == last {
            let mut ledger = to_restart.lock().unwrap();
            drop(ledger.take());
            *ledger = Some(Ledger::start(&at, &[]));
        }
        Play::Answer(author::good(asked))
    });
    let mut command = world.stage("stage-amplify", &server);
    command.args(["--env-seeds", "--pass", "plan,readme,files", "--ledger"]).arg(dir.join("ledger.json"));
    let ran = Ran::of(&mut command, "");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(server.log().len(), last, "{}", ran.stderr);
    let (spent, reserved) = money(&dir);
    assert!((spent - journalled(&world)).abs() < 1e-9 && spent > 0.0, "${spent}");
    assert!(reserved.abs() < 1e-9, "${reserved}");
}

#[test]
fn a_run_whose_ledger_does_not_answer_says_how_to_start_it() {
    let worlds = [World::new()];
    let server = author_server();
    let ran = amplify(&worlds, &server, &worlds[0].path("missing/ledger.json")).remove(0);
    assert_eq!(ran.status, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("fleet-ledger serve DIR"), "{}", ran.stderr);
    assert!(server.log().is_empty());
}
