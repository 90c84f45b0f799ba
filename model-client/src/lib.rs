//! Asks models: one interface to every provider, with a journal of paid answers, rate and cost limits, and
//! retries.
//!
//! A stage opens a model with [`from_name`], makes a [`Client`] of it once, and calls [`Client::ask`] from any
//! number of threads. The client looks into the [`Journal`] first, waits for a permit of the limiter, makes
//! the call, retries where that helps, and journals the answer before it returns it.
//!
//! `--model` selects the provider; keys and base URLs come from environment variables:
//!
//! | name | model |
//! |---|---|
//! | `claude-*`, `anthropic:NAME` | Anthropic Messages; `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL` |
//! | `gemini-*`, `gemini:NAME` | Gemini; `GEMINI_API_KEY`, `GEMINI_BASE_URL` |
//! | `openai:NAME` | chat completions of any compatible server; `OPENAI_API_KEY`, `OPENAI_BASE_URL` |
//! | `replay:FILE` | no network: answers are read from a journal, by their label |
//!
//! What differs by model is data, in a [`ModelTable`].
//!
//! Modules depend on those above them in this list, never the other way round: request, answer, settings,
//! pricing, history, error, budget, facts, estimate, model, activity, journal, limiter, batch, turns, client; providers
//! use request, facts, model, settings, journal and the interface of batch.

mod activity;
mod batch;
mod budget;
mod client;
mod error;
mod estimate;
mod facts;
mod history;
mod journal;
mod limiter;
mod model;
mod pricing;
mod providers;
mod request;
mod settings;
mod turns;

pub use activity::{Activity, Retry};
pub use batch::{
    BatchLimits, BatchNews, BatchService, BatchSettings, Batches, Found, Framing, Order, Progress, Search,
};
pub use client::{Client, Watch};
pub use common::record::ModelAnswer;
pub use error::{AskError, Limit};
pub use estimate::{Estimate, PassSize};
pub use facts::{ModelFacts, Retirement};
pub use history::{History, Paid};
pub use journal::{Damage, Journal, Room};
pub use limiter::Totals;
pub use model::{CallError, Fault, Model, Reply};
pub use pricing::Price;
pub use providers::{ModelError, ModelTable, TableError, batches_of, facts, from_name};
pub use request::{Prefix, Request};
pub use settings::{CallSettings, LedgerSettings, Timeouts};
