//! Finds out whether this machine confines programs, with a program that tries to break out.

use std::collections::BTreeMap;
use std::net::TcpListener;

use fs_err as fs;
use serde_json::{Map, Value, json};

use crate::error::{Action, SandboxError};
use crate::process::Sandbox;
use crate::program::{Otherwise, Program, Repetition, State, Vlm};
use crate::run::RunEnd;

/// The program that tries.
const ATTEMPTS: &str = include_str!("self_test.py");

/// Each attempt fails at once. The limit is for an overloaded machine.
const ONCE: Repetition = Repetition { times: 1, seconds: 60 };

/// The start of an attempt's result if it succeeded.
const ALLOWED: &str = "ALLOWED";

/// One attempt to break out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried, such as `read /etc/shadow`.
    pub what: String,
    /// The result.
    pub result: String,
}

impl Attempt {
    /// Whether the sandbox prevented it.
    pub fn is_denied(&self) -> bool {
        !self.result.starts_with(ALLOWED)
    }
}

/// Runs the program that tries to break out in `sandbox`, and returns its attempts.
pub fn self_test(sandbox: &mut Sandbox) -> Result<Vec<Attempt>, SandboxError> {
    let dir = tempfile::tempdir().action("create a folder for the self-test")?;
    let secret = dir.path().join("secret");
    fs::write(&secret, "for the owner only").action("write a secret for the self-test")?;
    let listener = TcpListener::bind("127.0.0.1:0").action("listen on the loopback interface")?;
    let outside = json!({
        "secret": secret,
        "port": listener.local_addr().action("find the port of the self-test")?.port(),
        "pid": std::process::id(),
        "program": std::env::current_exe().action("find this program")?,
        "visible": sandbox.visible(),
        "home": std::env::home_dir().filter(|home| home.parent().is_some()).unwrap_or("/root".into()),
    });
    let program = Program {
        env: "self_test".to_owned(),
        task: "self_test".to_owned(),
        env_id: "self_test".to_owned(),
        file: "verifier.py".to_owned(),
        function: "verify".to_owned(),
        task_info: json!({ "metadata": outside }),
        files: vec![("tasks/self_test/verifier.py".to_owned(), ATTEMPTS.into())],
    };
    let state = State {
        files: BTreeMap::new(),
        otherwise: Otherwise::Missing,
        commands: BTreeMap::new(),
        vlm: Vlm::SeesNothing,
    };
    let runs = sandbox.run(&program, &[&state], ONCE)?;
    match runs.by_state.into_iter().flatten().next().map(|run| run.end) {
        Some(RunEnd::Returned(fields)) => Ok(attempts(fields)),
        end => Err(SandboxError::BadReply(format!("the self-test ended with {end:?}, {:?}", runs.broken))),
    }
}

fn attempts(fields: Map<String, Value>) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (what, result) in fields {
        if let Value::String(result) = result {
            attempts.push(Attempt { what, result });
        }
    }
    attempts
}
