//! What a model is to the client: something that answers one call, or says why it did not.

use std::time::Duration;

use common::record::{StopReason, Usage};
use thiserror::Error;

use crate::facts::ModelFacts;
use crate::request::Request;

/// A model that can be asked.
pub trait Model: Send + Sync {
    /// The model's name, as the provider knows it.
    fn name(&self) -> &str;

    /// The model's limits, prices and request options.
    fn facts(&self) -> &ModelFacts;

    /// The SHA-256 of the request as it is sent, sample number included, as 64 hexadecimal digits.
    fn fingerprint(&self, request: &Request) -> String;

    /// Makes one call and waits for the whole answer. Calls `arrives` whenever a piece of the
    /// answer arrives.
    fn ask(&self, request: &Request, arrives: &mut dyn FnMut()) -> Result<Reply, CallError>;

    /// Makes all calls, in flight and later, fail soon.
    fn abort(&self) {}
}

/// A complete answer to one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The model that answered, by the provider's name for it.
    pub model: String,
    /// The text, without reasoning.
    pub text: String,
    /// Why the answer ended.
    pub stop: StopReason,
    /// The tokens it took.
    pub usage: Usage,
    /// How long the call took, in seconds.
    pub seconds: f64,
}

/// Why a call returned no answer.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{message}")]
pub struct CallError {
    /// How to react.
    pub fault: Fault,
    /// A stable name in `snake_case`, for programs.
    pub code: &'static str,
    /// What went wrong, in the provider's own words where it gave any.
    pub message: String,
    /// What to do next, for people.
    pub hint: Option<String>,
    /// How long the server asks to wait before the next call.
    pub wait: Option<Duration>,
    /// Whether the server may have started to work on the call, and may charge for it.
    pub charged: bool,
}

/// The kind of failure of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every other call would fail the same way: a wrong key, an unknown model, a spent quota.
    Permanent,
    /// This call would fail the same way again; others may succeed.
    NonRetryable,
    /// The server rejects this request for an unknown reason. Where it has answered others, this one fails
    /// alone; otherwise every call may fail the same way.
    Rejected,
    /// The server is overloaded, or this account exceeds its rate limit.
    Overload,
    /// The server did not answer in time, possibly because it is overloaded.
    Slow,
    /// The server could not be reached.
    Unreachable,
    /// Anything else that may go away.
    Transient,
}

impl CallError {
    /// An error that was not charged, without hint or wait.
    pub fn new(fault: Fault, code: &'static str, message: impl Into<String>) -> Self {
        Self { fault, code, message: message.into(), hint: None, wait: None, charged: false }
    }

    /// The same error with a hint.
    #[must_use]
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
