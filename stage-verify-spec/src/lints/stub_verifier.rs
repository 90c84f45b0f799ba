//! A verifier that says itself that it does not judge.

use std::sync::LazyLock;

use regex::Regex;
use task_spec::python::ast::{Stmt, StmtFunctionDef};

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "stub_verifier",
    explanation: "the verifier's own documentation calls it a stub or a placeholder",
    check,
};

static SAYS_SO: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i-u)\b(?:stub|placeholder|dummy) verifi\w+",
        r"|\bverif(?:ier|ication) (?:is a |is only a )?(?:stub|placeholder)\b",
    ))
    .ok()
});

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let found = subject.verifier().and_then(|verifier| {
        let bodies = [verifier.module.body(), verifier.entry().map_or(&[], body)];
        let doc = bodies.into_iter().filter_map(documentation).find_map(|doc| {
            let says_so = SAYS_SO.as_ref()?.find(verifier.module.text(doc))?;
            Some(says_so.as_str())
        })?;
        Some((verifier.file, doc))
    });
    let warning = |(file, doc): (&str, &str)| {
        Warning::of_file(file, format!("it calls itself \"{doc}\"; write one that judges what the agent did"))
    };
    found.map(warning).into_iter().collect()
}

fn body(function: &StmtFunctionDef) -> &[Stmt] {
    &function.body
}

/// The text that a module or a function starts with.
fn documentation(body: &[Stmt]) -> Option<&task_spec::python::ast::ExprStringLiteral> {
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
