//! Replaces a value in the text of a JSON object.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// `json` with the text `new` as the value at `path`, and every other byte unchanged. `None` if the value is
/// missing or the text is not valid JSON.
pub(super) fn replace_value(json: &str, path: &[&str], new: &str) -> Option<String> {
    let mut range = 0..json.len();
    for key in path {
        let inside = member(json.get(range.clone())?, key)?;
        range = range.start + inside.start..range.start + inside.end;
    }
    let (before, after) = (json.get(..range.start)?, json.get(range.end..)?);
    Some(format!("{before}{}{after}", serde_json::to_string(new).ok()?))
}

/// The range of the value of `key` in the text of an object. Of a repeated key, the last value counts.
fn member(object: &str, key: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut at = after(object, 0, "{")?;
    while after(object, at, "}").is_none() {
        let (name, end) = value::<String>(object, at)?;
        let start = after(object, end, ":")?;
        let (raw, end) = value::<&RawValue>(object, start)?;
        if name == key {
            found = Some(end - raw.get().len()..end);
        }
        at = match after(object, end, ",") {
            Some(next) => next,
            None if after(object, end, "}").is_some() => end,
            None => return None,
        };
    }
    found
}

/// The offset after `token`, which follows `at` and white space.
fn after(text: &str, at: usize, token: &str) -> Option<usize> {
    let rest = text.get(at..)?.trim_start().strip_prefix(token)?;
    Some(text.len() - rest.len())
}

/// The value that follows `at`, and the offset of its end as the parser reports it.
fn value<'a, T: Deserialize<'a>>(text: &'a str, at: usize) -> Option<(T, usize)> {
    let mut values = serde_json::Deserializer::from_str(text.get(at..)?).into_iter();
    let value = values.next()?.ok()?;
    Some((value, at + values.byte_offset()))
}

#[cfg(test)]
mod tests {
    use super::replace_value;

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let json = "{ \"a\": 1.50,\n \"id\" : \"x\\u0041\", \"hooks\":{\"pre\" : \"p\"} , \"id2\": \"xA\"}\n";
        assert_eq!(
            replace_value(json, &["id"], "y\"").as_deref(),
            Some("{ \"a\": 1.50,\n \"id\" : \"y\\\"\", \"hooks\":{\"pre\" : \"p\"} , \"id2\": \"xA\"}\n")
        );
        assert_eq!(
            replace_value(json, &["hooks", "pre"], "q").as_deref(),
            Some("{ \"a\": 1.50,\n \"id\" : \"x\\u0041\", \"hooks\":{\"pre\" : \"q\"} , \"id2\": \"xA\"}\n")
        );
        assert_eq!(replace_value(json, &["hooks", "post"], "q"), None);
        assert_eq!(replace_value("{\"a\": NaN, \"id\": \"x\"}", &["id"], "q"), None);
    }
}
