//! A verifier that calls itself a stub.

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "stub_verifier",
    explanation: "the verifier's own documentation calls it a stub or a placeholder",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let verifier = subject.verifier()?;
    let words = verifier.module.stub_words(verifier.entry())?;
    let message = format!("it calls itself \"{words}\"; write a verifier that checks what the agent did");
    Some(Warning::of_file(verifier.file, message))
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn documentation() {
        let check = |module: &str, function: &str, expect: usize| {
            let source = format!(
                "'''{module}'''\ndef verify_t(traj, env_info, task_info):\n '''{function}'''\n return {{}}\n"
            );
            let task = Task::new("t").verifier(&source);
            assert_eq!(task.warnings(&super::LINT).len(), expect, "{source}");
        };
        check("Stub verifier for t.", "", 1);
        check("Checks t.", "Placeholder verifier: always passes.", 1);
        check("Verifier stub for t.", "Verifier is a stub", 1);
        check("Checks that the stub of the letter is there.", "Verifies it.", 0);
    }
}
