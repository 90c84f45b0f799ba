//! `--batch`: all but the plan comes from batches, at half the price, and nothing is paid twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use model_client::{ModelAnswer, ModelTable};
use rustix::process::{Pid, Signal, kill_process};
use testkit::{BatchFaults, Ending, Play, Ran, Server};

use crate::world::{World, calls, good, good_server};

const TASKS: usize = 4;
const ARGS: [&str; 7] = ["--env-seeds", "--count", "4", "--model", "gemini-4-argon", "--batch-poll-sec", "0"];

fn server(faults: BatchFaults) -> Server {
    Server::with_batches(faults, |_| {}, |asked| Play::Answer(good(asked)))
}

fn run(world: &World, server: &Server, more: &[&str]) -> Ran {
    world.run_at(server, &[&ARGS, more].concat())
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

/// What the answers in the journal cost, and what they would have cost live, in US dollars, without those of the plan.
fn costs(world: &World) -> (f64, f64) {
    let price =
        model_client::facts("gemini-4-argon", &ModelTable::built_in().unwrap()).unwrap().price.unwrap();
    let journal = world.result("answers.jsonl");
    let answers = journal.lines().map(|line| serde_json::from_str::<ModelAnswer>(line).unwrap());
    let answers: Vec<ModelAnswer> = answers.filter(|answer| !answer.label.starts_with("plan")).collect();
    let paid = answers.iter().map(|answer| answer.cost.unwrap()).sum();
    (paid, answers.iter().map(|answer| price.cost(&answer.usage)).sum())
}

#[test]
fn a_run_with_batches_writes_what_a_live_run_writes() {
    let live = (World::new(), good_server());
    let ran = live.0.run_at(&live.1, &ARGS);
    assert_eq!(ran.status, Some(0), "{ran:?}");

    let (world, server) = (World::new(), server(BatchFaults::default()));
    let ran = run(&world, &server, &["--batch"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for name in ["specs", "files"] {
        assert_eq!(world.manifest(&format!("{name}.jsonl")), live.0.manifest(&format!("{name}.jsonl")));
    }
    // READMEs, files, checklists, fixtures: a batch for each.
    assert_eq!((server.batches().len(), paid(&server).len()), (4, 4 * TASKS), "{ran:?}");
    assert_eq!(calls(&server).len(), 1, "only the plan is asked live");
    assert!(ran.stderr.contains("submitted a batch of 4 requests"), "{ran:?}");
    assert!(ran.stderr.contains("17 answers from the model, 0 from the journal"), "{ran:?}");
    let (paid, live) = costs(&world);
    assert!((paid - live / 2.0).abs() < 1e-9, "{paid} is not half of {live}");

    // A live run has nothing left to ask.
    let ran = world.run_at(&server, &ARGS);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(calls(&server).len(), 1, "{ran:?}");
}

#[test]
fn what_batches_leave_unanswered_is_asked_again() {
    for (flag, live, batches) in [("--batch", 1, 5), ("--batch-then-live", 1 + TASKS / 2, 4)] {
        let endings = vec![Ending::Expired];
        let (world, server) = (World::new(), server(BatchFaults { endings, ..BatchFaults::default() }));
        let ran = run(&world, &server, &[flag]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(world.manifest("files.jsonl").len(), TASKS, "{ran:?}");
        assert_eq!(calls(&server).len(), live, "{flag}: {ran:?}");
        assert_eq!(server.batches().len(), batches, "{flag}: {ran:?}");
        assert!(ran.stderr.contains("2 requests without an answer"), "{ran:?}");
    }
}

#[test]
fn an_interrupted_command_leaves_the_batch_to_the_same_command() {
    let child = Arc::new(Mutex::new(None::<Pid>));
    let to_interrupt = Arc::clone(&child);
    let server = Server::with_batches(
        BatchFaults { looks: 4, ..BatchFaults::default() },
        move |event| {
            // The batch is submitted by then: two uploads, its creation, and the first look.
            if event == 12 {
                kill_process(to_interrupt.lock().unwrap().unwrap(), Signal::INT).unwrap();
            }
        },
        |asked| Play::Answer(good(asked)),
    );
    let world = World::new();
    let ran = {
        let mut command =
            world.command_at(&server, &[&ARGS[..5], &["--batch", "--batch-poll-sec", "1"]].concat());
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut lock = child.lock().unwrap();
        let process = command.spawn().unwrap();
        *lock = Some(Pid::from_child(&process));
        drop(lock);
        Ran::from(process.wait_with_output().unwrap())
    };
    assert_eq!(ran.status, Some(130), "{ran:?}");
    assert!(ran.stderr.contains("4 requests in batches go on at the provider"), "{ran:?}");

    let refused = world.run_at(&server, &ARGS);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("add --batch to fetch the answers"), "{refused:?}");

    let ran = run(&world, &server, &["--batch"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("waiting for a batch of 4 requests, submitted before"), "{ran:?}");
    assert_eq!((server.batches().len(), paid(&server).len()), (4, 4 * TASKS), "{ran:?}");
    assert!(paid(&server).values().all(|&times| times == 1));
}

/// The program, with a model of any provider at `server`.
fn command_of_any(world: &World, server: &Server, args: &[&str]) -> std::process::Command {
    let mut command = world.command_at(server, args);
    command.env("ANTHROPIC_BASE_URL", server.url()).env("ANTHROPIC_API_KEY", "key");
    command.env("OPENAI_BASE_URL", server.url()).env("OPENAI_API_KEY", "key");
    command
}

#[test]
fn cancelled_batches_are_paid_for_as_far_as_they_were_answered() {
    for model in ["gemini-4-argon", "claude-haiku-4-5", "openai:gpt-5.4-mini"] {
        let server = server(BatchFaults { looks: usize::MAX, ..BatchFaults::default() });
        let world = World::new();
        let args = ["--env-seeds", "--count", "4", "--model", model, "--batch-poll-sec", "0"];
        let mut command = command_of_any(&world, &server, &[&args[..], &["--batch"]].concat());
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        let process = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        while server.batches().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&process), Signal::INT).unwrap();
        let ran = Ran::from(process.wait_with_output().unwrap());
        assert_eq!(ran.status, Some(130), "{ran:?}");

        let cancel = [&args[..], &["--cancel-batches"]].concat();
        let ran = Ran::from(command_of_any(&world, &server, &cancel).output().unwrap());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("cancelling 4 requests in batches"), "{ran:?}");
        assert!(ran.stderr.contains("a batch has ended: 2 answers"), "{ran:?}");
        assert_eq!((server.batches().len(), paid(&server).len()), (1, 2), "{ran:?}");
        // What they have answered is in the journal, and no batch is open.
        let nothing = Ran::from(command_of_any(&world, &server, &cancel).output().unwrap());
        assert_eq!(nothing.status, Some(0), "{nothing:?}");
        assert!(nothing.stderr.contains("cancelling 0 requests in batches"), "{nothing:?}");
        let answers = world.result("answers.jsonl");
        assert_eq!(answers.matches("\"readme/").count(), 2, "{ran:?}");
    }
}
