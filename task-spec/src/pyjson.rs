//! JSON as Python's `json` reads it.
//!
//! gym-anything reads specs with Python. What it accepts beyond the JSON standard (`NaN`, `Infinity`, numbers
//! that overflow, whole numbers of any size, lone surrogates, duplicate keys of which the last one wins) is
//! accepted here; what it rejects (a byte order mark, raw control characters in strings, more than 4,300
//! digits, lists nested too deeply for its stack) is rejected here.

use std::borrow::Cow;

use indexmap::IndexMap;
use memchr::memchr2;

use crate::value::{Map, Value};

/// Levels of lists and objects that Python's decoder accepts before it runs into its recursion limit of
/// 1,000 frames, measured with gym-anything's command line on Python 3.11.
const MAX_LEVELS: usize = 988;

/// Digits of a whole number that Python converts (since 3.11, and in security releases before).
const MAX_DIGITS: usize = 4_300;

/// Why a text is not valid JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in a few words.
    pub message: &'static str,
}

/// Parses a text that holds one value.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    Parser { text, position: 0, levels: 0, wanted: None, skips: false }.parse()
}

/// Parses a text that holds one value, and keeps of its dictionaries what is under these keys. The rest is read as
/// well, but not kept: where little is wanted of much, that takes half the time.
pub fn parse_keys(text: &str, wanted: &[&str]) -> Result<Value, JsonError> {
    Parser { text, position: 0, levels: 0, wanted: Some(wanted), skips: false }.parse()
}

type Parsed<T> = Result<T, &'static str>;

struct Parser<'a> {
    text: &'a str,
    position: usize,
    levels: usize,
    /// Keys whose values are kept, where not all are.
    wanted: Option<&'a [&'a str]>,
    /// Whether what is being read is not kept.
    skips: bool,
}

impl<'a> Parser<'a> {
    fn parse(mut self) -> Result<Value, JsonError> {
        self.document().map_err(|message| {
            let before = self.text.get(..self.position).unwrap_or(self.text);
            let line = before.split('\n').count();
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            JsonError { line, column, message }
        })
    }

    fn document(&mut self) -> Parsed<Value> {
        if self.text.starts_with('\u{feff}') {
            return Err("the text starts with a byte order mark (U+FEFF)");
        }
        self.space();
        let value = self.value()?;
        self.space();
        if self.position < self.text.len() { Err("text after the end of the value") } else { Ok(value) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    fn space(&mut self) {
        let rest = self.text.as_bytes().get(self.position..).unwrap_or_default();
        self.position += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn value(&mut self) -> Parsed<Value> {
        match self.peek() {
            Some(b'"') => {
                let text = self.string()?;
                Ok(Value::String(if self.skips { String::new() } else { text.into_owned() }))
            }
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<Value>) -> Parsed<Value> {
        self.levels += 1;
        if self.levels > MAX_LEVELS {
            return Err("nested too deeply");
        }
        self.position += 1;
        // The stack of a thread that waits for a model does not hold so many levels.
        let value = stacker::maybe_grow(64 << 10, 1 << 20, || parse(self))?;
        self.levels -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Parsed<Value> {
        let mut entries = IndexMap::new();
        self.space();
        if self.eat(b'}') {
            return Ok(Value::Map(Map::default()));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err("expected a name in double quotes");
            }
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err("expected ':' after a name");
            }
            self.space();
            let is_kept = !self.skips && self.wanted.is_none_or(|wanted| wanted.contains(&&*key));
            let skipped = std::mem::replace(&mut self.skips, !is_kept);
            let value = self.value()?;
            self.skips = skipped;
            if is_kept {
                entries.insert(key.into_owned(), value);
            }
            self.space();
            if self.eat(b'}') {
                return Ok(Value::Map(Map { entries, odd: Vec::new() }));
            }
            if !self.eat(b',') {
                return Err("expected ',' or '}'");
            }
            self.space();
        }
    }

    fn list(&mut self) -> Parsed<Value> {
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            let item = self.value()?;
            if !self.skips {
                items.push(item);
            }
            self.space();
            if self.eat(b']') {
                return Ok(Value::List(items));
            }
            if !self.eat(b',') {
                return Err("expected ',' or ']'");
            }
            self.space();
        }
    }

    fn word(&mut self) -> Parsed<Value> {
        const WORDS: [(&str, Value); 6] = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        for (word, value) in WORDS {
            if self.rest().starts_with(word) {
                self.position += word.len();
                return Ok(value);
            }
        }
        Err("expected a value")
    }

    fn number(&mut self) -> Parsed<Value> {
        let start = self.position;
        self.eat(b'-');
        if !self.eat(b'0') && self.digits() == 0 {
            self.position = start;
            return self.word();
        }
        let whole = self.position;
        if self.eat(b'.') && self.digits() == 0 {
            return Err("expected digits after '.'");
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            if self.digits() == 0 {
                return Err("expected digits in the exponent");
            }
        }
        let text = self.text.get(start..self.position).unwrap_or_default();
        if self.position > whole {
            return text.parse().map(Value::Float).map_err(|_| "expected a number");
        }
        if let Ok(number) = text.parse() {
            return Ok(Value::Int(number));
        }
        if text.trim_start_matches('-').len() > MAX_DIGITS {
            return Err("a number has more than 4300 digits");
        }
        Ok(Value::BigInt(text.into()))
    }

    /// Skips digits and counts them.
    fn digits(&mut self) -> usize {
        let start = self.position;
        while let Some(b'0'..=b'9') = self.peek() {
            self.position += 1;
        }
        self.position - start
    }

    fn string(&mut self) -> Parsed<Cow<'a, str>> {
        self.position += 1;
        let mut text = Cow::Borrowed(self.plain()?);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(text);
                }
                Some(_) => text.to_mut().push(self.escape()?),
                None => return Err("a string that does not end"),
            }
            text += self.plain()?;
        }
    }

    /// Reads what comes before the next quote or backslash.
    fn plain(&mut self) -> Parsed<&'a str> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let plain = memchr2(b'"', b'\\', rest.as_bytes()).and_then(|end| rest.get(..end)).unwrap_or(rest);
        // The least of many bytes is found faster than the first that is too small.
        if plain.bytes().min().is_some_and(|least| least < b' ') {
            self.position += plain.bytes().take_while(|&byte| byte >= b' ').count();
            return Err("a control character in a string");
        }
        self.position += plain.len();
        Ok(plain)
    }

    fn escape(&mut self) -> Parsed<char> {
        self.position += 1;
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err("an escape that JSON does not have"),
        };
        self.position += 1;
        Ok(character)
    }

    fn unicode(&mut self) -> Parsed<char> {
        let high = self.code_unit()?;
        if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
            let after_high = self.position;
            self.position += 1;
            let low = self.code_unit()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.position = after_high;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Reads `uXXXX`.
    fn code_unit(&mut self) -> Parsed<u32> {
        let digits = self.text.get(self.position + 1..self.position + 5);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.position += 5;
        code.ok_or("expected four hexadecimal digits after \\u")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        let found = match parse(text) {
            Ok(value) => format!("{value:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect, "{text:.60}");
    }

    /// Each was run through `json.loads` of Python 3.11.
    #[test]
    fn reads_what_python_reads() {
        check(" null\n", "Null");
        check("NaN", "Float(NaN)");
        check("-Infinity", "Float(-inf)");
        check("1e400", "Float(inf)");
        check("-0", "Int(0)");
        check("18446744073709551616", "BigInt(\"18446744073709551616\")");
        check("0.1", "Float(0.1)");
        check("\"\\ud83d\\ude00\\ud83d\\u0041\\udc00\"", "String(\"😀\u{fffd}A\u{fffd}\")");
        check("[1, true]", "List([Int(1), Bool(true)])");
        assert_eq!(parse(r#"{"a": 1, "b": 2, "a": 3}"#).unwrap().get("a"), Some(&Value::Int(3)));
    }

    #[test]
    fn rejects_what_python_rejects() {
        check("", "line 1, column 1: expected a value");
        check("\u{feff}{}", "line 1, column 1: the text starts with a byte order mark (U+FEFF)");
        check("{\n  'a': 1}", "line 2, column 3: expected a name in double quotes");
        check("[1,]", "line 1, column 4: expected a value");
        check("[01]", "line 1, column 3: expected ',' or ']'");
        check("[1.]", "line 1, column 4: expected digits after '.'");
        check("-", "line 1, column 1: expected a value");
        check("-nan", "line 1, column 1: expected a value");
        check("1 2", "line 1, column 3: text after the end of the value");
        check("\"a\nb\"", "line 1, column 3: a control character in a string");
        check("\"abc", "line 1, column 5: a string that does not end");
        check("\"\\x\"", "line 1, column 3: an escape that JSON does not have");
        check("\u{a0}1", "line 1, column 1: expected a value");
        check(&"1".repeat(4_301), "line 1, column 4302: a number has more than 4300 digits");
        check(&"[".repeat(100_000), "line 1, column 989: nested too deeply");
        assert!(parse("\"\\u12").is_err());
        assert!(parse("\"\\ué€1\"").is_err());
    }

    #[test]
    fn keeps_what_is_wanted() {
        let check = |text: &str, expect: &str| {
            let found = parse_keys(text, &["list", "id"]);
            assert_eq!(found, parse(expect), "{text}");
        };
        check(
            r#"{"list": [{"id": "a", "b": [1, {"id": 2}]}, 3], "c": {"id": 4}}"#,
            r#"{"list": [{"id": "a"}, 3]}"#,
        );
        check(r#"{"l\u0069st": {"id": 1, "id": "\u00e9"}, "b": "\u00e9"}"#, r#"{"list": {"id": "é"}}"#);
        check("[\"a\", {\"b\": 1}]", "[\"a\", {}]");
        check("{\"b\": [1, \"c]}", "{\"b\": [1, \"c]}");
        check("{\"b\": \"a\tb\"}", "{\"b\": \"a\tb\"}");
    }

    proptest! {
        #[test]
        fn leaving_out_changes_no_error(text in r#"[\[\]{}":,0-9a-z.\\ -]{0,40}"#) {
            prop_assert_eq!(parse_keys(&text, &[]).err(), parse(&text).err());
        }

        #[test]
        fn agrees_with_serde_where_both_accept(text in r#"[\[\]{}":,0-9a-z.\\ -]{0,40}"#) {
            let serde = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert!(!serde || parse(&text).is_ok());
        }

        #[test]
        fn survives_anything(text in any::<String>()) {
            drop(parse(&text));
        }
    }
}
