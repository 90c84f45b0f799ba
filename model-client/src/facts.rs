//! What is known of one model: limits, request options, price.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::pricing::{LIKELY_BYTES_PER_TOKEN, Price, per_million};
use crate::request::Request;

/// No prompt has more tokens than one for every two bytes.
const MIN_BYTES_PER_TOKEN: u64 = 2;
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
    /// Goes into the body of every request, in the provider's own terms.
    pub request: Map<String, Value>,
    /// What its tokens cost.
    pub price: Option<Price>,
}

impl ModelFacts {
    /// The maximum number of tokens of the answer to a request that asks for at most `requested`.
    pub(crate) fn output_limit(&self, requested: Option<u64>) -> Option<u64> {
        match (requested, self.max_output_tokens) {
            (Some(requested), Some(limit)) => Some(requested.min(limit)),
            (requested, limit) => requested.or(limit),
        }
    }

    /// The worst-case cost of a call, in US dollars: nothing read from the cache, everything written to it,
    /// the longest possible answer. `None` where the price is unknown.
    pub(crate) fn worst_cost(&self, request: &Request) -> Option<f64> {
        let price = self.price.as_ref()?;
        let bytes = request.prefix.len() + request.suffix.len();
        let input = (bytes as u64).div_ceil(MIN_BYTES_PER_TOKEN);
        let output = self.output_limit(request.max_output_tokens).unwrap_or(UNKNOWN_OUTPUT_LIMIT);
        Some(per_million(input) * price.highest_input(input) + per_million(output) * price.output(input))
    }

    /// Whether the provider's cache would keep this prefix.
    pub(crate) fn is_cached(&self, prefix: &str) -> bool {
        self.cache_minimum.is_some_and(|minimum| prefix.len() as u64 / LIKELY_BYTES_PER_TOKEN >= minimum)
    }

    /// These facts, completed by `others` where they say nothing.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            max_output_tokens: self.max_output_tokens.or(others.max_output_tokens),
            cache_minimum: self.cache_minimum.or(others.cache_minimum),
            request: if self.request.is_empty() { others.request } else { self.request },
            price: self.price.or(others.price),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let worst = facts.worst_cost(&request).unwrap();
        assert!((worst - (600.0 * 2.5 + 1000.0 * 10.0) / 1e6).abs() < 1e-9, "{worst}");
        assert_eq!(ModelFacts::default().worst_cost(&request), None);
    }
}
