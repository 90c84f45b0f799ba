//! Asking a model: one interface to every vendor, and everything that makes asking safe and cheap.
//!
//! A stage makes a [`Client`] once and calls [`Client::ask`] from as many threads as it likes ([`pool`] has
//! the threads). The client looks into the [`journal`] first, waits for its turn, asks,
//! tries again where that helps, and journals the answer before it hands it out.
//!
//! A [`Model`] is what knows how to ask one model once. It is told by [`from_name`]:
//!
//! | name | what it is |
//! |---|---|
//! | `claude-*`, `anthropic:NAME` | Anthropic Messages; `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL` |
//! | `gemini-*`, `gemini:NAME` | Gemini; `GEMINI_API_KEY`, `GEMINI_BASE_URL` |
//! | `openai:NAME` | chat completions of any server that has them; `OPENAI_API_KEY`, `OPENAI_BASE_URL` |
//! | `replay:FILE` | no model at all: answers are read from a journal, by their label |
//!
//! What differs by model stands in a [`Table`], not in code.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use common::record::{StopReason, Usage};

mod client;
mod http;
pub mod journal;
mod limiter;
pub mod pool;
mod pricing;
mod providers;
mod replay;
mod retry_after;
mod settings;
mod table;

pub use client::{AskError, Client, Limit, Totals};
pub use pricing::{Estimate, Pass, Price};
pub use settings::{Settings, Timeouts};
pub use table::{Facts, Table, TableError};

use http::{Http, Key};
use providers::Format;
use table::Vendor;

/// One question to a model.
///
/// The model sees `shared` followed by `own`, as one text. All calls of a pass have `shared` in common, byte
/// for byte, so that a vendor's prompt cache can serve it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Names the call: `plan/1`, `readme/<task>`, `files/<task>`. Asking again for the same thing keeps the
    /// label and raises `sample`.
    pub label: String,
    /// The beginning, which other calls share.
    pub shared: Shared,
    /// The rest, which is this call's own. Not empty.
    pub own: String,
    /// The most tokens that the answer may have, reasoning included; the model's own limit where it is
    /// `None` or more than that.
    pub max_output_tokens: Option<u64>,
    /// Tells apart calls that are otherwise the same.
    pub sample: u32,
}

/// A text that many requests begin with. Cloning it is cheap.
#[derive(Clone)]
pub struct Shared(Arc<SharedText>);

struct SharedText {
    text: String,
    /// The text as it stands between the quotes of a JSON string: the part of a body that all calls share.
    json: String,
    id: u64,
}

impl Shared {
    fn json(&self) -> &str {
        &self.0.json
    }

    /// Tells it apart from other texts.
    fn id(&self) -> u64 {
        self.0.id
    }
}

impl From<String> for Shared {
    fn from(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let json = providers::json_text(&text);
        Self(Arc::new(SharedText { text, json, id: hasher.finish() }))
    }
}

impl From<&str> for Shared {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Deref for Shared {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.text
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} bytes)", self.len())
    }
}

/// What a model answered. A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The label of the request.
    pub label: String,
    /// The SHA-256 of the request as it was sent, sample number included, as 64 hexadecimal digits. A key
    /// is no part of it. Answers that were written by hand, for a replay, may leave it out.
    #[serde(default)]
    pub request: String,
    /// The model that answered, as its vendor calls it.
    #[serde(default)]
    pub model: String,
    /// Its whole text, without its reasoning.
    pub text: String,
    /// Why it ended.
    #[serde(default)]
    pub stop: StopReason,
    /// What it took.
    #[serde(default)]
    pub usage: Usage,
    /// How long it took, in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// The sample number of the request.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sample: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(sample: &u32) -> bool {
    *sample == 0
}

/// A model that can be asked.
pub trait Model: Send + Sync {
    /// The model's name, as the vendor knows it.
    fn name(&self) -> &str;

    /// What is known of it.
    fn facts(&self) -> &Facts;

    /// The SHA-256 of the request as it is sent, sample number included, as 64 hexadecimal digits.
    fn fingerprint(&self, request: &Request) -> String;

    /// Asks once, and waits for the whole answer. `begun` is called when the answer begins to come.
    fn ask(&self, request: &Request, begun: &mut dyn FnMut()) -> Result<Reply, CallError>;

    /// Makes the calls that are out, and all later ones, end with an error soon.
    fn abandon(&self) {}
}

/// A complete answer to one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The model that answered, as its vendor calls it.
    pub model: String,
    /// The text, without reasoning.
    pub text: String,
    /// Why it ended.
    pub stop: StopReason,
    /// What it took.
    pub usage: Usage,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Why a call brought no answer.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{message}")]
pub struct CallError {
    /// What to do about it.
    pub fault: Fault,
    /// A stable name in `snake_case`, for programs.
    pub code: &'static str,
    /// What went wrong, in the vendor's own words where it said something.
    pub message: String,
    /// How long the server asks to wait before the next call.
    pub wait: Option<Duration>,
    /// Whether the server may have begun to work on the call, and charge for it.
    pub charged: bool,
}

/// What kind of trouble a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every other call would fail the same way: a wrong key, an unknown model, a spent quota.
    Permanent,
    /// This call would fail the same way again, others may not.
    Hopeless,
    /// The server has too much to do, or this account asks too much of it.
    Overload,
    /// The server did not answer in time, which may be for having too much to do.
    Slow,
    /// No server was there.
    Unreachable,
    /// Anything that may well go away.
    Passing,
}

impl CallError {
    /// An error with nothing known beside these.
    pub fn new(fault: Fault, code: &'static str, message: impl Into<String>) -> Self {
        Self { fault, code, message: message.into(), wait: None, charged: false }
    }
}

/// Why there is no such model.
#[derive(Debug, Error)]
pub enum NameError {
    /// The name says nothing.
    #[error(
        "no model is called {0:?}: give claude-…, gemini-…, openai:NAME for any compatible server, or replay:FILE"
    )]
    Unknown(String),
    /// The answers to be replayed cannot be read.
    #[error("cannot read the answers to replay")]
    Replay(#[source] std::io::Error),
    /// Money was asked about, and nobody knows what the model costs.
    #[error(
        "no price is known for {0}: give one with --prices FILE, or leave --max-cost and --estimate away"
    )]
    NoPrice(String),
}

/// The model of this name. `env` reads the environment: keys, and the addresses of servers.
///
/// A missing key is an error of the first call alone: where every answer is in the journal, none is needed.
pub fn from_name(
    name: &str,
    table: &Table,
    settings: &Settings,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Arc<dyn Model>, NameError> {
    if let Some(file) = name.strip_prefix("replay:") {
        let replay = replay::Replay::open(file.as_ref()).map_err(NameError::Replay)?;
        return Ok(Arc::new(replay));
    }
    let (vendor, model) = vendor(name).ok_or_else(|| NameError::Unknown(name.to_owned()))?;
    let facts = table.facts(vendor, model);
    if settings.max_cost.is_some() && facts.price.is_none() {
        return Err(NameError::NoPrice(model.to_owned()));
    }
    let Access { key: key_variable, base: base_variable, default_base } = vendor.access();
    let set = |variable: &str| env(variable).filter(|value| !value.trim().is_empty());
    let base = set(base_variable);
    let key = match set(key_variable) {
        Some(key) => Key::new(&key),
        // Servers of one's own mostly want no key.
        None if vendor == Vendor::OpenAi && base.is_some() => Key::NotNeeded,
        None => Key::Missing(key_variable),
    };
    let base = base.unwrap_or_else(|| default_base.to_owned());
    Ok(Arc::new(Http::new(vendor.format(), model, base.trim(), key, facts, settings)))
}

/// What is known of the model of this name, without a key.
pub fn facts(name: &str, table: &Table) -> Result<Facts, NameError> {
    if name.starts_with("replay:") {
        return Ok(Facts::default());
    }
    let (vendor, model) = vendor(name).ok_or_else(|| NameError::Unknown(name.to_owned()))?;
    Ok(table.facts(vendor, model))
}

/// Who has the model, and what it is called there. The name becomes part of an address.
fn vendor(name: &str) -> Option<(Vendor, &str)> {
    let found = match name.split_once(':') {
        Some(("anthropic", model)) => (Vendor::Anthropic, model),
        Some(("gemini", model)) => (Vendor::Gemini, model),
        Some(("openai", model)) => (Vendor::OpenAi, model),
        _ if name.starts_with("claude-") => (Vendor::Anthropic, name),
        _ if name.starts_with("gemini-") => (Vendor::Gemini, name),
        _ => return None,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte);
    (!found.1.is_empty() && found.1.bytes().all(plain)).then_some(found)
}

/// Where a vendor is, and what opens it.
struct Access {
    key: &'static str,
    base: &'static str,
    default_base: &'static str,
}

impl Vendor {
    fn access(self) -> Access {
        match self {
            Self::Anthropic => Access {
                key: "ANTHROPIC_API_KEY",
                base: "ANTHROPIC_BASE_URL",
                default_base: "https://api.anthropic.com",
            },
            Self::Gemini => Access {
                key: "GEMINI_API_KEY",
                base: "GEMINI_BASE_URL",
                default_base: "https://generativelanguage.googleapis.com",
            },
            Self::OpenAi => Access {
                key: "OPENAI_API_KEY",
                base: "OPENAI_BASE_URL",
                default_base: "https://api.openai.com",
            },
        }
    }

    fn format(self) -> Box<dyn Format> {
        match self {
            Self::Anthropic => Box::new(providers::Anthropic),
            Self::Gemini => Box::new(providers::Gemini),
            Self::OpenAi => Box::new(providers::OpenAi),
        }
    }
}
