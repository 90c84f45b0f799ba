//! The checklist by which a vision model evaluates a task.
//!
//! `vlm_checklist.json` is an object with two lists: `task_completion`, whose items have `points`, and
//! `integrity`. In the published benchmark the points add up to 100 in 12,462 of 12,463 checklists.

use common::text::escape;
use task_spec::checklist::{CHECKLIST, Fault, Rule, Thresholds, checklist_faults, rehearse};
use task_spec::pyjson::JsonError;
use task_spec::value::Value;

use super::{Lint, Subject, Warning};

pub(super) static SYNTAX: Lint = Lint {
    name: "checklist_syntax",
    explanation: "vlm_checklist.json is not a JSON object",
    check: |subject| not_an_object(CHECKLIST, subject.checklist()),
};

pub(super) static IDS: Lint = Lint {
    name: "checklist_ids",
    explanation: "two items of vlm_checklist.json have the same id",
    check: |subject| faults(subject, Rule::Ids),
};

pub(super) static POINTS: Lint = Lint {
    name: "checklist_points",
    explanation: "the points of vlm_checklist.json do not add up to 100",
    check: |subject| faults(subject, Rule::Points),
};

pub(super) static SCORE: Lint = Lint {
    name: "checklist_score",
    explanation: "vlm_checklist.json, scored as gym-anything does, fails a complete run or passes one with a fault",
    check: surprises,
};

pub(super) static SHAPE: Lint = Lint {
    name: "checklist_shape",
    explanation: "a list, an item or a field of vlm_checklist.json is missing or has another type",
    check: |subject| faults(subject, Rule::Shape),
};

pub(super) static TASK_ID: Lint = Lint {
    name: "checklist_task_id",
    explanation: "vlm_checklist.json is of another task",
    check: |subject| faults(subject, Rule::TaskId),
};

fn faults(subject: &Subject<'_>, rule: Rule) -> Vec<Warning> {
    let Some(Ok(checklist @ Value::Map(_))) = subject.checklist() else { return Vec::new() };
    of_rule(CHECKLIST, checklist_faults(checklist, subject.name()), rule)
}

/// What made-up answers of a judge show. Where ids are repeated or the form is wrong, the other lints say more.
fn surprises(subject: &Subject<'_>) -> Vec<Warning> {
    let Some(Ok(checklist @ Value::Map(_))) = subject.checklist() else { return Vec::new() };
    let faults = checklist_faults(checklist, subject.name());
    if faults.iter().any(|fault| matches!(fault.rule, Rule::Ids | Rule::Shape)) {
        return Vec::new();
    }
    let thresholds = subject.spec().map_or_else(Thresholds::default, Thresholds::of);
    let surprises = rehearse(checklist, thresholds).into_iter();
    surprises.map(|surprise| Warning::of_file(CHECKLIST, surprise)).collect()
}

/// The faults that break this rule, as warnings.
pub(super) fn of_rule(file: &str, faults: Vec<Fault>, rule: Rule) -> Vec<Warning> {
    let faults = faults.into_iter().filter(|fault| fault.rule == rule);
    faults.map(|fault| Warning::of_file(file, fault.message)).collect()
}

/// The warning about a file that is not a JSON object.
pub(super) fn not_an_object(file: &str, parsed: Option<&Result<Value, JsonError>>) -> Vec<Warning> {
    let message = match parsed {
        None | Some(Ok(Value::Map(_))) => return Vec::new(),
        Some(Ok(other)) => format!("it contains {}, not an object; see those of other tasks", other.kind()),
        Some(Err(error)) => format!("it is not valid JSON: {}; fix it", escape(&error.to_string())),
    };
    vec![Warning::of_file(file, message)]
}

#[cfg(test)]
mod tests {
    use super::{IDS, POINTS, SCORE, SHAPE, SYNTAX, TASK_ID};
    use crate::lints::testing::Task;

    #[test]
    fn checklists() {
        let check = |checklist: &str, expect: &[&str]| {
            let task = Task::new("t").file("vlm_checklist.json", checklist);
            let lints = [&SYNTAX, &IDS, &POINTS, &SCORE, &SHAPE, &TASK_ID];
            let found: Vec<_> = lints.into_iter().flat_map(|lint| task.warnings(lint)).collect();
            assert_eq!(found, expect, "{checklist}");
        };
        let full = r#"{"task_id": "t@1", "privileged_info_for_vlm": "p",
            "task_completion": [
                {"id": "a", "description": "d", "visual_evidence": "v", "points": 60},
                {"id": "b", "description": "d", "visual_evidence": "v", "points": 40}
            ],
            "integrity": [{"id": "c", "description": "d", "visual_evidence": "v"}]}"#;
        check(full, &[]);
        check(
            &full.replace("40", "50"),
            &["the points of task_completion add up to 110; they must add up to 100"],
        );
        check(&full.replace("\"c\"", "\"a\""), &["two items have the id a; give each a unique id"]);
        check(&full.replace("\"a\"", "\" a\""), &["if every item passes, the task is failed with 40 points"]);
        check(&full.replace("t@1", "u@1"), &["task_id is u@1, the task is t"]);
        check(&full.replace("\"p\"", "{}"), &["privileged_info_for_vlm is missing or not text"]);
        check("[]", &["it contains a list, not an object; see those of other tasks"]);
        check("{", &["it is not valid JSON: line 1, column 2: expected a name in double quotes; fix it"]);
    }
}
