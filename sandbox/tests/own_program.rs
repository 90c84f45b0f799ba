//! A program other than a stage that runs code in a sandbox. It is its own test: the sandbox starts it again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use sandbox::{
    Attempt, Environment, File, Interpreter, NoAnswer, Otherwise, Program, Repetition, RunEnd, Sandbox,
    SandboxError, Settings, State, Vlm, enter_role, self_test,
};
use serde_json::{Value, json};

const SOURCE: &str = r#"
def verify(traj, env_info, task_info):
    env_info["copy_from_env"]("/data/result.txt", "/tmp/result.txt")
    with open("/tmp/result.txt") as file:
        return {"passed": file.read() == task_info["expected"], "score": 7}
"#;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(status) = enter_role(&arguments) {
        return status;
    }
    match a_function_runs_in_each_state() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => panic!("{error}"),
    }
}

fn a_function_runs_in_each_state() -> Result<(), SandboxError> {
    let (_stopper, stop) = crossbeam_channel::bounded(0);
    let interpreter = Interpreter::find(Path::new("python3"), &[])?;
    let mut settings = Settings { interpreter, confined: true, stop };
    // Where this machine does not confine programs, the interface is the same.
    let mut sandbox = Sandbox::start(&settings).or_else(|_| {
        settings.confined = false;
        Sandbox::start(&settings)
    })?;
    let attempts = self_test(&mut sandbox)?;
    assert!(!settings.confined || attempts.iter().all(Attempt::is_denied), "{attempts:#?}");
    let program = Program {
        env: "some_env".to_owned(),
        task: "some_task".to_owned(),
        env_id: "some_env@1".to_owned(),
        file: "verifier.py".to_owned(),
        function: "verify".to_owned(),
        task_info: json!({ "expected": "done" }),
        files: vec![("tasks/some_task/verifier.py".to_owned(), SOURCE.into())],
    };
    let states = [state("done"), state("not done")];
    let states: Vec<&State> = states.iter().collect();
    let runs = sandbox.run(&program, &states, Repetition { times: 2, seconds: 10 })?;
    let results: Vec<Vec<Value>> = runs
        .by_state
        .into_iter()
        .map(|runs| runs.into_iter().map(|run| returned(run.end)).collect())
        .collect();
    let expected = |passed| json!({ "passed": passed, "score": 7 });
    assert_eq!(results, [[expected(true), expected(true)], [expected(false), expected(false)]]);
    a_live_run_asks_its_environment(&mut sandbox, program)
}

fn a_live_run_asks_its_environment(sandbox: &mut Sandbox, program: Program) -> Result<(), SandboxError> {
    let program = Program { files: vec![("tasks/some_task/verifier.py".to_owned(), LIVE.into())], ..program };
    let screens = [b"first".to_vec(), b"last".to_vec()];
    let mut asked = Asked::default();
    let runs = sandbox.run_live(&program, &state("done"), 10, &screens, &mut asked)?;
    let ends = runs.by_state.into_iter().flatten().map(|run| returned(run.end));
    let feedback = "hello\\n|no such file|OSError|first|last";
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [json!({ "passed": true, "score": 1_000_000, "feedback": feedback })]
    );
    assert_eq!(asked.0, ["copy /large", "copy /absent", "copy /forbidden", "exec echo hello"]);
    // What a run writes into the link does not reach the environment, and does not disturb the sandbox.
    let forged =
        Program { files: vec![("tasks/some_task/verifier.py".to_owned(), FORGED.into())], ..program };
    let runs = sandbox.run_live(&forged, &state("done"), 10, &screens, &mut asked)?;
    assert_eq!(runs.broken, None);
    assert_eq!(asked.0.len(), 4, "{asked:?}");
    Ok(())
}

const LIVE: &str = r#"
def verify(traj, env_info, task_info):
    env_info["copy_from_env"]("/large", "/tmp/large")
    with open("/tmp/large", "rb") as file:
        size = len(file.read())
    try:
        env_info["copy_from_env"]("/absent", "/tmp/absent")
    except FileNotFoundError as error:
        absent = str(error)
    try:
        env_info["copy_from_env"]("/forbidden", "/tmp/forbidden")
    except OSError as error:
        forbidden = type(error).__name__
    said = env_info["exec_capture"]("echo hello")
    frames = [open(path).read() for path in (traj["first_frame"], traj["final_screenshot"])]
    seen = [repr(said).strip("'"), "no such file" if "no such file" in absent else absent, forbidden] + frames
    return {"passed": True, "score": size, "feedback": "|".join(seen)}
"#;

const FORGED: &str = r#"
import os

def verify(traj, env_info, task_info):
    for line in (b"x", b'{"exec": 1}', b'{"exec": "true", "copy_from": "/"}', b'["exec"]', b"[" * 60000):
        os.write(251, line + b"\n")
    env_info["exec_capture"]("true")
"#;

/// Answers, and keeps what it was asked.
#[derive(Debug, Default)]
struct Asked(Vec<String>);

impl Environment for Asked {
    fn copy_from(&mut self, path: &str) -> Result<Vec<u8>, NoAnswer> {
        self.0.push(format!("copy {path}"));
        match path {
            "/large" => Ok(vec![7; 1_000_000]),
            "/absent" => Err(NoAnswer::NotFound),
            _ => Err(NoAnswer::Failed("forbidden".to_owned())),
        }
    }

    fn exec(&mut self, command: &str) -> Result<Vec<u8>, NoAnswer> {
        self.0.push(format!("exec {command}"));
        Ok(b"hello\n".to_vec())
    }
}

fn state(content: &str) -> State {
    State {
        files: BTreeMap::from([("/data/result.txt".to_owned(), File::Text(content.to_owned()))]),
        otherwise: Otherwise::Missing,
        commands: BTreeMap::new(),
        vlm: Vlm::SeesNothing,
    }
}

fn returned(end: RunEnd) -> Value {
    match end {
        RunEnd::Returned(fields) => Value::Object(fields),
        other => panic!("{other:?}"),
    }
}
