//! The form of the two files.

use std::collections::BTreeSet;

use common::text::{escape, shorten};

use crate::value::Value;

/// The longest name that a message quotes, in characters.
const MAX_NAME: usize = 80;

/// A fault in the form of a checklist or of its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule that is not kept.
    pub rule: Rule,
    /// What is wrong and what to do, for people.
    pub message: String,
}

/// What both files must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Ids are unique.
    Ids,
    /// The points add up to 100.
    Points,
    /// Lists, items and fields are there, and have their types.
    Shape,
    /// The task that the file is about is that of its folder.
    TaskId,
}

/// The faults of a checklist of the task `task`.
pub fn checklist_faults(checklist: &Value, task: &str) -> Vec<Fault> {
    let mut faults = repeated_ids(checklist);
    faults.extend(wrong_sum(checklist));
    faults.extend(checklist_shape(checklist));
    faults.extend(other_task(checklist, task));
    faults
}

/// The faults of the evidence of the task `task`.
pub fn evidence_faults(evidence: &Value, task: &str) -> Vec<Fault> {
    let mut faults = evidence_shape(evidence);
    faults.extend(other_task(evidence, task));
    faults
}

fn fault(rule: Rule, message: impl Into<String>) -> Fault {
    Fault { rule, message: message.into() }
}

fn repeated_ids(checklist: &Value) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let mut repeated = BTreeSet::new();
    for item in items(checklist, "task_completion").iter().chain(items(checklist, "integrity")) {
        if let Some(id) = item.get("id").and_then(Value::as_str)
            && !seen.insert(id)
        {
            repeated.insert(id);
        }
    }
    let message = |id: &str| format!("two items have the id {}; give each a unique id", name(id));
    repeated.into_iter().map(|id| fault(Rule::Ids, message(id))).collect()
}

fn wrong_sum(checklist: &Value) -> Option<Fault> {
    let points = items(checklist, "task_completion").iter().filter_map(|item| item.get("points"));
    let sum = points.filter_map(Value::as_f64).fold(0.0, |sum, points| sum + points);
    if (sum - 100.0).abs() < 1e-6 {
        return None;
    }
    let message = format!("the points of task_completion add up to {sum}; they must add up to 100");
    Some(fault(Rule::Points, message))
}

fn checklist_shape(checklist: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    for list in ["task_completion", "integrity"] {
        let items = items(checklist, list);
        if items.is_empty() {
            faults.push(fault(Rule::Shape, format!("{list} is missing or not a list of items")));
        }
        for (number, item) in (1..).zip(items) {
            let missing =
                ["id", "description", "visual_evidence"].into_iter().filter(|field| !has_text(item, field));
            faults.extend(missing.map(|field| {
                fault(Rule::Shape, format!("{list}, item {number}: {field} is missing or not text"))
            }));
            let points = item.get("points").and_then(Value::as_f64);
            if list == "task_completion" && !points.is_some_and(|points| points > 0.0) {
                faults.push(fault(
                    Rule::Shape,
                    format!("{list}, item {number}: points is not a number above 0"),
                ));
            }
        }
    }
    if !has_text(checklist, "privileged_info_for_vlm") {
        faults.push(fault(Rule::Shape, "privileged_info_for_vlm is missing or not text"));
    }
    faults
}

fn evidence_shape(evidence: &Value) -> Vec<Fault> {
    let Some(items) = evidence.get("pi_items").and_then(Value::as_list) else {
        return vec![fault(Rule::Shape, "pi_items is missing or not a list")];
    };
    let mut faults = Vec::new();
    for (number, item) in (1..).zip(items) {
        if !has_text(item, "key") {
            faults.push(fault(Rule::Shape, format!("pi_items, item {number}: key is missing or not text")));
        }
        let status = item.get("status").and_then(Value::as_str);
        if !matches!(status, Some("verified" | "contradicted" | "unverified")) {
            let known = "status is not verified, contradicted or unverified";
            faults.push(fault(Rule::Shape, format!("pi_items, item {number}: {known}")));
        }
        if status == Some("verified") && !has_text(item, "source") {
            let message = format!("pi_items, item {number}: it is verified, but source names no place");
            faults.push(fault(Rule::Shape, message));
        }
    }
    faults
}

fn other_task(file: &Value, task: &str) -> Option<Fault> {
    let id = file.get("task_id").and_then(Value::as_str).unwrap_or_default();
    let bare = id.split_once('@').map_or(id, |(bare, _)| bare);
    let message = || match bare {
        "" => "task_id is missing or not text".to_owned(),
        _ => format!("task_id is {}, the task is {}", name(id), name(task)),
    };
    (bare != task).then(|| fault(Rule::TaskId, message()))
}

fn items<'a>(checklist: &'a Value, list: &str) -> &'a [Value] {
    checklist.get(list).and_then(Value::as_list).unwrap_or_default()
}

fn has_text(object: &Value, field: &str) -> bool {
    object.get(field).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
}

fn name(text: &str) -> String {
    escape(&shorten(text, MAX_NAME)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyjson::parse;

    const ITEM: &str = r#""description": "d", "visual_evidence": "v""#;

    fn messages(faults: Vec<Fault>) -> Vec<String> {
        faults.into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn checklists_have_a_form() {
        let check = |completion: &str, integrity: &str, expect: &[&str]| {
            let text = format!(
                r#"{{"task_id": "t@1", "task_completion": [{completion}], "integrity": [{integrity}], "privileged_info_for_vlm": "p"}}"#
            );
            assert_eq!(messages(checklist_faults(&parse(&text).unwrap(), "t")), expect, "{text}");
        };
        let full = format!(r#"{{"id": "a", "points": 100, {ITEM}}}"#);
        let integrity = format!(r#"{{"id": "b", {ITEM}}}"#);
        check(&full, &integrity, &[]);
        check(&full, &full, &["two items have the id a; give each a unique id"]);
        check(
            "{\"id\": \"a\", \"points\": \"100\"}",
            "",
            &[
                "the points of task_completion add up to 0; they must add up to 100",
                "task_completion, item 1: description is missing or not text",
                "task_completion, item 1: visual_evidence is missing or not text",
                "task_completion, item 1: points is not a number above 0",
                "integrity is missing or not a list of items",
            ],
        );
        let endless = full.replace("100", "NaN");
        check(
            &endless,
            &integrity,
            &[
                "the points of task_completion add up to NaN; they must add up to 100",
                "task_completion, item 1: points is not a number above 0",
            ],
        );
    }

    #[test]
    fn evidence_has_a_form() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(messages(evidence_faults(&parse(text).unwrap(), "t")), expect, "{text}");
        };
        check(r#"{"task_id": "t", "pi_items": [{"key": "k", "source": "s", "status": "verified"}]}"#, &[]);
        check(r#"{"task_id": "t@2", "pi_items": [{"key": "k", "status": "unverified"}]}"#, &[]);
        check("[]", &["pi_items is missing or not a list", "task_id is missing or not text"]);
        check(
            r#"{"task_id": "u@1", "pi_items": [{"status": "maybe"}, {"key": "k", "status": "verified"}, 7]}"#,
            &[
                "pi_items, item 1: key is missing or not text",
                "pi_items, item 1: status is not verified, contradicted or unverified",
                "pi_items, item 2: it is verified, but source names no place",
                "pi_items, item 3: key is missing or not text",
                "pi_items, item 3: status is not verified, contradicted or unverified",
                "task_id is u@1, the task is t",
            ],
        );
    }
}
