//! Mutants of a golden state: one thing in one result made wrong.
//!
//! A verifier that looks at a field loses the pass when the field is wrong. One that keeps it for most
//! mutants looks at little of what was done, and a task that is done badly would pass as well.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use task_spec::fixtures::Fixture;

use crate::states::{Expected, State};

/// A whole number that is a time, in seconds since 1970, is above this: 2001.
const EARLIEST_TIME: f64 = 1e9;

/// A month, in seconds.
const MONTH: f64 = 30.0 * 86_400.0;

/// Up to `most` mutants of a golden state, spread evenly over what could be made wrong.
pub(crate) fn of(golden: &Fixture, most: usize) -> Vec<State> {
    let mut all = Vec::new();
    for (path, content) in &golden.files {
        let Some(result) = as_json(content) else { continue };
        for (what, mutant) in mutate(&result) {
            let files: BTreeMap<String, Value> =
                golden.files.iter().map(|(p, c)| (p.clone(), c.clone())).collect();
            let mut fixture = Fixture { files, ..golden.clone() };
            fixture.files.insert(path.clone(), Value::String(mutant.to_string()));
            // The model was asked about the golden state, and would say so again.
            let mut state = State::of_fixture(what, Expected::Golden, &fixture);
            state.expected = Expected::Mutant;
            all.push(state);
        }
    }
    let step = all.len().div_ceil(most.max(1)).max(1);
    all.into_iter().step_by(step).collect()
}

/// The JSON that a file holds, whether it is given as such or as text.
fn as_json(content: &Value) -> Option<Value> {
    match content {
        Value::String(text) => serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string()),
        other => Some(other.clone()),
    }
}

/// Every way to make one field of `result` wrong, with what was done to which.
fn mutate(result: &Value) -> Vec<(String, Value)> {
    let mut mutants = Vec::new();
    let mut fields = Vec::new();
    collect_fields(result, "", &mut fields);
    for pointer in fields {
        let Some(value) = result.pointer(&pointer) else { continue };
        let name = pointer.trim_start_matches('/').replace('/', ".");
        for (how, wrong) in wrong_values(value) {
            let mut mutant = result.clone();
            if let Some(field) = mutant.pointer_mut(&pointer) {
                *field = wrong;
                mutants.push((format!("{name} {how}"), mutant));
            }
        }
        let mut mutant = result.clone();
        if remove(&mut mutant, &pointer) {
            mutants.push((format!("{name} dropped"), mutant));
        }
    }
    mutants
}

/// JSON pointers to all fields that hold no others. Of a list, to its first item: they are alike.
fn collect_fields(value: &Value, pointer: &str, fields: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, item) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect_fields(item, &format!("{pointer}/{key}"), fields);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            if let Some(first) = items.first() {
                collect_fields(first, &format!("{pointer}/0"), fields);
            }
        }
        _ if !pointer.is_empty() => fields.push(pointer.to_owned()),
        _ => {}
    }
}

fn wrong_values(value: &Value) -> Vec<(&'static str, Value)> {
    let mut wrong = match value {
        Value::Bool(flag) => vec![("changed", json!(!flag))],
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let other = if number == 0.0 { 7.0 } else { 0.0 };
            let mut wrong = vec![("changed", number_of(other))];
            if number > EARLIEST_TIME {
                wrong.push(("made stale", number_of(number - MONTH)));
            }
            wrong
        }
        Value::String(text) if text.is_empty() => vec![("changed", json!("something else"))],
        Value::String(text) if looks_like_a_date(text) => vec![("made stale", json!("2001-01-01T00:00:00"))],
        Value::String(_) => vec![("changed", json!("something else")), ("emptied", json!(""))],
        Value::Array(_) => vec![("changed", json!(["something else"]))],
        Value::Object(_) => vec![("changed", json!({ "something": "else" }))],
        Value::Null => vec![("changed", json!("something else"))],
    };
    if !value.is_null() {
        wrong.push(("made null", Value::Null));
    }
    wrong
}

/// A number as Python writes it: without a point where it is whole.
fn number_of(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}

fn looks_like_a_date(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    digits(0..4)
        && text.get(4..5) == Some("-")
        && digits(5..7)
        && text.get(7..8) == Some("-")
        && digits(8..10)
}

fn remove(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            let map: &mut Map<String, Value> = map;
            map.shift_remove(&key.replace("~1", "/").replace("~0", "~")).is_some()
        }
        Some(Value::Array(items)) if !items.is_empty() => {
            items.remove(0);
            true
        }
        _ => false,
    }
}
