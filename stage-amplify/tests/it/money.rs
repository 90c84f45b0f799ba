//! What is paid for, and what is not paid for again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{Play, Reply, Server};

use crate::world::{Call, World, call, good, good_server, plan_answer, row};

/// Another model than the default one.
const OTHER: &str = "gemini-3-pro-preview";

#[test]
fn what_one_model_has_answered_is_not_bought_of_another() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "2"]).status, Some(0));
    assert_eq!(server.log().len(), 9);
    let before = world.manifest("files.jsonl");

    let other = world.run_at(&server, &["--count", "3", "--model", OTHER]);
    assert_eq!(other.status, Some(0), "{other:?}");
    assert_eq!(server.log().len(), 9 + 5, "one task more: {other:?}");
    assert!(other.stderr.contains("8 answers of another model are kept"), "{other:?}");
    assert_eq!(world.manifest("files.jsonl")[..2], before[..]);
}

#[test]
fn fresh_buys_again_after_it_has_said_so_and_only_once() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "2"]).status, Some(0));
    let fresh = ["--count", "2", "--model", OTHER, "--fresh"];
    let again = world.run_at(&server, &fresh);
    assert_eq!(again.status, Some(0), "{again:?}");
    assert_eq!(server.log().len(), 9 + 9);
    let warning = "--fresh: of 2 tasks, what gemini-3-pro-preview has not answered is requested again: up to 9 calls, \
                   about $";
    assert!(again.stderr.contains(warning), "{again:?}");

    let twice = world.run_at(&server, &fresh);
    assert_eq!((twice.status, server.log().len()), (Some(0), 18), "{twice:?}");
}

#[test]
fn an_estimate_is_of_what_is_missing_and_needs_no_lock() {
    let (world, server) = (World::new(), good_server());
    let nothing = world.run_at(&server, &["--count", "3", "--estimate"]);
    assert!(nothing.stderr.contains("together: 13 calls"), "{nothing:?}");
    assert_eq!(world.run_at(&server, &["--count", "3"]).status, Some(0));
    let lock = common::run_dir::RunDir::open(&world.run_dir()).unwrap().lock("amplify").unwrap();
    let rest = world.run_at(&server, &["--count", "5", "--estimate"]);
    assert_eq!(rest.status, Some(0), "{rest:?}");
    assert!(rest.stderr.contains("readme: 2 calls") && rest.stderr.contains("together: 9 calls"), "{rest:?}");
    assert!(rest.stderr.contains("so far: 13 answers, $0.0"), "{rest:?}");
    let finished = world.run_at(&server, &["--count", "3", "--estimate"]);
    assert!(finished.stderr.contains("together: 0 calls"), "{finished:?}");
    assert!(finished.stderr.contains("about $0.00"), "{finished:?}");
    assert_eq!(server.log().len(), 13);
    drop(lock);
}

/// The cost of a pass, or of all together, by an estimate.
fn estimated(ran: &testkit::Ran, pass: &str) -> f64 {
    let line = ran.stderr.lines().find(|line| line.contains(&format!("{pass}: "))).unwrap();
    let (_, cost) = line.split_once("about $").unwrap();
    cost.split_once(',').unwrap().0.parse().unwrap()
}

#[test]
fn an_estimate_of_batches_is_half_of_the_price_but_for_the_plan() {
    let (world, server) = (World::new(), good_server());
    let live = world.run_at(&server, &["--count", "100", "--estimate"]);
    let batched = world.run_at(&server, &["--count", "100", "--estimate", "--batch"]);
    assert_eq!(batched.status, Some(0), "{batched:?}");
    for (pass, share) in
        [("plan", 1.0), ("readme", 0.5), ("files", 0.5), ("checklist", 0.5), ("fixtures", 0.5)]
    {
        let (live, batched) = (estimated(&live, pass), estimated(&batched, pass));
        assert!((batched - live * share).abs() < 0.011, "{pass}: {batched} of {live}");
    }
}

/// A longest answer costs $0.79 with this model, and those of this server cost a cent.
#[test]
fn a_cost_limit_is_one_of_the_run_directory_and_is_used_up() {
    let (world, server) = (World::new(), good_server());
    let mut limited = ["--num-workers", "1", "--max-cost", "0.9", "--count", "80"];
    let first = world.run_at(&server, &limited);
    assert_eq!(first.status, Some(3), "{first:?}");
    let spent = |world: &World| {
        let run: serde_json::Value = serde_json::from_str(&world.result("run.json")).unwrap();
        run["cost"]["dollars"].as_f64().unwrap()
    };
    assert!(spent(&world) > 0.8 && spent(&world) <= 0.9, "{first:?}");
    let calls = server.log().len();

    let again = world.run_at(&server, &limited);
    assert_eq!((again.status, server.log().len()), (Some(3), calls), "{again:?}");
    assert!(again.stderr.contains("with earlier runs)"), "{again:?}");
    limited[3] = "9";
    let rest = world.run_at(&server, &limited);
    assert_eq!((rest.status, server.log().len()), (Some(0), 321), "{rest:?}");
    let total = format!("(${:.2} with earlier runs)", spent(&world));
    assert!(rest.stderr.contains(&total), "{total} {rest:?}");
}

#[test]
fn rows_that_the_plan_lacks_are_asked_for_by_every_run_until_they_are_there() {
    let (world, rows) = (World::new(), Arc::new(AtomicUsize::new(2)));
    let server = Server::start({
        let rows = Arc::clone(&rows);
        move |asked| match call(asked) {
            Call::Plan(_) => {
                let rows: Vec<_> = (1..=rows.load(Ordering::SeqCst)).map(row).collect();
                Play::Answer(Reply::new(plan_answer(&rows)))
            }
            _ => Play::Answer(good(asked)),
        }
    });
    let mut asked = 0;
    for run in 1..=4 {
        let short = world.run_at(&server, &["--count", "3"]);
        assert_eq!(short.status, Some(1), "{short:?}");
        assert!(server.log().len() > asked, "run {run} asked for no row: {short:?}");
        asked = server.log().len();
    }
    rows.store(3, Ordering::SeqCst);
    let full = world.run_at(&server, &["--count", "3"]);
    assert_eq!((full.status, full.records().len()), (Some(0), 3), "{full:?}");
    assert_eq!(server.log().len(), asked + 1 + 4, "{full:?}");
}

#[test]
fn a_lower_count_removes_no_task() {
    let (world, server) = (World::new(), good_server());
    assert_eq!(world.run_at(&server, &["--count", "3"]).status, Some(0));
    let before = (world.result("plan.jsonl"), world.manifest("specs.jsonl"), world.manifest("files.jsonl"));
    let lower = world.run_at(&server, &["--count", "1"]);
    assert_eq!((lower.status, lower.records().len()), (Some(0), 3), "{lower:?}");
    assert!(lower.stderr.contains("--count 1: 2 tasks more, of earlier runs, kept"), "{lower:?}");
    assert_eq!(server.log().len(), 13);
    let after = (world.result("plan.jsonl"), world.manifest("specs.jsonl"), world.manifest("files.jsonl"));
    assert!(before == after);
}
