//! What tokens cost.

use common::record::Usage;
use serde::Deserialize;

/// What tokens cost, in US dollars per million.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Price {
    base: Rates,
    /// Where long prompts cost more.
    #[serde(default)]
    long: Option<LongPromptRates>,
    /// The share of these prices that requests in batches cost.
    #[serde(default = "half")]
    batch: f64,
}

/// What all providers that have batches ask for them.
fn half() -> f64 {
    0.5
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct LongPromptRates {
    /// Applies to requests with more input tokens than this.
    above: u64,
    rates: Rates,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Rates {
    input: f64,
    output: f64,
    #[serde(default)]
    cache_read: Option<f64>,
    #[serde(default)]
    cache_write_5m: Option<f64>,
    #[serde(default)]
    cache_write_1h: Option<f64>,
}

impl Price {
    /// The price of tokens that cost nothing.
    pub(crate) fn free() -> Self {
        let base =
            Rates { input: 0.0, output: 0.0, cache_read: None, cache_write_5m: None, cache_write_1h: None };
        Self { base, long: None, batch: half() }
    }

    /// Whether nothing costs anything.
    pub(crate) fn is_free(&self) -> bool {
        *self == Self::free()
    }

    /// The cost of a call with this usage, in US dollars.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let rates = self.rates(usage.input());
        per_million(usage.uncached_input) * rates.input
            + per_million(usage.cache_read) * rates.cache_read.unwrap_or(rates.input)
            + per_million(usage.cache_write_5m) * rates.cache_write_5m.unwrap_or(rates.input)
            + per_million(usage.cache_write_1h) * rates.cache_write_1h.unwrap_or(rates.input)
            + per_million(usage.output()) * rates.output
    }

    /// The share of the price that requests in batches cost.
    pub(crate) fn batch_share(&self) -> f64 {
        self.batch
    }

    /// The highest price of an input token, per million, in a request with this many of them.
    pub(crate) fn highest_input(&self, input_tokens: u64) -> f64 {
        let rates = self.rates(input_tokens);
        rates.cache_write_5m.map_or(rates.input, |write| write.max(rates.input))
    }

    /// The price of an output token, per million, in a request with this many input tokens.
    pub(crate) fn output(&self, input_tokens: u64) -> f64 {
        self.rates(input_tokens).output
    }

    fn rates(&self, input_tokens: u64) -> &Rates {
        match &self.long {
            Some(long) if input_tokens > long.above => &long.rates,
            _ => &self.base,
        }
    }
}

/// A number of tokens in millions.
pub(crate) fn per_million(tokens: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer tokens than a float can count")]
    let tokens = tokens as f64;
    tokens / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_token_has_its_price() {
        let usage = Usage {
            uncached_input: 100,
            cache_write_5m: 200,
            cache_write_1h: 0,
            cache_read: 300,
            output_visible: 10,
            output_reasoning: 30,
        };
        let price = r#"{"base":{"input":2,"cache_read":0.2,"cache_write_5m":2.5,"output":10},
                        "long":{"above":1000,"rates":{"input":4,"output":20}}}"#;
        let price: Price = serde_json::from_str(price).unwrap();
        let is_near =
            |cost: f64, dollars: f64| assert!((cost - dollars).abs() < 1e-9, "{cost} is not {dollars}");
        is_near(price.cost(&usage), (200.0 + 500.0 + 60.0 + 400.0) / 1e6);
        // Long prompts have rates of their own, where an unlisted cache price equals the input price.
        let long = Usage { cache_read: 901, ..usage };
        is_near(price.cost(&long), (1201.0 * 4.0 + 800.0) / 1e6);
    }
}
