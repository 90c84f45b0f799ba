//! Calls to models, as a stage makes them.

mod batches;
mod faults;
mod keys;
mod limits;
mod process;
mod replay;
mod seen;
mod transport;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::interrupt::Interrupt;
use model_client::{
    AskError, CallSettings, Client, Journal, Model, ModelAnswer, ModelTable, Prefix, Request, Timeouts,
};
use tempfile::TempDir;
use testkit::Server;

/// A key that must appear in one header only.
const CANARY: &str = "sk-canary-5fd1ab";

/// A request for a task's README.
fn request(task: &str) -> Request {
    Request {
        label: format!("readme/{task}"),
        prefix: Prefix::from("What all of them are told.\n"),
        suffix: format!("Write {task}."),
        max_output_tokens: None,
        sample: 0,
    }
}

/// Does `work` for all tasks, on this many threads.
fn on_threads(threads: usize, tasks: usize, work: impl Fn(&str) + Sync) {
    let next = AtomicUsize::new(0);
    let work_on_next = || {
        let task = next.fetch_add(1, Ordering::SeqCst);
        if task < tasks {
            work(&format!("task_{task}"));
        }
        task < tasks
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| while work_on_next() {});
        }
    });
}

/// Settings for servers that are near, on machines that may have much else to do.
fn settings() -> CallSettings {
    let long = Duration::from_mins(1);
    CallSettings {
        backoff: Duration::from_millis(1),
        timeouts: Timeouts { connect: long, silence: Some(long), total: Some(long) },
        ..CallSettings::default()
    }
}

/// The same, but with short timeouts for a silent server.
fn impatient(idle: Duration) -> CallSettings {
    CallSettings { timeouts: Timeouts { silence: Some(idle), ..settings().timeouts }, ..settings() }
}

/// A client of a loopback server, with its journal.
struct Fixture {
    _dir: TempDir,
    journal: PathBuf,
    interrupt: Interrupt,
    client: Client,
}

impl Fixture {
    fn new(server: &Server, model: &str) -> Self {
        Self::with(server, model, settings())
    }

    fn with(server: &Server, model: &str, settings: CallSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("answers.jsonl");
        let interrupt = Interrupt::new();
        let client = client(&server.url(), model, &journal, settings, &interrupt);
        Self { _dir: dir, journal, interrupt, client }
    }

    fn ask(&self, task: &str) -> Result<ModelAnswer, AskError> {
        self.client.ask(&request(task))
    }

    fn journal(&self) -> String {
        fs_err::read_to_string(&self.journal).unwrap()
    }
}

/// The model of this name, at this server.
fn model_at(url: &str, name: &str, settings: &CallSettings) -> Arc<dyn Model> {
    let env = |variable: &str| match variable {
        _ if variable.ends_with("_API_KEY") => Some(CANARY.to_owned()),
        _ if variable.ends_with("_BASE_URL") => Some(url.to_owned()),
        _ => std::env::var(variable).ok(),
    };
    model_client::from_name(name, &ModelTable::built_in().unwrap(), settings, &env).unwrap()
}

fn client(url: &str, model: &str, journal: &Path, settings: CallSettings, interrupt: &Interrupt) -> Client {
    let model = model_at(url, model, &settings);
    Client::new(model, Journal::open(journal).unwrap(), settings, interrupt)
}
