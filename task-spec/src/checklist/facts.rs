//! What the files of a task say about its privileged information.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::path::Path;

use common::read::read_beneath;

use super::Status;
use super::same::{clearly_differ, differ, holds, holds_telling, number, quoted, scalars};
use super::source::{Part, Place, may_name_a_key, places, under};
use super::verifier::Literals;
use crate::pyjson;
use crate::python::Module;
use crate::value::Value;

/// The longest file of an environment that is looked at, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The most items of one task that are looked at. The published benchmark has tasks with up to 100.
const MAX_ITEMS: usize = 200;

/// The most levels of lists and objects in a value that is looked at.
pub(super) const MAX_LEVELS: usize = 32;

/// How much text is searched for the values of one task, in bytes times values.
const MAX_SEARCHED: usize = 64 << 20;

/// The folders of an environment in which a file that a source names without a folder may be.
const FOLDERS: [&str; 6] = ["", "data", "scripts", "config", "assets", "utils"];

/// Parts of the name of a bound: its value is not what is found in the data.
const BOUNDS: [&str; 22] = [
    "min", "max", "range", "toler", "thresh", "limit", "approx", "bound", "least", "most", "below", "above",
    "lower", "upper", "low", "high", "floor", "ceil", "window", "margin", "epsilon", "within",
];

/// A piece of privileged information, as `validated_pi.json` states it.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Its name: usually that of a value in the spec's `metadata`.
    pub key: &'a str,
    /// The value that the metadata is said to have; null if it is not from the metadata.
    pub metadata_value: &'a Value,
    /// The value that was found; null if none was.
    pub verified_value: &'a Value,
    /// Where it was found.
    pub source: &'a str,
    /// The stated status.
    pub stated: Option<&'a str>,
}

impl<'a> Item<'a> {
    /// The items of a `validated_pi.json`, as far as they have the form of items: the first 200.
    pub fn all(evidence: &'a Value) -> impl Iterator<Item = Self> {
        let items = evidence.get("pi_items").and_then(Value::as_list).unwrap_or_default();
        items.iter().take(MAX_ITEMS).filter_map(Self::of)
    }

    /// One item; `None` if it has no key.
    pub(super) fn of(item: &'a Value) -> Option<Self> {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let value =
            |key: &str| item.get(key).filter(|value| value.levels() <= MAX_LEVELS).unwrap_or(&Value::Null);
        Some(Self {
            key: text("key")?,
            metadata_value: value("metadata_value"),
            verified_value: value("verified_value"),
            source: text("source").unwrap_or_default(),
            stated: text("status"),
        })
    }

    /// The value that the item claims.
    fn value(&self) -> &'a Value {
        if *self.verified_value == Value::Null { self.metadata_value } else { self.verified_value }
    }

    fn is_bound(&self) -> bool {
        let key = self.key.to_lowercase();
        BOUNDS.iter().any(|bound| key.contains(bound))
    }
}

/// What a contradiction is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// The metadata has another value.
    Metadata,
    /// The value that was found is not that of the metadata.
    Found,
    /// The verifier compares with another value.
    Verifier,
    /// The named key of a file has another value.
    Source,
}

impl fmt::Display for Ground {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Metadata => "metadata",
            Self::Found => "found",
            Self::Verifier => "verifier",
            Self::Source => "source",
        })
    }
}

/// The computed status of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The status.
    pub status: Status,
    /// What a contradiction is with.
    pub ground: Option<Ground>,
    /// Why, in a sentence for people.
    pub reason: String,
}

/// The facts of a task that privileged information is compared with.
pub struct Facts<'a> {
    metadata: Option<&'a Value>,
    verifier: Option<&'a Module>,
    /// The literals of the verifier, when they are first needed.
    literals: OnceCell<Literals>,
    /// The text of a file of the task or of its environment.
    text: &'a dyn Fn(&str) -> Option<String>,
    /// What remains of [`MAX_SEARCHED`].
    left: Cell<usize>,
}

impl<'a> Facts<'a> {
    /// The facts of a task with this spec and verifier. `text` returns the text of a file of the task or of its
    /// environment.
    pub fn new(
        spec: Option<&'a Value>,
        verifier: Option<&'a Module>,
        text: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let metadata = spec.and_then(|spec| spec.get("metadata"));
        Self { metadata, verifier, literals: OnceCell::new(), text, left: Cell::new(MAX_SEARCHED) }
    }

    /// Which lines that the source of an item names do not exist. `own` returns the text of a file of the task.
    pub fn missing_line<'t>(&self, item: &Item<'_>, own: impl Fn(&str) -> Option<&'t str>) -> Option<String> {
        places(item.source).find_map(|place| {
            let Part::Lines(_, last) = place.part else { return None };
            let lines = own(place.file).filter(|text| self.may_search(text, 1))?.lines().count();
            (last > lines).then(|| format!("{} has {lines} lines, the source names line {last}", place.file))
        })
    }

    /// Whether a text may still be searched for so many values.
    fn may_search(&self, text: &str, values: usize) -> bool {
        let left = self.left.get().checked_sub(text.len().saturating_mul(values));
        left.inspect(|&left| self.left.set(left)).is_some()
    }

    /// Computes the status of an item. What it states about itself is not used.
    pub fn check(&self, item: &Item<'_>) -> Finding {
        self.against(item).unwrap_or_else(|| self.at_its_source(item))
    }

    /// The contradiction that [`Facts::check`] finds. Files are only read if the source names a key of one: what other
    /// sources lack contradicts nothing.
    pub fn contradiction(&self, item: &Item<'_>) -> Option<Finding> {
        let at_a_key = || may_name_a_key(item.source).then(|| self.at_its_source(item));
        self.against(item).or_else(at_a_key).filter(|found| found.status == Status::Contradicted)
    }

    /// What an item is contradicted by, but for its source.
    fn against(&self, item: &Item<'_>) -> Option<Finding> {
        let found = self.against_metadata(item).or_else(|| against_itself(item));
        found.or_else(|| self.against_verifier(item))
    }

    fn in_metadata(&self, key: &str) -> Option<&'a Value> {
        let metadata = self.metadata?;
        let key = key.strip_prefix("task.json.").unwrap_or(key);
        let key = key.strip_prefix("metadata.").unwrap_or(key);
        metadata.get(key).or_else(|| under(metadata, key))
    }

    fn against_metadata(&self, item: &Item<'_>) -> Option<Finding> {
        let actual = self.in_metadata(item.key)?;
        let reason = || {
            let (actual, stated) = (quoted(actual), quoted(item.metadata_value));
            format!("the metadata has {actual}, metadata_value is {stated}")
        };
        differ(actual, item.metadata_value, true).then(|| contradicted(Ground::Metadata, reason()))
    }

    fn against_verifier(&self, item: &Item<'_>) -> Option<Finding> {
        let module = self.verifier?;
        let literals = self.literals.get_or_init(|| Literals::of(module));
        let literal = literals.compared(item.key, self.in_metadata(item.key).is_some())?;
        // An initial value, which the verifier replaces by one that it computes.
        let is_initial = number(&literal.value) == Some(0.0);
        let value = if item.is_bound() { item.metadata_value } else { item.value() };
        if is_initial || !clearly_differ(&literal.value, value) {
            return None;
        }
        let line = module.line(&literal.range);
        let (compared, value) = (quoted(&literal.value), quoted(value));
        let reason = format!("the verifier compares with {compared} (line {line}), the item says {value}");
        Some(contradicted(Ground::Verifier, reason))
    }

    /// Looks for the value at the places that the source names.
    fn at_its_source(&self, item: &Item<'_>) -> Finding {
        let mut reason = "the source names no file of the task or its environment";
        let values = scalars(item.value());
        for place in places(item.source) {
            let Some(text) = (self.text)(place.file).filter(|text| self.may_search(text, values)) else {
                continue;
            };
            match holds_at(&text, &place, item.value()) {
                At::Holds => {
                    return Finding {
                        status: Status::Verified,
                        ground: None,
                        reason: format!("{} holds the value", place.file),
                    };
                }
                At::HoldsAnother => {
                    // The file may be one that must not be quoted to a model.
                    let value = quoted(item.value());
                    let reason = format!("{}: the named key has another value than {value}", place.file);
                    return contradicted(Ground::Source, reason);
                }
                At::Missing => reason = "the value is not at the named place",
            }
        }
        Finding { status: Status::Unverified, ground: None, reason: reason.to_owned() }
    }
}

/// What a place holds.
enum At {
    Holds,
    HoldsAnother,
    Missing,
}

fn holds_at(text: &str, place: &Place<'_>, value: &Value) -> At {
    let holds = match place.part {
        Part::Whole => holds_telling(text, value),
        Part::Lines(first, last) => holds(&lines(text, first, last), value),
        Part::Key(key) => {
            let document = pyjson::parse(text).ok();
            let Some(found) = document.as_ref().and_then(|document| under(document, key)) else {
                return At::Missing;
            };
            if differ(found, value, true) {
                return At::HoldsAnother;
            }
            true
        }
    };
    if holds { At::Holds } else { At::Missing }
}

fn lines(text: &str, first: usize, last: usize) -> String {
    let count = (last + 1).saturating_sub(first);
    let lines: Vec<&str> = text.lines().skip(first.saturating_sub(1)).take(count).collect();
    lines.join("\n")
}

/// Whether an item names two different values. Bounds need not be equal to what was found.
fn against_itself(item: &Item<'_>) -> Option<Finding> {
    if item.is_bound() || !clearly_differ(item.metadata_value, item.verified_value) {
        return None;
    }
    let (stated, found) = (quoted(item.metadata_value), quoted(item.verified_value));
    Some(contradicted(Ground::Found, format!("metadata_value is {stated}, verified_value is {found}")))
}

fn contradicted(ground: Ground, reason: String) -> Finding {
    Finding { status: Status::Contradicted, ground: Some(ground), reason }
}

/// The text of a file of an environment that a source names by its path below the environment, by its path in the
/// running environment (`/workspace/…`), or by its name alone.
pub fn environment_text(root: &Path, name: &str) -> Option<String> {
    let name = name.trim_start_matches('/');
    let name = name.strip_prefix("workspace/").unwrap_or(name);
    FOLDERS.iter().find_map(|folder| {
        let bytes = read_beneath(root, &Path::new(folder).join(name), MAX_BYTES).ok()?;
        String::from_utf8(bytes).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::super::settle;
    use super::*;
    use crate::pyjson::parse;
    use crate::python;

    fn text(name: &str) -> Option<String> {
        match name {
            "task.json" => Some(SPEC.to_owned()),
            "setup_task.sh" => Some("#!/bin/sh\nROWS=12\necho 1009,64-17-5 > /tmp/stock.csv\n".to_owned()),
            _ => None,
        }
    }

    const SPEC: &str =
        r#"{"metadata": {"rows": 12, "limits": [{"high": 3}], "name": "Erin", "min_rows": 5}}"#;

    #[test]
    fn statuses_are_computed() {
        let spec = parse(SPEC).unwrap();
        let verifier = python::parse(b"LIMIT = 40\nmetadata = {}\nx = metadata.get('cases', 7)\n").unwrap();
        let facts = Facts::new(Some(&spec), Some(&verifier), &text);
        let check = |item: &str, expect: (Status, &str)| {
            let evidence = parse(&format!("{{\"pi_items\": [{item}]}}")).unwrap();
            let item = Item::all(&evidence).next().unwrap();
            let found = facts.check(&item);
            assert_eq!((found.status, found.reason.as_str()), expect, "{item:?}");
            let contradiction = Some(found).filter(|found| found.status == Status::Contradicted);
            assert_eq!(facts.contradiction(&item), contradiction, "{item:?}");
        };
        check(
            r#"{"key": "rows", "metadata_value": 12, "verified_value": 12, "source": "setup_task.sh:2"}"#,
            (Status::Verified, "setup_task.sh holds the value"),
        );
        check(
            r#"{"key": "cas", "metadata_value": null, "verified_value": "64-17-5", "source": "setup_task.sh"}"#,
            (Status::Verified, "setup_task.sh holds the value"),
        );
        check(
            r#"{"key": "rows", "metadata_value": 12, "source": "task.json#metadata.rows", "status": "contradicted"}"#,
            (Status::Verified, "task.json holds the value"),
        );
        check(
            r#"{"key": "rows", "metadata_value": 13, "verified_value": 13, "source": "setup_task.sh:2"}"#,
            (Status::Contradicted, "the metadata has 12, metadata_value is 13"),
        );
        check(
            r#"{"key": "metadata.name", "metadata_value": "Brandie", "source": ""}"#,
            (Status::Contradicted, "the metadata has \"Erin\", metadata_value is \"Brandie\""),
        );
        check(
            r#"{"key": "limits[0].high", "metadata_value": 4, "source": ""}"#,
            (Status::Contradicted, "the metadata has 3, metadata_value is 4"),
        );
        check(
            r#"{"key": "day", "metadata_value": "2010-12-18", "verified_value": "2010-12-04", "source": ""}"#,
            (Status::Contradicted, "metadata_value is \"2010-12-18\", verified_value is \"2010-12-04\""),
        );
        check(
            r#"{"key": "limit", "metadata_value": 30, "verified_value": 40, "source": "verifier.py"}"#,
            (Status::Contradicted, "the verifier compares with 40 (line 1), the item says 30"),
        );
        check(
            r#"{"key": "cases", "metadata_value": null, "verified_value": 8, "source": "verifier.py"}"#,
            (Status::Contradicted, "the verifier compares with 7 (line 3), the item says 8"),
        );
        check(
            r#"{"key": "x1", "verified_value": 13, "source": "task.json#metadata.rows"}"#,
            (Status::Contradicted, "task.json: the named key has another value than 13"),
        );
        check(
            r#"{"key": "min_rows", "metadata_value": 5, "verified_value": 12, "source": "setup_task.sh:2"}"#,
            (Status::Verified, "setup_task.sh holds the value"),
        );
        check(
            r#"{"key": "x2", "verified_value": 12, "source": "setup_task.sh:1", "status": "verified"}"#,
            (Status::Unverified, "the value is not at the named place"),
        );
        check(
            r#"{"key": "x3", "verified_value": 12, "source": "setup_task.sh:999999-5", "status": "verified"}"#,
            (Status::Unverified, "the value is not at the named place"),
        );
        check(
            r#"{"key": "x4", "verified_value": 12, "source": "https://example.org/a.html"}"#,
            (Status::Unverified, "the source names no file of the task or its environment"),
        );
    }

    #[test]
    fn a_source_may_name_lines_that_are_missing() {
        let facts = Facts::new(None, None, &text);
        let check = |source: &str, expect: Option<&str>| {
            let item = Item {
                key: "k",
                metadata_value: &Value::Null,
                verified_value: &Value::Null,
                source,
                stated: None,
            };
            let own = |name: &str| (name == "setup_task.sh").then_some("a\nb\nc\n");
            assert_eq!(facts.missing_line(&item, own).as_deref(), expect, "{source}");
        };
        check("setup_task.sh:3", None);
        check("setup_task.sh:3, verifier.py:70", None);
        check("setup_task.sh lines 3-4", Some("setup_task.sh has 3 lines, the source names line 4"));
    }

    #[test]
    fn deep_values_are_not_looked_at() {
        let deep = format!("{}7{}", "[".repeat(900), "]".repeat(900));
        let item = format!(
            r#"{{"key": "k", "metadata_value": {deep}, "verified_value": {deep}, "source": "a.py"}}"#
        );
        let evidence = parse(&format!("{{\"pi_items\": [{item}]}}")).unwrap();
        let facts = Facts::new(None, None, &text);
        assert_eq!(facts.check(&Item::all(&evidence).next().unwrap()).status, Status::Unverified);
        assert!(settle(&evidence, &facts).is_none());
    }

    #[test]
    fn searching_has_an_end() {
        let long = |_: &str| Some("a 1 ".repeat(100_000));
        let facts = Facts::new(None, None, &long);
        let item = format!(
            r#"{{"key": "k", "verified_value": [{}], "source": "{}"}}"#,
            "2,".repeat(9_999) + "2",
            "a.py:1 ".repeat(2_000)
        );
        let evidence = parse(&format!("{{\"pi_items\": [{}]}}", vec![item; 20].join(","))).unwrap();
        for item in Item::all(&evidence) {
            assert_eq!(facts.check(&item).status, Status::Unverified);
        }
    }

    #[test]
    fn only_files_of_the_environment_are_read() {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir(root.path().join("data")).unwrap();
        fs_err::write(root.path().join("data/a.csv"), "a").unwrap();
        for name in ["data/a.csv", "a.csv", "/workspace/data/a.csv"] {
            assert_eq!(environment_text(root.path(), name).as_deref(), Some("a"), "{name}");
        }
        for name in ["../a.csv", "/etc/hostname", "b.csv", "data"] {
            assert_eq!(environment_text(root.path(), name), None, "{name}");
        }
    }
}
