//! The places that the source of a piece of privileged information names.
//!
//! A source is free text. In it, `setup_task.sh`, `setup_task.sh:12`, `setup_task.sh:12-14`, `setup_task.sh line 12`
//! and `task.json#metadata.expected.rows` are places.

use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::compile;
use crate::value::Value;

/// The most places of one source that are looked at.
const MAX_PLACES: usize = 16;

/// The longest source that is looked at, in bytes. The longest of the published benchmark has 3 KB.
const MAX_SOURCE: usize = 1 << 16;

/// The most lines that a place may have.
const MAX_LINES: usize = 1_000;

static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"((?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*",
        r"\.(?:json|jsonl|sh|ps1|py|csv|tsv|md|txt|sql|xml|yaml|yml|ini|conf|html|log|r|js))\b",
        r"(?:#([A-Za-z0-9_][A-Za-z0-9_.\[\]-]*)",
        r"|(?::|,? \(?lines? )([0-9]{1,6})(?:\s?(?:-|–|to)\s?([0-9]{1,6}))?)?",
    ))
});

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The file, as the source names it.
    pub file: &'a str,
    /// The part of the file.
    pub part: Part<'a>,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// All of it.
    Whole,
    /// These lines, from 1, the last one included.
    Lines(usize, usize),
    /// What is under this key of a JSON file.
    Key(&'a str),
}

/// The places that a source names.
pub(super) fn places(source: &str) -> impl Iterator<Item = Place<'_>> {
    let source = if source.len() > MAX_SOURCE { "" } else { source };
    PLACE.captures_iter(source).take(MAX_PLACES).filter_map(|found| {
        let line = |group: usize| found.get(group).and_then(|line| line.as_str().parse().ok());
        let part = match (found.get(2), line(3)) {
            (Some(key), _) => Part::Key(key.as_str().trim_end_matches('.')),
            (None, Some(first)) => {
                // A date may follow the number of a line.
                let last = line(4).filter(|last| (first..first + MAX_LINES).contains(last));
                Part::Lines(first, last.unwrap_or(first))
            }
            (None, None) => Part::Whole,
        };
        Some(Place { file: found.get(1)?.as_str(), part })
    })
}

/// Whether a source may name a key of a file: without this, no place of it does.
pub(super) fn may_name_a_key(source: &str) -> bool {
    source.contains('#')
}

/// What is under a path of keys and positions, such as `expected.rows[2].name`.
pub(super) fn under<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = value;
    for part in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        value = match value {
            Value::List(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => value.get(part)?,
        };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyjson::parse;

    #[test]
    fn sources_name_places() {
        let check = |source: &str, expect: &[(&str, Part<'_>)]| {
            let found: Vec<_> = places(source).map(|place| (place.file, place.part)).collect();
            assert_eq!(found, expect, "{source}");
            let names_a_key = found.iter().any(|(_, part)| matches!(part, Part::Key(_)));
            assert!(may_name_a_key(source) || !names_a_key, "{source}");
        };
        check("setup_task.sh:12", &[("setup_task.sh", Part::Lines(12, 12))]);
        check("see setup_task.sh lines 12-14.", &[("setup_task.sh", Part::Lines(12, 14))]);
        check("setup_task.sh line 15 - 2024-01-15", &[("setup_task.sh", Part::Lines(15, 15))]);
        check("verifier.py (line 94) checks", &[("verifier.py", Part::Lines(94, 94))]);
        check("data/stock.csv and README.md", &[("data/stock.csv", Part::Whole), ("README.md", Part::Whole)]);
        check("task.json#metadata.rows[0].", &[("task.json", Part::Key("metadata.rows[0]"))]);
        check("v5.1.1 of www.example.org", &[]);
        check(&"a.py ".repeat(99), &[("a.py", Part::Whole); MAX_PLACES]);
        check(&format!("a.py {}", "é".repeat(MAX_SOURCE)), &[]);
    }

    #[test]
    fn paths_lead_into_lists_and_objects() {
        let value = parse(r#"{"a": [{"b": 7}]}"#).unwrap();
        assert_eq!(under(&value, "a[0].b"), Some(&Value::Int(7)));
        assert_eq!(under(&value, "a.0.b"), Some(&Value::Int(7)));
        assert_eq!(under(&value, "a[1].b"), None);
        assert_eq!(under(&value, "a.b"), None);
    }
}
