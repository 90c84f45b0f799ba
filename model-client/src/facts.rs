//! What is known of one model: limits, request options, price.

use std::time::Duration;

use common::record::Usage;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::budget::Quote;
use crate::history::pass;
use crate::pricing::{Price, per_million};
use crate::request::Request;

/// No prompt has more tokens than one for every two bytes.
const MIN_BYTES_PER_TOKEN: u64 = 2;
/// A token of prose or code has about four bytes. Measured on verifiers: 4.28 on average, 3.7 at the first
/// percentile.
const USUAL_BYTES_PER_TOKEN: f64 = 4.0;
/// The length of a token in the journal, in bytes: JSON escapes quotation marks and line ends.
const JOURNAL_BYTES_PER_TOKEN: u64 = 6;
/// The length of everything but the text of an answer in the journal, in bytes: label, fingerprint, usage.
const JOURNAL_BYTES_PER_ANSWER: u64 = 4096;
/// How long a model may be silent while it thinks: what the SDKs of the providers allow.
const SILENCE: Duration = Duration::from_mins(10);
/// Where requests state the effort.
const EFFORT: [&str; 3] =
    ["/reasoning_effort", "/output_config/effort", "/generationConfig/thinkingConfig/thinkingLevel"];
/// The longest answer to expect of a model whose limit is not known, in tokens.
const UNKNOWN_OUTPUT_LIMIT: u64 = 128_000;

/// What is known of one model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ModelFacts {
    /// The maximum number of tokens of an answer, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// A prefix with fewer tokens is not cached. `None` without a cache.
    pub cache_minimum: Option<u64>,
    /// The average length of a token in bytes, where it is unusual.
    pub bytes_per_token: Option<f64>,
    /// The field of chat completions that limits the answer, where it is not `max_completion_tokens`.
    pub output_limit_field: Option<String>,
    /// Goes into the body of every request, in the provider's own terms. `null` removes a field.
    pub request: Map<String, Value>,
    /// What its tokens cost.
    pub price: Option<Price>,
    /// When the provider shuts the model down, if that is announced.
    pub retired: Option<Retirement>,
}

/// The end of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Retirement {
    /// The first day on which the provider does not serve the model.
    pub on: Date,
    /// The provider's replacement.
    pub successor: String,
}

impl ModelFacts {
    /// The maximum number of tokens of the answer to a request that asks for at most `requested`.
    pub(crate) fn output_limit(&self, requested: Option<u64>) -> Option<u64> {
        match (requested, self.max_output_tokens) {
            (Some(requested), Some(limit)) => Some(requested.min(limit)),
            (requested, limit) => requested.or(limit),
        }
    }

    /// What a call costs at most: nothing is read from the cache, and everything written to it. Nothing where the
    /// price is unknown.
    pub(crate) fn quote(&self, request: &Request) -> Quote {
        let bytes = request.prefix.len() + request.suffix.len();
        let input = (bytes as u64).div_ceil(MIN_BYTES_PER_TOKEN);
        let price = self.price.as_ref();
        Quote {
            pass: pass(&request.label).to_owned(),
            input: price.map_or(0.0, |price| per_million(input) * price.highest_input(input)),
            output: price.map_or(0.0, |price| per_million(1) * price.output(input)),
            longest: self.output_limit(request.max_output_tokens).unwrap_or(UNKNOWN_OUTPUT_LIMIT),
        }
    }

    /// The cost of an answer, in US dollars; `None` where it is unknown. Servers that report no usage charge all the
    /// same.
    pub(crate) fn cost(&self, usage: &Usage) -> Option<f64> {
        let price = self.price.as_ref()?;
        (*usage != Usage::default() || price.is_free()).then(|| price.cost(usage))
    }

    /// What an answer of a batch with this usage cost, in US dollars; `None` where [`Self::cost`] is.
    pub(crate) fn batch_cost(&self, usage: &Usage) -> Option<f64> {
        Some(self.cost(usage)? * self.price.as_ref()?.batch_share())
    }

    /// What a request in a batch costs at most.
    pub(crate) fn batch_quote(&self, request: &Request) -> Quote {
        self.quote(request).times(self.price.as_ref().map_or(1.0, Price::batch_share))
    }

    /// The length of the longest likely answer to a request, as a line of the journal, in bytes.
    pub(crate) fn answer_bytes(&self, request: &Request) -> u64 {
        let tokens = self.output_limit(request.max_output_tokens).unwrap_or(UNKNOWN_OUTPUT_LIMIT);
        tokens.saturating_mul(JOURNAL_BYTES_PER_TOKEN).saturating_add(JOURNAL_BYTES_PER_ANSWER)
    }

    /// Whether the provider's cache would keep this prefix.
    pub(crate) fn is_cached(&self, prefix: &str) -> bool {
        self.cache_minimum.is_some_and(|minimum| self.tokens(prefix.len() as u64) >= minimum)
    }

    /// The likely number of tokens of a text of this many bytes.
    pub(crate) fn tokens(&self, bytes: u64) -> u64 {
        let tokens = per_million(bytes) * 1e6 / self.bytes_per_token.unwrap_or(USUAL_BYTES_PER_TOKEN);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a quotient of positive numbers"
        )]
        let tokens = tokens.ceil() as u64;
        tokens
    }

    /// How long the model may be silent: longer, the more it is asked to think.
    pub(crate) fn silence_limit(&self) -> Duration {
        let request = Value::Object(self.request.clone());
        let effort = EFFORT.iter().find_map(|pointer| request.pointer(pointer)?.as_str()).unwrap_or_default();
        match effort.to_ascii_lowercase().as_str() {
            "max" | "xhigh" => SILENCE * 3,
            "high" => SILENCE * 2,
            _ => SILENCE,
        }
    }

    /// These facts, completed by `others` where they say nothing.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            max_output_tokens: self.max_output_tokens.or(others.max_output_tokens),
            cache_minimum: self.cache_minimum.or(others.cache_minimum),
            bytes_per_token: self.bytes_per_token.or(others.bytes_per_token),
            output_limit_field: self.output_limit_field.or(others.output_limit_field),
            request: if self.request.is_empty() { others.request } else { self.request },
            price: self.price.or(others.price),
            retired: self.retired.or(others.retired),
        }
    }
}

/// Whether `name` is the model that is listed as `listed`, or a version of it with a date appended:
/// `-20251101`, `-2025-11-13`.
pub(crate) fn is_same_model(listed: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(listed) else { return false };
    let Some(date) = rest.strip_prefix('-') else { return rest.is_empty() };
    let digits = date.bytes().filter(u8::is_ascii_digit).count();
    digits == 8 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_does_not_change_the_model() {
        let check = |listed, name, expect| assert_eq!(is_same_model(listed, name), expect, "{listed} {name}");
        check("gpt-5", "gpt-5", true);
        check("gpt-5", "gpt-5-2025-08-07", true);
        check("claude-opus-4-5", "claude-opus-4-5-20251101", true);
        check("claude-opus-4", "claude-opus-4-5-20251101", false);
        check("gpt-5", "gpt-5-mini", false);
        check("gpt-5", "gpt-5.1", false);
    }

    #[test]
    fn the_worst_case_writes_all_and_answers_at_length() {
        let price = r#"{"base":{"input":2,"cache_read":0.2,"cache_write_5m":2.5,"output":10},
                        "long":{"above":1000,"rates":{"input":4,"output":20}}}"#;
        let facts = ModelFacts {
            max_output_tokens: Some(1000),
            price: serde_json::from_str(price).unwrap(),
            ..ModelFacts::default()
        };
        let request = Request {
            label: "plan/1".to_owned(),
            prefix: "x".repeat(1000).into(),
            suffix: "y".repeat(200),
            max_output_tokens: None,
            sample: 0,
        };
        let quote = facts.quote(&request);
        assert!((quote.input - 600.0 * 2.5 / 1e6).abs() < 1e-9, "{quote:?}");
        assert!((quote.output - 10.0 / 1e6).abs() < 1e-12, "{quote:?}");
        assert_eq!((quote.pass.as_str(), quote.longest), ("plan", 1000));
        assert!(ModelFacts::default().quote(&request).input.abs() < 1e-9);
    }

    #[test]
    fn a_model_that_thinks_longer_may_be_silent_for_longer() {
        let minutes = |request: &str| {
            let request = serde_json::from_str(request).unwrap();
            ModelFacts { request, ..ModelFacts::default() }.silence_limit().as_secs() / 60
        };
        assert_eq!(minutes("{}"), 10);
        assert_eq!(minutes(r#"{"reasoning_effort":"medium"}"#), 10);
        assert_eq!(minutes(r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}"#), 20);
        assert_eq!(minutes(r#"{"output_config":{"effort":"max"}}"#), 30);
    }
}
