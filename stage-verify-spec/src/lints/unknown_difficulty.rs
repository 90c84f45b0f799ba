//! A difficulty that nothing downstream knows.

use task_spec::value::Value;

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
    let warning = |found: &Value| {
        Warning::of_task(format!("the difficulty is {}; use one of {}", found.to_text(), KNOWN.join(", ")))
    };
    unknown.map(warning).into_iter().collect()
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
