//! Rows of the plan as a model writes them.

use std::collections::{BTreeMap, BTreeSet};

use common::record::Plan;
use common::text::{count, shorten};
use serde_json::Value;

/// At most one row in this many may have the same archetype or occupation. Chosen, not measured: plan.md asks
/// for at most a fifth, and a plan that is somewhat less even is not worth another call.
const SHARE: usize = 3;

/// This many rows may have the same archetype or occupation in any plan, however short. Chosen, not measured: in
/// a plan of six rows, a third would be two.
const ALIKE: usize = 3;

/// The rows in a model's answer: JSON objects with a `task`, one per line, or in an array, or over several
/// lines. Text around them is skipped.
pub(super) fn in_answer(text: &str) -> Vec<Value> {
    let by_line: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim().trim_end_matches(',')).ok())
        .filter(is_row)
        .collect();
    if by_line.is_empty() { anywhere(text) } else { by_line }
}

fn anywhere(text: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['{', '[']) {
        let mut values = serde_json::Deserializer::from_str(&rest[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Array(items))) => rows.extend(items.into_iter().filter(is_row)),
            Some(Ok(value)) if is_row(&value) => rows.push(value),
            _ => {
                rest = &rest[start + 1..];
                continue;
            }
        }
        rest = &rest[start + values.byte_offset()..];
    }
    rows
}

/// Sets aside the rows that make a plan lopsided, each with the reason in words for the model. A field that
/// hardly differs between the rows is ignored: the plan was not written with it in mind.
pub(super) fn balance(rows: Vec<Value>) -> (Vec<Value>, Vec<(Value, String)>) {
    let most = ALIKE.max(rows.len().div_ceil(SHARE));
    let (mut kept, mut set_aside) = (rows, Vec::new());
    for field in ["archetype", "occupation"] {
        let kinds: BTreeSet<String> = kept.iter().map(|row| kind(row, field)).collect();
        if kinds.len() <= SHARE {
            continue;
        }
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut balanced = Vec::new();
        for row in kept {
            let count = counts.entry(kind(&row, field)).or_default();
            *count += 1;
            if *count <= most {
                balanced.push(row);
            } else {
                let why = too_many(&row, field);
                set_aside.push((row, why));
            }
        }
        kept = balanced;
    }
    (kept, set_aside)
}

/// The value of a field, for comparison.
fn kind(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().trim().to_lowercase()
}

fn too_many(row: &Value, field: &str) -> String {
    let [task, name] = [&row["task"], &row[field]].map(|text| text.as_str().unwrap_or_default());
    format!("`{}`: too many rows have the {field} {}", shorten(task, 100), shorten(name, 100))
}

fn is_row(value: &Value) -> bool {
    value.get("task").is_some_and(Value::is_string)
}

/// The variety of the rows, in words for people.
pub(super) fn summary(rows: &[Plan]) -> String {
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *labels.entry(row.difficulty.as_str()).or_default() += 1;
    }
    let labels: Vec<String> = labels.iter().map(|(label, count)| format!("{count} {label}")).collect();
    format!(
        "{}, {}, {}; {}",
        count(distinct(rows.iter().map(|row| row.occupation.as_str())), "occupation"),
        count(distinct(rows.iter().map(|row| row.archetype.as_str())), "archetype"),
        count(distinct(rows.iter().flat_map(|row| row.features.iter().map(String::as_str))), "feature"),
        labels.join(", ")
    )
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> u64 {
    names.filter(|name| !name.is_empty()).map(str::to_lowercase).collect::<BTreeSet<_>>().len() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(text: &str) -> Vec<String> {
        in_answer(text).iter().map(|row| row["task"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn rows_are_found_in_many_forms() {
        let lines = "Here:\n````jsonl\n{\"task\": \"a\"}\n{\"task\": \"b\"},\nnot json\n{\"name\": \"c\"}\n````\nDone.";
        assert_eq!(names(lines), ["a", "b"]);
        assert_eq!(names("```json\n[{\"task\": \"a\"},\n {\"task\": \"b\"}]\n```"), ["a", "b"]);
        assert_eq!(names("{\n \"task\": \"a\"\n}\n{ x }\n{\n \"task\": \"b\"\n}"), ["a", "b"]);
        assert_eq!(names("nothing {[ here"), Vec::<String>::new());
    }

    #[test]
    fn rows_that_make_a_plan_lopsided_are_set_aside() {
        let row = |n: usize, archetype: &str| json!({"task": format!("t{n}"), "archetype": archetype, "occupation": format!("o{n}")});
        let kinds = ["a", "b", "c", "d", "a", "a", "A ", "a", "a", "b", "c", "d"];
        let rows: Vec<Value> = kinds.iter().enumerate().map(|(n, kind)| row(n, kind)).collect();
        let (kept, aside) = balance(rows);
        assert_eq!((kept.len(), aside.len()), (10, 2));
        assert_eq!(aside[0].1, "`t7`: too many rows have the archetype a");
        let alike: Vec<Value> = (0..12).map(|n| json!({"task": format!("t{n}"), "archetype": "a"})).collect();
        assert_eq!(balance(alike).0.len(), 12);
    }
}
