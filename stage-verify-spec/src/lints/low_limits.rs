//! Limits that stop an agent before it can be done.
//!
//! The README of a task counts the actions of an expert. Limits below what follows from them fail an agent that knows
//! what to do.

use task_spec::readme::Effort;
use task_spec::value::Value;

use super::{Lint, Subject, Warning};

/// The README of a task.
const README: &str = "README.md";

/// The limits where the spec sets none. gym-anything, `specs.py`.
const DEFAULT_STEPS: f64 = 2_000.0;
const DEFAULT_SECONDS: f64 = 600.0;

pub(super) static LINT: Lint = Lint {
    name: "low_limits",
    explanation: "max_steps or timeout_sec is below what follows from the effort that the README counts",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).unwrap_or_default()
}

fn find(subject: &Subject<'_>) -> Option<Vec<Warning>> {
    let spec = subject.spec()?;
    let effort = Effort::of(subject.text(README)?)?;
    let limit = |key: &str, default| {
        let given = spec.get("init").and_then(|init| init.get(key));
        given.and_then(Value::as_f64).unwrap_or(default)
    };
    let Effort { expert_steps, screens } = effort;
    let checked = [
        ("max_steps", limit("max_steps", DEFAULT_STEPS), effort.max_steps()),
        ("timeout_sec", limit("timeout_sec", DEFAULT_SECONDS), effort.seconds()),
    ];
    let low = checked.iter().filter(|(_, given, needed)| given < needed);
    let warnings = low.map(|(key, given, needed)| {
        Warning::of_task(format!(
            "{key} is {given}, but the README counts {expert_steps} expert_steps and {screens} screens, for which at least \
             {needed} are needed"
        ))
    });
    Some(warnings.collect())
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn limits_are_compared_with_the_effort() {
        let check = |init: &str, readme: &str, expect: &[&str]| {
            let task = Task::new("t").spec("init", init).file("README.md", readme);
            let found = task.warnings(&super::LINT);
            let starts: Vec<&str> = found.iter().map(|message| message.split(',').next().unwrap()).collect();
            assert_eq!(starts, expect, "{init} {readme}");
        };
        let readme = "# T\n\n## Effort\n`expert_steps: 50`, `screens: 5`, counted as two forms of 25.\n";
        check(r#"{"max_steps": 170, "timeout_sec": 2550}"#, readme, &[]);
        check(r#"{"max_steps": 160, "timeout_sec": 2550}"#, readme, &["max_steps is 160"]);
        check(r#"{"max_steps": 400, "timeout_sec": 2549}"#, readme, &["timeout_sec is 2549"]);
        check("{}", readme, &["timeout_sec is 600"]);
        check("{}", "`expert_steps: 10`, `screens: 2`", &["timeout_sec is 600"]);
        check(r#"{"max_steps": 10, "timeout_sec": 60}"#, "# T\nAn expert needs some steps.\n", &[]);
        assert_eq!(Task::new("t").spec("init", r#"{"max_steps": 10}"#).warnings(&super::LINT), [""; 0]);
    }
}
