//! A difficulty that nothing downstream knows.

use super::{Lint, Subject, Warning};

const KNOWN: [&str; 4] = ["easy", "medium", "hard", "very_hard"];

pub(super) static LINT: Lint = Lint {
    name: "unknown_difficulty",
    explanation: "the difficulty is none of easy, medium, hard and very_hard",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let difficulty = subject.spec().and_then(|spec| spec.get("difficulty")).filter(|found| found.truthy());
    let unknown = difficulty.filter(|found| !found.as_str().is_some_and(|found| KNOWN.contains(&found)));
    let warning = |found: &common::pyjson::Value| Warning {
        message: format!("the difficulty is {}; use one of {}", found.to_text(), KNOWN.join(", ")),
        file: None,
    };
    unknown.map(warning).into_iter().collect()
}
