//! Mutants of a golden state: one field in one result made wrong.
//!
//! A verifier that reads a field does not pass when the field is wrong. One that passes most mutants reads
//! little of the result, and would also pass a task that was done badly.

use serde_json::{Value, json};
use task_spec::fixtures::Fixture;

use crate::states::{Expected, KnownState};

/// A whole number above this is taken for a time, in seconds since 1970: 2001.
const EARLIEST_TIME: f64 = 1e9;

/// A month, in seconds.
const MONTH: f64 = 30.0 * 86_400.0;

/// Up to `most` mutants of a golden state, spread evenly over its fields.
pub(crate) fn of(golden: &Fixture, most: usize) -> Vec<KnownState> {
    let mut all = Vec::new();
    for (path, content) in &golden.files {
        let Some(result) = as_json(content) else { continue };
        for (what, mutant) in mutate(&result) {
            let mut fixture = golden.clone();
            fixture.files.insert(path.clone(), Value::String(mutant.to_string()));
            all.push(KnownState::of_fixture(what, Expected::Mutant, &fixture));
        }
    }
    let step = all.len().div_ceil(most.max(1)).max(1);
    all.into_iter().step_by(step).collect()
}

/// The JSON in a file, whether it is given as JSON or as text.
fn as_json(content: &Value) -> Option<Value> {
    match content {
        Value::String(text) => serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string()),
        other => Some(other.clone()),
    }
}

/// All mutants of `result`, each with its description: the field, and what was done to it.
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

/// Collects JSON pointers to all fields without inner fields. Of a list, only the first item counts.
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

/// Wrong values for a field, each with what was done to it.
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

/// Whether a text starts with a date such as `2026-01-31`.
fn looks_like_a_date(text: &str) -> bool {
    let pattern = b"dddd-dd-dd";
    text.len() >= pattern.len()
        && pattern.iter().zip(text.bytes()).all(|(expected, byte)| match expected {
            b'd' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}

/// Removes the field at `pointer`. Returns whether it existed.
fn remove(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => map.shift_remove(&key.replace("~1", "/").replace("~0", "~")).is_some(),
        Some(Value::Array(items)) if !items.is_empty() => {
            items.remove(0);
            true
        }
        _ => false,
    }
}
