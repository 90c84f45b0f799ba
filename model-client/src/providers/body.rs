//! The body of a request, of which the shared beginning is kept once for all calls.

use std::io::Read;

use serde_json::{Map, Value};

use crate::{Request, Shared};
use common::fingerprint;

/// Stands for the shared beginning in the template of a body. No text of a template has a NUL in it, and
/// JSON spells that out.
pub(super) const SHARED: &str = "\0shared\0";
/// Stands for a request's own text.
pub(super) const OWN: &str = "\0own\0";

const SHARED_IN_JSON: &str = r"\u0000shared\u0000";
const OWN_IN_JSON: &str = r"\u0000own\u0000";

/// A JSON text in five pieces: `head`, the shared beginning, `middle`, the request's own text, `tail`.
pub(crate) struct Body {
    head: String,
    shared: Shared,
    middle: String,
    own: String,
    tail: String,
}

impl Body {
    /// The body made of a template and the texts of a request.
    pub(crate) fn new(template: Map<String, Value>, request: &Request) -> Self {
        let template = Value::Object(template).to_string();
        let (head, rest) = template.split_once(SHARED_IN_JSON).unwrap_or(("", &template));
        let (middle, tail) = rest.split_once(OWN_IN_JSON).unwrap_or((rest, ""));
        Self {
            head: head.to_owned(),
            shared: request.shared.clone(),
            middle: middle.to_owned(),
            own: json_text(&request.own),
            tail: tail.to_owned(),
        }
    }

    fn pieces(&self) -> [&str; 5] {
        [&self.head, self.shared.json(), &self.middle, &self.own, &self.tail]
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.pieces().iter().map(|piece| piece.len()).sum()
    }

    /// Reads it from the beginning.
    pub(crate) fn reader(&self) -> impl Read {
        let [head, shared, middle, own, tail] = self.pieces().map(str::as_bytes);
        head.chain(shared).chain(middle).chain(own).chain(tail)
    }

    /// The SHA-256 of what is asked of whom, as 64 hexadecimal digits.
    pub(crate) fn fingerprint(&self, asked: &str, sample: u32) -> String {
        let body = self.pieces().concat();
        fingerprint::sha256_hex(format!("{asked}\n{body}\n{sample}").as_bytes())
    }
}

/// `text` as it stands between the quotes of a JSON string.
pub(crate) fn json_text(text: &str) -> String {
    let mut quoted = Value::from(text).to_string();
    quoted.pop();
    quoted.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &Body) -> String {
        std::io::read_to_string(body.reader()).unwrap()
    }

    #[test]
    fn texts_go_where_the_template_has_its_holes() {
        let request = Request {
            label: "x".to_owned(),
            shared: "say \"hi\"\n\u{1}".into(),
            own: "é\0\\".to_owned(),
            max_output_tokens: None,
            sample: 0,
        };
        let template = serde_json::json!({"a": [{"t": SHARED}, {"t": OWN}], "both": 1});
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
            shared: "a".into(),
            own: "b".to_owned(),
            max_output_tokens: None,
            sample: 0,
        };
        let template = || Map::from_iter([("t".to_owned(), Value::from(format!("{SHARED}{OWN}")))]);
        let body = Body::new(template(), &request);
        assert_eq!(text(&body), r#"{"t":"ab"}"#);
        assert_ne!(body.fingerprint("m", 0), body.fingerprint("m", 1));
        assert_ne!(body.fingerprint("m", 0), body.fingerprint("n", 0));
    }
}
