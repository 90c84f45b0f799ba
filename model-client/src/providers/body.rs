//! The body of a request. Its prefix is kept once for all calls.

use std::io::{self, Read};

use serde_json::{Map, Value};

use common::fingerprint;

use crate::request::{Prefix, Request, json_escape};

/// Stands for the prefix in the template of a body. Other texts of a template contain no NUL, which JSON
/// escapes.
pub(super) const PREFIX: &str = "\0prefix\0";
/// Stands for the suffix.
pub(super) const SUFFIX: &str = "\0suffix\0";

const PREFIX_IN_JSON: &str = r"\u0000prefix\u0000";
const SUFFIX_IN_JSON: &str = r"\u0000suffix\u0000";

/// A JSON text in five pieces: `head`, the prefix, `middle`, the suffix, `tail`.
pub(super) struct Body {
    head: String,
    prefix: Prefix,
    middle: String,
    suffix: String,
    tail: String,
}

impl Body {
    /// The body from a template and the texts of a request.
    pub(super) fn new(template: Map<String, Value>, request: &Request) -> Self {
        let template = Value::Object(template).to_string();
        let (head, rest) = template.split_once(PREFIX_IN_JSON).unwrap_or(("", &template));
        let (middle, tail) = rest.split_once(SUFFIX_IN_JSON).unwrap_or((rest, ""));
        Self {
            head: head.to_owned(),
            prefix: request.prefix.clone(),
            middle: middle.to_owned(),
            suffix: json_escape(&request.suffix),
            tail: tail.to_owned(),
        }
    }

    fn pieces(&self) -> [&str; 5] {
        [&self.head, self.prefix.json(), &self.middle, &self.suffix, &self.tail]
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.pieces().iter().map(|piece| piece.len()).sum()
    }

    /// Reads it from its start.
    pub(super) fn reader(&self) -> BodyReader<'_> {
        BodyReader { pieces: self.pieces().map(str::as_bytes) }
    }

    /// The SHA-256 of the body, its sample number and its `recipient`, as 64 hexadecimal digits.
    pub(super) fn fingerprint(&self, recipient: &str, sample: u32) -> String {
        let body = self.pieces().concat();
        fingerprint::sha256_hex(format!("{recipient}\n{body}\n{sample}").as_bytes())
    }
}

/// Reads a body, and knows whether all of it was read.
pub(super) struct BodyReader<'a> {
    pieces: [&'a [u8]; 5],
}

impl BodyReader<'_> {
    /// Whether all of the body was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.pieces.iter().all(|piece| piece.is_empty())
    }
}

impl Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.pieces.iter_mut().find(|piece| !piece.is_empty()) {
            Some(piece) => piece.read(buffer),
            None => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &Body) -> String {
        std::io::read_to_string(body.reader()).unwrap()
    }

    #[test]
    fn texts_replace_their_placeholders() {
        let request = Request {
            label: "x".to_owned(),
            prefix: "say \"hi\"\n\u{1}".into(),
            suffix: "é\0\\".to_owned(),
            max_output_tokens: None,
            sample: 0,
        };
        let template = serde_json::json!({"a": [{"t": PREFIX}, {"t": SUFFIX}], "both": 1});
        let Value::Object(template) = template else { unreachable!() };
        let body = Body::new(template, &request);
        let parsed: Value = serde_json::from_str(&text(&body)).unwrap();
        assert_eq!(parsed, serde_json::json!({"a": [{"t": "say \"hi\"\n\u{1}"}, {"t": "é\0\\"}], "both": 1}));
        assert_eq!(body.len(), text(&body).len());
    }

    #[test]
    fn the_sample_makes_another_fingerprint() {
        let request = Request {
            label: "x".to_owned(),
            prefix: "a".into(),
            suffix: "b".to_owned(),
            max_output_tokens: None,
            sample: 0,
        };
        let template = || Map::from_iter([("t".to_owned(), Value::from(format!("{PREFIX}{SUFFIX}")))]);
        let body = Body::new(template(), &request);
        assert_eq!(text(&body), r#"{"t":"ab"}"#);
        assert_ne!(body.fingerprint("m", 0), body.fingerprint("m", 1));
        assert_ne!(body.fingerprint("m", 0), body.fingerprint("n", 0));
    }
}
