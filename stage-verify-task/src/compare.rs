//! Compares two results that should be equal, or of the same shape.

use std::cmp::Ordering;

use common::text::{escape, shorten};
use serde_json::{Map, Value};

/// The most differences that are described.
const MOST: usize = 20;

/// The longest value that is shown, in characters.
const SHOWN: usize = 60;

/// Parts of the names of fields that differ between two runs for good reason.
const VOLATILE: [&str; 8] = ["time", "stamp", "epoch", "task_start", "pid", "elapsed", "duration", "uuid"];

/// What counts as a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Equality {
    /// Every value.
    Exact,
    /// Every value that does not measure time.
    ExceptTimes,
    /// Missing fields, and values of another type.
    Shape,
}

/// A file as a value: JSON where it is JSON, else its text.
pub(crate) fn value_of(content: &[u8]) -> Value {
    serde_json::from_slice(content)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(content).into_owned()))
}

/// Where `found` is not as `expected`: a path, and both values.
pub(crate) fn differences(expected: &Value, found: &Value, equality: Equality) -> Vec<String> {
    let mut differences = Differences { equality, found: Vec::new(), path: String::new() };
    differences.compare(expected, found);
    differences.found
}

struct Differences {
    equality: Equality,
    found: Vec<String>,
    path: String,
}

impl Differences {
    fn compare(&mut self, expected: &Value, found: &Value) {
        if self.found.len() >= MOST {
            return;
        }
        match (expected, found) {
            (Value::Object(expected), Value::Object(found)) => self.compare_objects(expected, found),
            (Value::Array(expected), Value::Array(found)) => self.compare_arrays(expected, found),
            _ if self.are_equal(expected, found) => {}
            _ => self.add(&shown(expected), &shown(found)),
        }
    }

    fn compare_objects(&mut self, expected: &Map<String, Value>, found: &Map<String, Value>) {
        for (key, value) in expected {
            match found.get(key) {
                Some(other) => self.below(&format!(".{key}"), |this| this.compare(value, other)),
                None => self.below(&format!(".{key}"), |this| this.add(&shown(value), "no such field")),
            }
        }
        if self.equality == Equality::Shape {
            return;
        }
        for (key, value) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
            self.below(&format!(".{key}"), |this| this.add("no such field", &shown(value)));
        }
    }

    fn compare_arrays(&mut self, expected: &[Value], found: &[Value]) {
        let is_shape = self.equality == Equality::Shape;
        if !is_shape && expected.len() != found.len() {
            self.add(&format!("{} items", expected.len()), &format!("{} items", found.len()));
            return;
        }
        // Items of one list have one shape.
        let pairs = expected.iter().zip(found).take(if is_shape { 1 } else { usize::MAX });
        for (index, (expected, found)) in pairs.enumerate() {
            self.below(&format!("[{index}]"), |this| this.compare(expected, found));
        }
    }

    fn are_equal(&self, expected: &Value, found: &Value) -> bool {
        match self.equality {
            Equality::Exact => same(expected, found),
            Equality::ExceptTimes => same(expected, found) || self.is_volatile(),
            Equality::Shape => {
                expected.is_null()
                    || found.is_null()
                    || std::mem::discriminant(expected) == std::mem::discriminant(found)
            }
        }
    }

    fn is_volatile(&self) -> bool {
        let field = self.path.rsplit('.').next().unwrap_or_default().to_lowercase();
        VOLATILE.iter().any(|part| field.contains(part))
    }

    fn below(&mut self, part: &str, compare: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(part);
        compare(self);
        self.path.truncate(length);
    }

    fn add(&mut self, expected: &str, found: &str) {
        if self.found.len() < MOST {
            let path = if self.path.is_empty() { "the whole" } else { self.path.trim_start_matches('.') };
            self.found.push(format!("{}: {found} instead of {expected}", escape(path)));
        }
    }
}

/// Numbers are compared by value: a fixture may say 1 where Python writes 1.0.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected.as_f64(), found.as_f64()) {
        (Some(expected), Some(found)) => expected.partial_cmp(&found) == Some(Ordering::Equal),
        _ => expected == found,
    }
}

fn shown(value: &Value) -> String {
    escape(&shorten(&value.to_string(), SHOWN)).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Equality, differences};

    #[test]
    fn differences_name_their_path_and_both_values() {
        let expected = json!({ "bills": [{ "id": "A", "total": 1 }], "error": "", "start_time": 5 });
        let found =
            json!({ "bills": [{ "id": "B", "total": 1.0 }], "error": "", "start_time": 6, "more": [] });
        assert_eq!(
            differences(&expected, &found, Equality::Exact),
            [
                r#"bills[0].id: "B" instead of "A""#,
                "start_time: 6 instead of 5",
                "more: [] instead of no such field"
            ]
        );
        let except_times = differences(&expected, &found, Equality::ExceptTimes);
        assert!(!except_times.iter().any(|line| line.contains("start_time")), "{except_times:?}");
        let started = |at: u32| json!({ "task_start": at });
        assert_eq!(differences(&started(5), &started(6), Equality::ExceptTimes), [""; 0]);
    }

    #[test]
    fn a_shape_differs_in_missing_fields_and_types_alone() {
        let golden = json!({ "bills": [{ "id": "A" }], "total": 3, "note": null });
        assert_eq!(
            differences(&golden, &json!({ "bills": [], "total": 0, "note": "x" }), Equality::Shape),
            [""; 0]
        );
        assert_eq!(
            differences(&golden, &json!({ "bills": [{}], "total": "3" }), Equality::Shape),
            [
                r#"bills[0].id: no such field instead of "A""#,
                r#"total: "3" instead of 3"#,
                "note: no such field instead of null"
            ]
        );
    }
}
