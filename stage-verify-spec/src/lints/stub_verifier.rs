//! A verifier that calls itself a stub.

use std::sync::LazyLock;

use regex::Regex;
use task_spec::python::ast::{ExprStringLiteral, Stmt};

use super::subject::Verifier;
use super::{Lint, Subject, Warning, compile};

pub(super) static LINT: Lint = Lint {
    name: "stub_verifier",
    explanation: "the verifier's own documentation calls it a stub or a placeholder",
    check,
};

static STUB: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"(?i-u)\b(?:stub|placeholder|dummy) verifi\w+",
        r"|\bverif(?:ier|ication) (?:is a |is only a )?(?:stub|placeholder)\b",
    ))
});

#[cfg(test)]
pub(super) static PATTERNS: [&LazyLock<Regex>; 1] = [&STUB];

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let verifier = subject.verifier()?;
    let words = stub_words(&verifier, verifier.module.body())
        .or_else(|| stub_words(&verifier, &verifier.entry()?.body))?;
    let message = format!("it calls itself \"{words}\"; write a verifier that checks what the agent did");
    Some(Warning::of_file(verifier.file, message))
}

/// The words with which the documentation of a module or a function calls it a stub.
fn stub_words<'a>(verifier: &Verifier<'a>, body: &'a [Stmt]) -> Option<&'a str> {
    let text = verifier.module.text(documentation(body)?);
    Some(STUB.find(text)?.as_str())
}

/// The text that a module or a function starts with.
fn documentation(body: &[Stmt]) -> Option<&ExprStringLiteral> {
    body.first()?.as_expr_stmt()?.value.as_string_literal_expr()
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
