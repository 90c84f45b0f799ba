//! The providers of models, and the selection of a model by its name.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::batch::BatchService;
use crate::facts::{ModelFacts, Retirement};
use crate::model::{CallError, Fault, Model};
use crate::settings::CallSettings;

mod agent;
mod anthropic;
mod batch;
mod body;
mod format;
mod gemini;
mod http;
mod key;
mod models;
mod openai;
mod refusal;
mod replay;
mod retry_after;
mod sse;
mod transport;

pub use models::{ModelTable, TableError};

use agent::invalid_proxy;
use anthropic::Anthropic;
use format::Format;
use gemini::Gemini;
use http::HttpModel;
use key::Key;
use models::Provider;
use openai::OpenAi;
use replay::Replay;

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The name selects no provider.
    #[error("unknown model {0:?}")]
    Unknown(String),
    /// The answers to replay cannot be read.
    #[error("cannot read the answers to replay")]
    Replay(#[source] io::Error),
    /// A cost limit was set, and the price is unknown.
    #[error("the price of {0} is unknown")]
    NoPrice(String),
    /// Batches were asked for.
    #[error("{0} has no batches")]
    NoBatches(String),
}

impl ModelError {
    /// What to do next, for people.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unknown(_) => {
                Some("use claude-…, gemini-…, openai:NAME for any compatible server, or replay:FILE")
            }
            Self::Replay(_) => None,
            Self::NoBatches(_) => Some("omit --batch"),
            Self::NoPrice(_) => Some("add it with --prices FILE, or omit --max-cost and --estimate"),
        }
    }
}

/// The model of this name. `env` reads environment variables: keys and base URLs.
///
/// A missing key, an invalid proxy and a retired model are errors of the first call only: none matters where every
/// answer is in the journal.
pub fn from_name(
    name: &str,
    table: &ModelTable,
    settings: &CallSettings,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Arc<dyn Model>, ModelError> {
    if let Some(file) = name.strip_prefix("replay:") {
        let replay = Replay::open(file.as_ref()).map_err(ModelError::Replay)?;
        return Ok(Arc::new(replay));
    }
    Ok(Arc::new(http_model(name, table, settings, env)?))
}

/// The batches of the model of this name, as [`from_name`] finds it.
pub fn batches_of(
    name: &str,
    table: &ModelTable,
    settings: &CallSettings,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Arc<dyn BatchService>, ModelError> {
    if name.starts_with("replay:") {
        return Err(ModelError::NoBatches(name.to_owned()));
    }
    Ok(Arc::new(http_model(name, table, settings, env)?))
}

fn http_model(
    name: &str,
    table: &ModelTable,
    settings: &CallSettings,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<HttpModel, ModelError> {
    let (provider, model) = select(name).ok_or_else(|| ModelError::Unknown(name.to_owned()))?;
    let today = today();
    let facts = table.facts(provider, model, today);
    if settings.max_cost.is_some() && facts.price.is_none() {
        return Err(ModelError::NoPrice(model.to_owned()));
    }
    let access = provider.access();
    let base = non_blank(env(access.base));
    // Other servers may serve a model for longer than its provider.
    let retired = facts.retired.as_ref().filter(|retired| base.is_none() && retired.on <= today);
    let key = if let Some(retired) = retired {
        Err(model_retired(model, retired))
    } else if let Some(variable) = invalid_proxy(env) {
        Err(bad_proxy(variable))
    } else if let Some(key) = non_blank(env(access.key)) {
        Ok(Key::new(&key))
    } else if provider == Provider::OpenAi && base.is_some() {
        // Self-hosted servers rarely require a key.
        Ok(Key::NotNeeded)
    } else {
        Err(no_key(model, access.key))
    };
    let base = base.unwrap_or_else(|| access.default_base.to_owned());
    Ok(HttpModel::new(provider.format(), model, base.trim(), key, facts, settings))
}

/// What is known of the model of this name, without a key.
pub fn facts(name: &str, table: &ModelTable) -> Result<ModelFacts, ModelError> {
    if name.starts_with("replay:") {
        return Ok(ModelFacts::default());
    }
    let (provider, model) = select(name).ok_or_else(|| ModelError::Unknown(name.to_owned()))?;
    Ok(table.facts(provider, model, today()))
}

/// The provider of a model, and the provider's name for it, which becomes part of a URL.
fn select(name: &str) -> Option<(Provider, &str)> {
    let found = match name.split_once(':') {
        Some(("anthropic", model)) => (Provider::Anthropic, model),
        Some(("gemini", model)) => (Provider::Gemini, model),
        Some(("openai", model)) => (Provider::OpenAi, model),
        _ if name.starts_with("claude-") => (Provider::Anthropic, name),
        _ if name.starts_with("gemini-") => (Provider::Gemini, name),
        _ => return None,
    };
    (!found.1.is_empty() && found.1.bytes().all(is_name_byte)).then_some(found)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte)
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

fn model_retired(model: &str, retired: &Retirement) -> CallError {
    let message = format!("{model} was shut down on {}", retired.on);
    CallError::new(Fault::Permanent, "model_retired", message)
        .with_hint(format!("use --model {}", retired.successor))
}

fn no_key(model: &str, variable: &str) -> CallError {
    CallError::new(Fault::Permanent, "no_key", format!("no key for {model}"))
        .with_hint(format!("set {variable}"))
}

fn bad_proxy(variable: &str) -> CallError {
    CallError::new(Fault::Permanent, "bad_proxy", format!("{variable} is not a valid proxy URL"))
        .with_hint("set it to http://HOST:PORT or socks5://HOST:PORT")
}

fn non_blank(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}

/// The environment variables of a provider, and its default base URL.
struct Access {
    key: &'static str,
    base: &'static str,
    default_base: &'static str,
}

impl Provider {
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
            Self::Anthropic => Box::new(Anthropic),
            Self::Gemini => Box::new(Gemini),
            Self::OpenAi => Box::new(OpenAi),
        }
    }
}
