//! A program other than a stage that runs code in a sandbox. It is its own test: the sandbox starts it again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use sandbox::{
    Attempt, File, Interpreter, Otherwise, Program, Repetition, RunEnd, Sandbox, SandboxError, Settings,
    State, Vlm, enter_role, self_test,
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
    Ok(())
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
