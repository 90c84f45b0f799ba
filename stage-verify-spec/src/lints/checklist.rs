//! The checklist by which a vision model evaluates a task.
//!
//! `vlm_checklist.json` is an object with two lists: `task_completion`, whose items have `points`, and
//! `integrity`. In the published benchmark the points add up to 100 in 12,462 of 12,463 checklists.

use std::collections::BTreeSet;

use task_spec::value::Value;

use super::subject::CHECKLIST;
use super::{Lint, Subject, Warning};

pub(super) static SYNTAX: Lint = Lint {
    name: "checklist_syntax",
    explanation: "vlm_checklist.json is not a JSON object",
    check: check_syntax,
};

pub(super) static IDS: Lint = Lint {
    name: "checklist_ids",
    explanation: "two items of vlm_checklist.json have the same id",
    check: check_ids,
};

pub(super) static POINTS: Lint = Lint {
    name: "checklist_points",
    explanation: "the points of vlm_checklist.json do not add up to 100",
    check: check_points,
};

fn check_syntax(subject: &Subject<'_>) -> Vec<Warning> {
    let message = match subject.checklist() {
        None | Some(Ok(Value::Map(_))) => return Vec::new(),
        Some(Ok(other)) => {
            format!("it contains {}, not an object; see the checklists of other tasks", other.kind())
        }
        Some(Err(error)) => format!("it is not valid JSON: {error}; fix it"),
    };
    vec![Warning::of_file(CHECKLIST, message)]
}

fn check_ids(subject: &Subject<'_>) -> Vec<Warning> {
    let Some(Ok(checklist)) = subject.checklist() else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut repeated = BTreeSet::new();
    for item in items(checklist, "task_completion").chain(items(checklist, "integrity")) {
        if let Some(id) = item.get("id").and_then(Value::as_str)
            && !seen.insert(id)
        {
            repeated.insert(id);
        }
    }
    repeated.into_iter().map(repeated_id).collect()
}

fn repeated_id(id: &str) -> Warning {
    Warning::of_file(CHECKLIST, format!("two items have the id {id}; give each a unique id"))
}

fn check_points(subject: &Subject<'_>) -> Vec<Warning> {
    let Some(Ok(checklist @ Value::Map(_))) = subject.checklist() else { return Vec::new() };
    let points = items(checklist, "task_completion").filter_map(|item| item.get("points"));
    let sum = points.filter_map(Value::as_f64).fold(0.0, |sum, points| sum + points);
    if (sum - 100.0).abs() < 1e-6 {
        return Vec::new();
    }
    let message = format!("the points of task_completion add up to {sum}; they must add up to 100");
    vec![Warning::of_file(CHECKLIST, message)]
}

fn items<'a>(checklist: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    checklist.get(list).and_then(Value::as_list).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::{IDS, POINTS, SYNTAX};
    use crate::lints::testing::Task;

    #[test]
    fn checklists() {
        let check = |checklist: &str, expect: &[&str]| {
            let task = Task::new("t").file("vlm_checklist.json", checklist);
            let found: Vec<_> =
                [&SYNTAX, &IDS, &POINTS].into_iter().flat_map(|lint| task.warnings(lint)).collect();
            assert_eq!(found, expect, "{checklist}");
        };
        check(
            r#"{"task_completion": [{"id": "a", "points": 60}, {"id": "b", "points": 40}], "integrity": [{"id": "c"}]}"#,
            &[],
        );
        check(
            r#"{"task_completion": [{"id": "a", "points": 60}, {"id": "b", "points": 50}]}"#,
            &["the points of task_completion add up to 110; they must add up to 100"],
        );
        check(
            r#"{"task_completion": [{"id": "a", "points": 100}], "integrity": [{"id": "a"}]}"#,
            &["two items have the id a; give each a unique id"],
        );
        check("{}", &["the points of task_completion add up to 0; they must add up to 100"]);
        check("[]", &["it contains a list, not an object; see the checklists of other tasks"]);
        check("{", &["it is not valid JSON: line 1, column 2: expected a name in double quotes; fix it"]);
    }
}
