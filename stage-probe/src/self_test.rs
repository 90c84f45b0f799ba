//! Whether verifiers are confined on this machine: found out with code that tries.

use std::net::TcpListener;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde_json::{Value, json};

use crate::states;
use crate::worker::{Reply, Report, Request, Worker};

/// The verifier that tries.
const ATTEMPTS: &str = include_str!("sandbox/self_test.py");

/// How long it may take. Each attempt fails at once; this is for a machine that has much else to do.
const SECONDS: u64 = 60;

/// Marks what an attempt got.
const ALLOWED: &str = "ALLOWED";

/// One attempt of a verifier to get out.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What it tried, such as `read /etc/shadow`.
    pub(crate) what: String,
    /// What came of it.
    pub(crate) result: String,
}

impl Attempt {
    pub(crate) fn is_denied(&self) -> bool {
        !self.result.starts_with(ALLOWED)
    }
}

/// Lets code try to get out of `worker`, and tells what it could do.
pub(crate) fn run(worker: &mut Worker) -> Result<Vec<Attempt>> {
    let dir = tempfile::tempdir()?;
    let secret = dir.path().join("secret");
    fs::write(&secret, "what nobody but its owner may read")?;
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen for what may come out")?;
    let outside = json!({
        "secret": secret,
        "port": listener.local_addr()?.port(),
        "pid": std::process::id(),
        "program": std::env::current_exe()?,
    });
    let states: Vec<_> =
        states::of_task(None, &task_spec::fixtures::Fixtures::default()).drain(..1).collect();
    let request = Request {
        env: "self_test",
        task: "self_test",
        env_id: "self_test",
        verifier: "verifier.py",
        function: "verify",
        task_info: &json!({ "metadata": outside }),
        states: &states,
        repeat: 1,
        seconds: SECONDS,
        files: vec![("tasks/self_test/verifier.py", ATTEMPTS.len())],
    };
    worker.ask(&request, &[ATTEMPTS.as_bytes()])?;
    let Reply::Run(run) = worker.reply(SECONDS)? else {
        bail!("the self-test does not run");
    };
    let Reply::End(_) = worker.reply(SECONDS)? else {
        bail!("the self-test does not end");
    };
    let report = run.report.as_deref().map(serde_json::from_str).transpose()?;
    let Some(Report::Returned(fields)) = report else {
        bail!("the self-test gives no answer: {} {:?} {}", run.ended, run.report, run.output);
    };
    let attempts = fields.into_iter().filter_map(|(what, result)| match result {
        Value::String(result) => Some(Attempt { what, result }),
        _ => None,
    });
    Ok(attempts.collect())
}
