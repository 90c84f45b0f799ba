//! Mutants of a golden state: one field in one result made wrong.
//!
//! A verifier that reads a field does not pass when the field is wrong. One that passes most mutants reads
//! little of the result, and would also pass a task that was done badly.

use serde_json::{Value, json};
use task_spec::fixtures::Fixture;

use crate::states::{Expected, KnownState};

/// A whole number above this is taken for a time, in seconds since 1970: 2001.
pub(crate) const EARLIEST_TIME: f64 = 1e9;

/// A month, in seconds.
const MONTH: f64 = 30.0 * 86_400.0;

/// The largest number of fields of a file that are considered.
const MAX_FIELDS: usize = 20_000;

/// The largest size of all mutants of a state together, in bytes. Each is a copy of the whole state.
const MAX_BYTES: usize = 64 << 20;

/// One field made wrong.
struct Change<'a> {
    /// The path of the file.
    path: &'a str,
    /// The content of the file.
    result: &'a Value,
    /// The JSON pointer to the field.
    pointer: String,
    /// What is done to the field, as a participle.
    how: &'static str,
    /// The wrong value. None if the field is removed.
    wrong: Option<Value>,
}

/// Up to `most` mutants of a golden state, spread evenly over its fields.
pub(crate) fn of(golden: &Fixture, most: usize) -> Vec<KnownState> {
    let results: Vec<(&str, Value)> = json_files(golden).collect();
    let changes: Vec<Change> = results.iter().flat_map(|(path, result)| changes_of(path, result)).collect();
    let most = most.min(MAX_BYTES / size_of(golden).max(1)).max(1);
    let step = changes.len().div_ceil(most).max(1);
    changes.iter().step_by(step).filter_map(|change| change.apply(golden)).collect()
}

/// The files of a state that hold JSON, whether it is given as JSON or as text.
pub(crate) fn json_files(fixture: &Fixture) -> impl Iterator<Item = (&str, Value)> {
    fixture.files.iter().filter_map(|(path, content)| {
        let value = match content {
            Value::String(text) => {
                serde_json::from_str(text).ok().filter(|value: &Value| !value.is_string())?
            }
            other => other.clone(),
        };
        Some((path.as_str(), value))
    })
}

fn size_of(fixture: &Fixture) -> usize {
    let files = fixture.files.values().map(|content| content.to_string().len());
    let bytes = fixture.base64.values().chain(fixture.sqlite.values()).map(String::len);
    let entries = fixture.zip.values().flat_map(|entries| entries.values()).map(String::len);
    files.chain(bytes).chain(entries).sum()
}

impl Change<'_> {
    fn apply(&self, golden: &Fixture) -> Option<KnownState> {
        let mut result = self.result.clone();
        match &self.wrong {
            Some(wrong) => result.pointer_mut(&self.pointer)?.clone_from(wrong),
            None => remove(&mut result, &self.pointer)?,
        }
        let mut fixture = golden.clone();
        fixture.files.insert(self.path.to_owned(), Value::String(result.to_string()));
        let field = self.pointer.trim_start_matches('/').replace('/', ".");
        Some(KnownState::of_fixture(format!("{field} {}", self.how), Expected::Mutant, &fixture))
    }
}

fn changes_of<'a>(path: &'a str, result: &'a Value) -> Vec<Change<'a>> {
    let mut fields = Vec::new();
    collect_fields(result, "", &mut fields);
    let mut changes = Vec::new();
    for (pointer, value) in fields {
        for (how, wrong) in wrong_values(value) {
            changes.push(Change { path, result, pointer: pointer.clone(), how, wrong: Some(wrong) });
        }
        changes.push(Change { path, result, pointer, how: "dropped", wrong: None });
    }
    changes
}

/// Collects all fields without inner fields, with their JSON pointers. Of a list, only the first item counts.
fn collect_fields<'a>(value: &'a Value, pointer: &str, fields: &mut Vec<(String, &'a Value)>) {
    if fields.len() >= MAX_FIELDS {
        return;
    }
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
        _ if !pointer.is_empty() => fields.push((pointer.to_owned(), value)),
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
pub(crate) fn number_of(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}

/// Whether a text starts with a date such as `2026-01-31`.
pub(crate) fn looks_like_a_date(text: &str) -> bool {
    let pattern = b"dddd-dd-dd";
    text.len() >= pattern.len()
        && pattern.iter().zip(text.bytes()).all(|(expected, byte)| match expected {
            b'd' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}

/// Removes the field at `pointer`. None if the field does not exist.
fn remove(value: &mut Value, pointer: &str) -> Option<()> {
    let (parent, key) = pointer.rsplit_once('/')?;
    match value.pointer_mut(parent)? {
        Value::Object(map) => map.shift_remove(&key.replace("~1", "/").replace("~0", "~")).map(drop),
        Value::Array(items) if !items.is_empty() => {
            items.remove(0);
            Some(())
        }
        _ => None,
    }
}
