//! Variants of a golden state that differ only in what a verifier must ignore.
//!
//! A verifier that passes a golden state must pass its variants. One that does not compares the result with a
//! fixed text, or looks its verdict up.

use serde_json::{Map, Value};
use task_spec::fixtures::Fixture;

use crate::mutants::{EARLIEST_TIME, json_files, looks_like_a_date, number_of};
use crate::states::{Expected, KnownState};

/// How much later the times of a variant are, in seconds.
const LATER: f64 = 3600.0;

/// A key that export scripts do not write.
const UNKNOWN_KEY: &str = "export_format";

/// The variants of a golden state. None if it has no JSON.
pub(crate) fn of(golden: &Fixture) -> Vec<KnownState> {
    let results: Vec<(&str, Value)> = json_files(golden).collect();
    let mut variants = Vec::new();
    if results.iter().any(|(_, result)| result.is_object()) {
        variants.push(variant("another order of keys", golden, &results, &reordered));
        variants.push(variant("an additional key", golden, &results, &with_unknown_key));
    }
    // Dates in text would have to be changed as well.
    let shift = results.iter().any(|(_, result)| has(result, is_time))
        && !results.iter().any(|(_, result)| has(result, is_date));
    if shift {
        variants.push(variant("later times", golden, &results, &later));
    }
    variants
}

fn variant(
    name: &str,
    golden: &Fixture,
    results: &[(&str, Value)],
    change: &dyn Fn(&Value) -> Value,
) -> KnownState {
    let mut fixture = golden.clone();
    for (path, result) in results {
        fixture.files.insert((*path).to_owned(), Value::String(format!("{:#}\n", change(result))));
    }
    KnownState::of_fixture(name.to_owned(), Expected::Golden, &fixture)
}

fn reordered(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().rev().map(|(key, item)| (key.clone(), reordered(item))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(reordered).collect(),
        other => other.clone(),
    }
}

fn with_unknown_key(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(map) = &mut value {
        map.entry(UNKNOWN_KEY).or_insert(Value::from(1));
    }
    value
}

fn later(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), later(item))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(later).collect(),
        Value::Number(number) if is_time(value) => number_of(number.as_f64().unwrap_or_default() + LATER),
        other => other.clone(),
    }
}

fn has(value: &Value, wanted: fn(&Value) -> bool) -> bool {
    match value {
        Value::Object(map) => map.values().any(|item| has(item, wanted)),
        Value::Array(items) => items.iter().any(|item| has(item, wanted)),
        other => wanted(other),
    }
}

fn is_time(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number > EARLIEST_TIME && number < 4.0 * EARLIEST_TIME)
}

fn is_date(value: &Value) -> bool {
    value.as_str().is_some_and(looks_like_a_date)
}
