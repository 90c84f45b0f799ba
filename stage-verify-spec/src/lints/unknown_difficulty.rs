//! A difficulty that no other program knows.

use super::{Lint, Subject, Warning};

const KNOWN: [&str; 4] = ["easy", "medium", "hard", "very_hard"];

pub(super) static LINT: Lint = Lint {
    name: "unknown_difficulty",
    explanation: "the difficulty is not one of easy, medium, hard and very_hard",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let difficulty = subject.spec()?.get("difficulty").filter(|difficulty| difficulty.truthy())?;
    if difficulty.as_str().is_some_and(|difficulty| KNOWN.contains(&difficulty)) {
        return None;
    }
    let message = format!("the difficulty is {}; use one of {}", difficulty.to_text(), KNOWN.join(", "));
    Some(Warning::of_task(message))
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn difficulties() {
        let check = |difficulty: &str, expect: &[&str]| {
            let task = Task::new("t").spec("difficulty", difficulty);
            assert_eq!(task.warnings(&super::LINT), expect, "{difficulty}");
        };
        check("\"hard\"", &[]);
        check("\"very_hard\"", &[]);
        check("null", &[]);
        check("\"expert\"", &["the difficulty is expert; use one of easy, medium, hard, very_hard"]);
        check("3", &["the difficulty is 3; use one of easy, medium, hard, very_hard"]);
    }
}
