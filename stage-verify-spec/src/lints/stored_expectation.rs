//! A set-up script that stores what the verifier expects where the agent can read it.

use task_spec::expectations::{Stored, stored};

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "stored_expectation",
    explanation: "the pre_task script stores the expected result in a file that the agent can read",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let (name, text) = subject.setup_script()?;
    let Stored { line, path } = stored(text)?;
    let message = format!(
        "line {line}: it stores {path}, where the agent can read it; store it in a folder of root with mode 700, or \
         let the verifier compute it"
    );
    Some(Warning::of_file(name, message))
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn stores() {
        let check = |line: &str, expect: &[&str]| {
            let task = Task::new("t")
                .spec("hooks", r#"{"pre_task": "/workspace/tasks/t/setup_task.sh"}"#)
                .file("setup_task.sh", &format!("#!/bin/sh\n{line}\n"));
            let found = task.warnings(&super::LINT);
            let starts: Vec<&str> = found.iter().map(|message| message.split(',').next().unwrap()).collect();
            assert_eq!(starts, expect, "{line}");
        };
        check("echo 7 > /tmp/ground_truth.json", &["line 2: it stores /tmp/ground_truth.json"]);
        check("echo 7 > /tmp/total.json", &[]);
    }
}
