//! The wire formats: how each vendor wants to be asked, and how it answers.

use serde_json::{Map, Value};

use super::table::Facts;
use super::{CallError, Fault, Reply, Request, retry_after};
use common::record::StopReason;
use common::record::Usage;
use common::text;

mod anthropic;
mod body;
mod gemini;
mod openai;
pub(super) mod sse;

pub(super) use anthropic::Anthropic;
pub(super) use body::{Body, json_text};
pub(super) use gemini::Gemini;
pub(super) use openai::OpenAi;

/// How one vendor is asked, and how it answers. Written down in its API reference; see each format.
pub(super) trait Format: Send + Sync {
    /// What the vendor is called, for people.
    fn vendor(&self) -> &'static str;

    /// The address that is asked about `model`, below `base`.
    fn url(&self, base: &str, model: &str) -> String;

    /// The header that carries the key.
    fn key_header(&self, key: &str) -> (&'static str, String);

    /// Headers that every request has.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The body, with [`body::SHARED`] and [`body::OWN`] where the texts go.
    fn body(&self, model: &str, request: &Request, facts: &Facts) -> Map<String, Value>;

    /// Takes in one event of the answer, or an answer that was not streamed.
    fn take_in(&self, event: &Value, draft: &mut Draft) -> Result<(), CallError>;
}

/// An answer as far as it has come.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) model: String,
    pub(super) text: String,
    /// Why it ended, once it has: an answer without is cut off.
    pub(super) stop: Option<StopReason>,
    pub(super) usage: Usage,
}

impl Draft {
    /// The answer, if it has come to its end.
    pub(super) fn finish(self, model: &str) -> Option<Reply> {
        Some(Reply {
            model: if self.model.is_empty() { model.to_owned() } else { self.model },
            text: self.text,
            stop: self.stop?,
            usage: self.usage,
            seconds: 0.0,
        })
    }
}

/// A response that is no answer.
pub(super) struct Refusal<'a> {
    pub(super) vendor: &'static str,
    pub(super) status: u16,
    /// Reads a header.
    pub(super) header: &'a dyn Fn(&str) -> Option<String>,
    pub(super) body: &'a str,
}

/// The longest part of a response that is shown to people, in characters.
const MAX_QUOTE: usize = 600;

impl Refusal<'_> {
    /// What the refusal means.
    pub(super) fn judge(&self) -> CallError {
        let json: Value = serde_json::from_str(self.body).unwrap_or_default();
        // Gemini wraps it in a list where a stream was asked for.
        let json = json.get(0).unwrap_or(&json);
        let error = json.get("error").unwrap_or(json);
        let words = words(error).unwrap_or(self.body);
        let (fault, code) = self.fault(error, words);
        CallError {
            fault,
            code,
            message: format!("{} answered {}: {}{}", self.vendor, self.status, quote(words), self.hint()),
            wait: retry_after::wait(self.header, error, words),
            charged: false,
        }
    }

    /// What a person may do about it.
    fn hint(&self) -> &'static str {
        match self.status {
            401 | 403 => "; check the key",
            402 => "; check the account",
            404 => "; check the model's name",
            301..=308 => "; check the base URL",
            _ => "",
        }
    }

    fn fault(&self, error: &Value, words: &str) -> (Fault, &'static str) {
        match (self.header)("x-should-retry").as_deref() {
            Some("true") => return (Fault::Passing, "server_error"),
            Some("false") if self.status >= 500 => return (Fault::Hopeless, "server_error"),
            _ => {}
        }
        match self.status {
            429 if is_spent(error, words) => (Fault::Permanent, "quota_spent"),
            429 => (Fault::Overload, "rate_limited"),
            503 | 529 => (Fault::Overload, "overloaded"),
            408 | 409 | 425 | 500.. => (Fault::Passing, "server_error"),
            // It was seen to come without a reason, and to go away.
            400 if words.contains("could not parse the JSON body") => (Fault::Passing, "server_error"),
            413 => (Fault::Hopeless, "request_too_large"),
            _ => (Fault::Permanent, "refused"),
        }
    }
}

/// The vendor's own words: `message`, or `error` itself where that is a text.
fn words(error: &Value) -> Option<&str> {
    error.get("message").unwrap_or(error).as_str()
}

/// A quote for people: on one line, and short.
pub(super) fn quote(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "nothing".to_owned() } else { text::shorten(&line, MAX_QUOTE).into_owned() }
}

/// Whether waiting does not help: the money is spent, or the quota of the day, or there is none.
fn is_spent(error: &Value, words: &str) -> bool {
    let code = error.get("code").or_else(|| error.get("type")).and_then(Value::as_str).unwrap_or_default();
    let words = words.to_ascii_lowercase();
    matches!(code, "insufficient_quota" | "billing_error" | "billing_hard_limit_reached")
        || ["spend limit", "spending limit", "spending cap", "credit balance", "usage limits", "limit: 0,"]
            .iter()
            .any(|sign| words.contains(sign))
        || words.ends_with("limit: 0")
        || violations(error).any(|violation| {
            let text = |name| violation.get(name).and_then(Value::as_str).unwrap_or_default();
            text("quotaId").contains("PerDay") || text("quotaValue") == "0"
        })
}

/// The quotas that Google says were violated.
fn violations(error: &Value) -> impl Iterator<Item = &Value> {
    error
        .get("details")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|detail| detail.get("violations")?.as_array())
        .flatten()
}

/// An error that came within a stream: what a response with this status would have meant, but for what the
/// vendor has charged by then.
fn error_in_stream(vendor: &'static str, status: u16, error: &Value) -> CallError {
    let body = Value::from_iter([("error", error.clone())]).to_string();
    let refusal = Refusal { vendor, status, header: &|_| None, body: &body };
    CallError { charged: true, ..refusal.judge() }
}

/// `base` with `path` below it, and `version` between them unless `base` names one.
fn join(base: &str, version: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    if base.ends_with(version) { format!("{base}{path}") } else { format!("{base}{version}{path}") }
}

/// The count at `pointer`; nothing counts as zero.
fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The text at `pointer`.
fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Puts `extra` into `body`, object by object.
fn merge(body: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (name, value) in extra {
        match (body.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(extra)) => merge(inner, extra),
            _ => {
                body.insert(name.clone(), value.clone());
            }
        }
    }
}
