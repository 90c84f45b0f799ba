//! Runs that share the rate limit and the budget of a ledger.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

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

#[test]
fn a_run_whose_ledger_does_not_answer_says_how_to_start_it() {
    let worlds = [World::new()];
    let server = author_server();
    let ran = amplify(&worlds, &server, &worlds[0].path("missing/ledger.json")).remove(0);
    assert_eq!(ran.status, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("fleet-ledger serve DIR"), "{}", ran.stderr);
    assert!(server.log().is_empty());
}
