//! A wire format: how a provider is asked, and how it answers.

use common::record::{StopReason, Usage};
use serde_json::{Map, Value};

use super::batch::Batches;
use super::refusal::Refusal;
use crate::facts::ModelFacts;
use crate::model::{CallError, Reply};
use crate::request::Request;

/// How a provider is asked, and how it answers, by its API reference; see each format.
pub(super) trait Format: Send + Sync {
    /// The provider's name, for people. Part of fingerprints.
    fn provider(&self) -> &'static str;

    /// The URL of calls to `model`, below `base`.
    fn url(&self, base: &str, model: &str) -> String;

    /// The header that carries the key.
    fn key_header(&self, key: &str) -> (&'static str, String);

    /// Headers of every request.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The body, with [`super::body::PREFIX`] and [`super::body::SUFFIX`] in place of the texts.
    fn body(&self, model: &str, request: &Request, facts: &ModelFacts) -> Map<String, Value>;

    /// How it is asked in batches.
    fn batches(&self) -> &dyn Batches;

    /// Adds one event of the answer, or an answer that was not streamed, to `draft`.
    fn take_in(&self, event: &Value, draft: &mut Draft) -> Result<(), CallError>;
}

/// The part of an answer that has arrived.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) model: String,
    pub(super) text: String,
    /// Why the answer ended. An answer without is cut off.
    pub(super) stop: Option<StopReason>,
    pub(super) usage: Usage,
    /// The model has started to refuse. The stop reason follows later.
    pub(super) is_refused: bool,
}

impl Draft {
    /// The answer, if it is complete.
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

/// An error within a stream: what a response with this status would have meant, but charged.
pub(super) fn error_in_stream(provider: &'static str, status: u16, error: &Value) -> CallError {
    let body = Value::from_iter([("error", error.clone())]).to_string();
    let refusal = Refusal { provider, status, header: &|_| None, body: &body };
    CallError { charged: true, ..refusal.classify() }
}

/// `base` followed by `path`, with `version` between them unless `base` ends with a version: `/v1`, `/v1beta`.
pub(super) fn join(base: &str, version: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    let last = base.rsplit('/').next().unwrap_or_default();
    let is_version =
        last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if is_version { format!("{base}{path}") } else { format!("{base}{version}{path}") }
}

/// The count at `pointer`; a missing one is zero.
pub(super) fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The text at `pointer`.
pub(super) fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Puts `extra` into `body`, object by object. `null` removes a field.
pub(super) fn merge(body: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (name, value) in extra {
        match (body.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(extra)) => merge(inner, extra),
            (_, Value::Null) => {
                body.remove(name);
            }
            _ => {
                body.insert(name.clone(), value.clone());
            }
        }
    }
}
