//! Runs that are killed, and concurrent runs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc;

use serde_json::Value;
use testkit::author::{call, good};
use testkit::{Play, Ran, Server, spawn_silently};

use crate::world::{World, author_server, label};

/// A server that answers a number of calls and never answers further ones.
fn server_that_hangs_after(answers: usize) -> Server {
    let (keep, never) = mpsc::channel::<()>();
    let never = Mutex::new(never);
    Server::start(move |asked| {
        if asked.number > answers {
            let _open = &keep;
            let _ = never.lock().unwrap().recv();
        }
        Play::Answer(good(asked))
    })
}

/// Labels of the complete lines of the journal.
fn journalled(world: &World) -> Vec<String> {
    let text = fs_err::read_to_string(world.run_dir().join("answers.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let label =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["label"].as_str().unwrap().to_owned();
    whole.lines().map(label).collect()
}

#[test]
fn after_a_kill_paid_answers_are_not_requested_again() {
    let undisturbed = World::new();
    let rest = "stage-extract $A < task_generation_runs/demo_env/files.jsonl | stage-verify-spec $A --python none >/dev/null";
    let propose = "stage-propose $A --software Books --agent existing >/dev/null";
    let server = author_server();
    assert_eq!(undisturbed.shell(propose, &server).status, Some(0));
    assert_eq!(Ran::from(undisturbed.stage("stage-amplify", &server).output().unwrap()).status, Some(0));
    assert_eq!(undisturbed.shell(rest, &server).status, Some(0));

    for answers in [0, 1, 4, 9, 14] {
        let world = World::new();
        assert_eq!(world.shell(propose, &server).status, Some(0));
        let hanging = server_that_hangs_after(answers);
        let mut child = spawn_silently(&mut world.stage("stage-amplify", &hanging));
        hanging.wait_for(answers + 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!world.run_dir().join("files.jsonl").exists());
        let paid = journalled(&world);

        let server = author_server();
        let ran = Ran::from(world.stage("stage-amplify", &server).output().unwrap());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        for logged in server.log() {
            *asked.entry(label(&call(&logged.asked))).or_default() += 1;
        }
        assert!(asked.values().all(|&times| times == 1), "{asked:?}");
        assert_eq!(paid.iter().find(|label| asked.contains_key(*label)), None, "after {answers} answers");
        assert_eq!(paid.len() + asked.len(), 33);
        assert_eq!(world.shell(rest, &server).status, Some(0));
        assert_eq!(world.result(), undisturbed.result(), "after {answers} answers");
    }
}

#[test]
fn a_second_process_of_a_stage_is_refused() {
    let world = World::new();
    let hanging = server_that_hangs_after(0);
    let mut child = spawn_silently(&mut world.stage("stage-amplify", &hanging));
    hanging.wait_for(1);
    let second = Ran::from(world.stage("stage-amplify", &hanging).output().unwrap());
    assert_eq!(second.status, Some(2));
    assert!(second.stderr.contains("another stage-amplify (process "), "{second:?}");
    assert_eq!(second.stderr.lines().count(), 1, "{second:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}
