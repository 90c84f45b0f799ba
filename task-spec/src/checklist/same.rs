//! Whether two values mean the same, and whether a text holds a value.

use std::sync::LazyLock;

use common::text::{one_line, shorten};
use regex::Regex;

use crate::pattern::compile;
use crate::value::Value;

/// Texts that are this short, in characters, are found in any file by chance.
const MIN_TELLING: usize = 3;

/// The longest text that is compared as a name, in characters.
const MAX_NAME: usize = 60;

/// The longest value that a message quotes, in characters.
const MAX_QUOTED: usize = 60;

/// The share by which numbers with a fraction differ at least, where one is not a rounding of the other.
const CLEAR_DIFFERENCE: f64 = 0.05;

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| compile(r"[-+]?[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"));

static DATE: LazyLock<Regex> = LazyLock::new(|| compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"));

/// The number that a value is: a number, or a text that is nothing else. `1,470` is 1470.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text_number(text.trim()),
        _ => value.as_f64(),
    }
}

fn text_number(text: &str) -> Option<f64> {
    let found = NUMBER.find(text)?;
    (found.len() == text.len()).then(|| text.replace(',', "").parse().ok()).flatten()
}

/// Whether two values mean the same. Notation does not matter: letter case, spaces, `7.250` and `7.25`.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            one.entries.len() == other.entries.len()
                && one
                    .entries
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        _ => match (number(one), number(other)) {
            (Some(one), Some(other)) => same_number(one, other),
            _ => {
                one == other
                    || matches!((one, other), (Value::String(a), Value::String(b)) if plain(a) == plain(b))
            }
        },
    }
}

fn same_number(one: f64, other: f64) -> bool {
    let gap = (one - other).abs();
    // The share of a gap is compared only where both are finite.
    one.total_cmp(&other).is_eq() || (gap.is_finite() && gap <= 1e-9 * one.abs().max(other.abs()))
}

/// Whether two values of the same kind cannot both be right. Texts are compared only if `texts` is set; prose, and
/// texts of which one contains the other, do not differ.
pub(super) fn differ(one: &Value, other: &Value, texts: bool) -> bool {
    if same(one, other) {
        return false;
    }
    match (one, other) {
        (Value::Bool(_), Value::Bool(_)) => true,
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => texts,
        _ => match (number(one), number(other)) {
            (Some(_), Some(_)) => true,
            (None, None) => match (one.as_str(), other.as_str()) {
                (Some(one), Some(other)) if is_date(one) && is_date(other) => true,
                (Some(one), Some(other)) if texts => {
                    is_name(one) && is_name(other) && !contain_each_other(one, other)
                }
                _ => false,
            },
            _ => false,
        },
    }
}

/// Whether two values that were found in different ways differ by more than rounding. Truth values are not compared:
/// most are answers to different questions.
pub(super) fn clearly_differ(one: &Value, other: &Value) -> bool {
    let (Some(a), Some(b)) = (number(one), number(other)) else {
        return !matches!(one, Value::Bool(_)) && differ(one, other, false);
    };
    let is_whole = a.fract() == 0.0 && b.fract() == 0.0;
    let share = (a - b).abs() / a.abs().max(b.abs());
    !same_number(a, b) && (is_whole || share > CLEAR_DIFFERENCE)
}

/// Whether a text is a name, a path or a code rather than prose, of which there are many versions.
fn is_name(text: &str) -> bool {
    text.chars().count() <= MAX_NAME
}

fn is_date(text: &str) -> bool {
    DATE.is_match(text)
}

fn contain_each_other(one: &str, other: &str) -> bool {
    let (one, other) = (plain(one), plain(other));
    one.contains(&other) || other.contains(&one)
}

/// A text without what is only notation: escaped backslashes, letter case, and runs of spaces.
fn plain(text: &str) -> String {
    let unescaped = text.replace(r"\\", r"\").to_lowercase();
    one_line(&unescaped)
}

/// Whether a text holds a value: a number as a number of its own, a text as it is, all items of a list.
pub(super) fn holds(text: &str, value: &Value) -> bool {
    match value {
        Value::List(items) => !items.is_empty() && items.iter().all(|item| holds(text, item)),
        Value::Map(map) => !map.entries.is_empty() && map.entries.values().all(|value| holds(text, value)),
        Value::String(_) | Value::Int(_) | Value::Float(_) => match number(value) {
            Some(number) => {
                numbers(text).any(|other| same_number(number, other) || same_number(-number, other))
            }
            None => value.as_str().is_some_and(|words| holds_words(text, words)),
        },
        _ => false,
    }
}

/// Whether a text as long as a file holds a value that is not there by chance.
pub(super) fn holds_telling(text: &str, value: &Value) -> bool {
    let is_telling = match value {
        Value::String(_) | Value::Int(_) | Value::Float(_) => {
            value.to_text().trim().chars().count() >= MIN_TELLING
        }
        Value::List(items) => items.len() > 1,
        Value::Map(map) => map.entries.len() > 1,
        _ => false,
    };
    is_telling && holds(text, value)
}

fn holds_words(text: &str, words: &str) -> bool {
    !words.trim().is_empty() && (text.contains(words) || plain(text).contains(&plain(words)))
}

/// The numbers in a text that are not part of a word.
fn numbers(text: &str) -> impl Iterator<Item = f64> {
    let stands_alone = |start: usize, end: usize| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(end..).and_then(|text| text.chars().next());
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.')
            && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    NUMBER.find_iter(text).filter_map(move |found| {
        if !stands_alone(found.start(), found.end()) {
            return None;
        }
        text_number(found.as_str().trim_end_matches(','))
    })
}

/// The number of values that a search for this one looks for.
pub(super) fn scalars(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(scalars).sum(),
        Value::Map(map) => map.entries.values().map(scalars).sum(),
        _ => 1,
    }
}

/// A value in a message.
pub(super) fn quoted(value: &Value) -> String {
    shorten(&value.to_json().to_string(), MAX_QUOTED).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pyjson::parse;

    #[test]
    fn notation_makes_no_difference() {
        let check = |one: &str, other: &str, expect: (bool, bool, bool)| {
            let (a, b) = (parse(one).unwrap(), parse(other).unwrap());
            assert_eq!((same(&a, &b), differ(&a, &b, true), clearly_differ(&a, &b)), expect, "{one} {other}");
        };
        check("7.25", "\"7.2500\"", (true, false, false));
        check("\"1,470\"", "1470", (true, false, false));
        check("12", "13", (false, true, true));
        check("0.057", "0.0571", (false, true, false));
        check("0.057", "0.068", (false, true, true));
        check("true", "false", (false, true, false));
        check("\"2010-12-18\"", "\"2010-12-04\"", (false, true, true));
        check(r#""C:\\a""#, r#""C:\\\\A""#, (true, false, false));
        check("\"typo\"", "\"a CSS typo\"", (false, false, false));
        check("\"Brandie\"", "\"Erin\"", (false, true, false));
        check("12", "\"12 rows\"", (false, false, false));
        check("[1, \"a\"]", "[1.0, \"A\"]", (true, false, false));
        check("Infinity", "1e999", (true, false, false));
        check("Infinity", "-Infinity", (false, true, false));
    }

    #[test]
    fn a_number_is_found_as_a_whole() {
        let check = |text: &str, value: &str, expect: bool| {
            assert_eq!(holds(text, &parse(value).unwrap()), expect, "{text} {value}");
        };
        check("ROWS=12;", "12", true);
        check("total 1,470.00", "1470", true);
        check("v1.12", "12", false);
        check("x12 120", "12", false);
        check("12, 13", "[12, 13]", true);
        check("12, 13", "[12, 14]", false);
        check("it is  Here", "\"is here\"", true);
        check("anything", "\"\"", false);
        check("anything", "[]", false);
    }
}
