//! A process that is killed or interrupted. This test binary runs as that process, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use common::interrupt::Interrupt;
use model_client::{AskError, CallSettings, Journal};
use rustix::process::{Pid, Signal, kill_process};
use testkit::{Play, Reply as Said, Server};

use super::{client, on_threads, request, settings};

const TASKS: usize = 40;
const WORKERS: usize = 4;

/// A process that asks for all tasks.
fn asker(server: &Server, journal: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "client::process::ask_all", "--ignored", "--quiet"])
        .envs(
            [("URL", server.url().as_ref()), ("JOURNAL", journal)]
                .map(|(name, value)| (name, value.to_owned())),
        )
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by the tests below, as a process of its own"]
fn ask_all() {
    let journal = PathBuf::from(std::env::var_os("JOURNAL").unwrap());
    let interrupt = Interrupt::on_signals().unwrap();
    let settings = CallSettings { workers: WORKERS, ..settings() };
    let client = client(&std::env::var("URL").unwrap(), "claude-sonnet-4-6", &journal, settings, &interrupt);
    on_threads(WORKERS, TASKS, |task| match client.ask(&request(task)) {
        Ok(_) | Err(AskError::Interrupted) => {}
        Err(error) => panic!("{error}"),
    });
}

fn slow_server() -> Server {
    Server::start(|asked| {
        Play::Answer(Said::new(&asked.prompt).taking(Duration::from_millis(5), Duration::from_millis(25)))
    })
}

#[test]
fn a_run_that_is_killed_repeatedly_loses_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("answers.jsonl");
    let server = slow_server();
    let kills = 8;
    for kill in 1..=kills {
        let mut process = asker(&server, &journal);
        server.wait_for(kill * 6);
        process.kill().unwrap();
        process.wait().unwrap();
    }
    assert!(asker(&server, &journal).wait().unwrap().success());
    let journal = Journal::open(&journal).unwrap();
    assert_eq!((journal.len(), journal.damage()), (TASKS, &[][..]));
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for logged in server.log() {
        *asked.entry(logged.asked.prompt).or_default() += 1;
    }
    let again: usize = asked.values().map(|times| times - 1).sum();
    assert!(again <= kills * WORKERS, "{again} asked again");
    assert_eq!(asked.len(), TASKS);
}

#[test]
fn a_signal_lets_calls_finish() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("answers.jsonl");
    let server = Server::start(|_| {
        Play::Answer(Said::new("ok").taking(Duration::from_millis(200), Duration::from_secs(2)))
    });
    let mut process = asker(&server, &journal);
    server.wait_for(WORKERS);
    kill_process(Pid::from_child(&process), Signal::INT).unwrap();
    assert!(process.wait().unwrap().success());
    assert_eq!(server.log().len(), WORKERS);
    assert_eq!(Journal::open(&journal).unwrap().len(), WORKERS);
}
