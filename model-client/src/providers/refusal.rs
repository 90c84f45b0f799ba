//! A response that is an error instead of an answer.

use common::text;
use serde_json::Value;

use super::retry_after;
use crate::model::{CallError, Fault};

/// Words and codes of errors that concern the content of one request.
const FILTERED: [&str; 9] = [
    "content exists risk",
    "content filter",
    "content management policy",
    "content_filter",
    "content policy",
    "content_policy",
    "inspection",
    "invalid_prompt",
    "moderation",
];
/// Words and codes of errors that concern the length of one request.
const TOO_LONG: [&str; 5] = [
    "context_length_exceeded",
    "maximum context length",
    "prompt is too long",
    "string_above_max_length",
    "token count exceeds",
];
/// Words and codes of errors that waiting does not help against.
const SPENT: [&str; 9] = [
    "billing_error",
    "billing_hard_limit_reached",
    "credit balance",
    "insufficient_quota",
    "limit: 0,",
    "spend limit",
    "spending cap",
    "spending limit",
    "usage limits",
];

/// The longest part of a response that is shown to people, in characters.
const MAX_QUOTE: usize = 600;

/// A response that is an error instead of an answer.
pub(super) struct Refusal<'a> {
    pub(super) provider: &'static str,
    pub(super) status: u16,
    /// Reads a header.
    pub(super) header: &'a dyn Fn(&str) -> Option<String>,
    pub(super) body: &'a str,
}

impl Refusal<'_> {
    /// The error that the response means.
    pub(super) fn classify(&self) -> CallError {
        let json: Value = serde_json::from_str(self.body).unwrap_or_default();
        // Gemini wraps the error in a list where a stream was asked for.
        let json = json.get(0).unwrap_or(&json);
        let error = json.get("error").unwrap_or(json);
        let message = error_message(error).unwrap_or(self.body);
        let (fault, code) = self.fault(error, message);
        CallError {
            fault,
            code,
            message: format!("{} answered {}: {}", self.provider, self.status, quote(message)),
            hint: self.hint().map(str::to_owned),
            wait: retry_after::wait(self.header, error, message),
            charged: false,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self.status {
            401 | 403 => Some("check the key"),
            402 => Some("check the account"),
            404 => Some("check the model's name"),
            301..=308 => Some("check the base URL"),
            _ => None,
        }
    }

    fn fault(&self, error: &Value, message: &str) -> (Fault, &'static str) {
        match (self.header)("x-should-retry").as_deref() {
            Some("true") => return (Fault::Transient, "server_error"),
            Some("false") if self.status >= 500 => return (Fault::NonRetryable, "server_error"),
            _ => {}
        }
        let says = |signs: &[&str]| has_sign(signs, error, message);
        match self.status {
            429 if is_spent(error, message) => (Fault::Permanent, "quota_spent"),
            429 => (Fault::Overload, "rate_limited"),
            503 | 529 => (Fault::Overload, "overloaded"),
            408 | 409 | 425 | 499 | 500.. => (Fault::Transient, "server_error"),
            // Seen to come without a reason, and to go away.
            400 if message.contains("could not parse the JSON body") => (Fault::Transient, "server_error"),
            413 => (Fault::NonRetryable, "request_too_large"),
            400 | 422 if says(&SPENT) || says(&["api key", "api_key"]) => (Fault::Permanent, "refused"),
            400 | 422 if says(&TOO_LONG) => (Fault::NonRetryable, "request_too_large"),
            400 | 422 if says(&FILTERED) => (Fault::NonRetryable, "filtered"),
            400 | 422 => (Fault::Rejected, "refused"),
            _ => (Fault::Permanent, "refused"),
        }
    }
}

/// Text from a server as one short line, for people.
pub(super) fn quote(text: &str) -> String {
    let line = text::one_line(text);
    if line.is_empty() { "nothing".to_owned() } else { text::shorten(&line, MAX_QUOTE).into_owned() }
}

/// The provider's own words: `message`, or `error` itself where that is a text.
fn error_message(error: &Value) -> Option<&str> {
    error.get("message").unwrap_or(error).as_str()
}

/// Whether the message of an error, its type or its code has one of these signs.
fn has_sign(signs: &[&str], error: &Value, message: &str) -> bool {
    let text = |pointer| error.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let all =
        [message, text("/code"), text("/type"), text("/innererror/code")].join("\n").to_ascii_lowercase();
    signs.iter().any(|sign| all.contains(sign))
}

/// Whether waiting does not help: the credit or the daily quota is spent, or the quota is zero.
fn is_spent(error: &Value, message: &str) -> bool {
    has_sign(&SPENT, error, message)
        || message.ends_with("limit: 0")
        || violations(error).any(is_daily_or_zero)
}

/// The quotas that Google reports as violated.
fn violations(error: &Value) -> impl Iterator<Item = &Value> {
    error
        .get("details")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|detail| detail.get("violations")?.as_array())
        .flatten()
}

fn is_daily_or_zero(violation: &Value) -> bool {
    let text = |name| violation.get(name).and_then(Value::as_str).unwrap_or_default();
    text("quotaId").contains("PerDay") || text("quotaValue") == "0"
}
