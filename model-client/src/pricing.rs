//! What calls cost, before and after.

use serde::Deserialize;

use super::{Facts, Request};
use common::record::Usage;

/// A token of prose or code has four bytes or so. Measured on verifiers: 4.28, and 3.7 for one in a hundred.
const LIKELY_BYTES_PER_TOKEN: u64 = 4;
/// No text that a prompt is made of has more tokens than one for every two bytes.
const LEAST_BYTES_PER_TOKEN: u64 = 2;
/// The answer that is feared of a model whose limit is not known.
const UNKNOWN_OUTPUT_LIMIT: u64 = 128_000;

/// What tokens cost, in US dollars per million.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Price {
    base: Rates,
    /// Where long prompts cost more.
    #[serde(default)]
    long: Option<Long>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Long {
    /// Requests with more input tokens than these.
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
    /// What a call with this usage costs, in US dollars.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let rates = self.rates(usage.input());
        let cost = |tokens: u64, rate: f64| million(tokens) * rate;
        cost(usage.uncached_input, rates.input)
            + cost(usage.cache_read, rates.cache_read.unwrap_or(rates.input))
            + cost(usage.cache_write_5m, rates.cache_write_5m.unwrap_or(rates.input))
            + cost(usage.cache_write_1h, rates.cache_write_1h.unwrap_or(rates.input))
            + cost(usage.output(), rates.output)
    }

    fn rates(&self, input: u64) -> &Rates {
        match &self.long {
            Some(long) if input > long.above => &long.rates,
            _ => &self.base,
        }
    }
}

impl Rates {
    /// The most that an input token may cost.
    fn dearest_input(&self) -> f64 {
        let writes = [self.cache_write_5m, self.input.into()];
        writes.into_iter().flatten().fold(0.0, f64::max)
    }
}

fn million(tokens: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer tokens than a float can count")]
    let tokens = tokens as f64;
    tokens / 1e6
}

impl Facts {
    /// The most tokens that the answer to a request may have.
    pub(super) fn output_limit(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.max_output_tokens) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }

    /// What a call costs at worst, in US dollars: nothing cached, all written to the cache, the longest
    /// possible answer.
    pub(super) fn worst_cost(&self, request: &Request) -> Option<f64> {
        let price = self.price.as_ref()?;
        let bytes = request.shared.len() + request.own.len();
        let input = (bytes as u64).div_ceil(LEAST_BYTES_PER_TOKEN);
        let output = self.output_limit(request.max_output_tokens).unwrap_or(UNKNOWN_OUTPUT_LIMIT);
        let rates = price.rates(input);
        Some(million(input) * rates.dearest_input() + million(output) * rates.output)
    }

    /// Whether a vendor's cache would keep this beginning.
    pub(super) fn is_cached(&self, shared: &str) -> bool {
        self.cache_minimum.is_some_and(|minimum| shared.len() as u64 / LIKELY_BYTES_PER_TOKEN >= minimum)
    }
}

/// Calls that are alike, to be estimated before any is made.
#[derive(Clone, Debug)]
pub struct Pass {
    /// What they are: `plan`, `readme`, `files`.
    pub name: String,
    /// How many there are.
    pub calls: u64,
    /// The length of the beginning that they share, in bytes.
    pub shared_bytes: u64,
    /// The length of what is each one's own, in bytes.
    pub own_bytes: u64,
    /// How many tokens an answer is expected to have, reasoning included.
    pub output_tokens: u64,
}

/// What a pass takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// How many calls.
    pub calls: u64,
    /// The tokens of all of them, if the vendor's cache does what it can.
    pub usage: Usage,
    /// What they cost, in US dollars; `None` where no price is known.
    pub cost: Option<f64>,
    /// What they cost if no cache helps.
    pub cost_uncached: Option<f64>,
}

impl Pass {
    /// What this pass takes of a model.
    pub fn estimate(&self, facts: &Facts) -> Estimate {
        let shared = self.shared_bytes.div_ceil(LIKELY_BYTES_PER_TOKEN);
        let own = self.own_bytes.div_ceil(LIKELY_BYTES_PER_TOKEN);
        let output = facts.output_limit(Some(self.output_tokens)).unwrap_or(self.output_tokens);
        let cached = facts.cache_minimum.is_some_and(|minimum| shared >= minimum);
        let alone = Usage { uncached_input: shared + own, output_visible: output, ..Usage::default() };
        let first =
            if cached { Usage { uncached_input: own, cache_write_5m: shared, ..alone } } else { alone };
        let later = if cached { Usage { uncached_input: own, cache_read: shared, ..alone } } else { alone };
        let cost = |usage: &Usage| facts.price.as_ref().map(|price| price.cost(usage));
        let mut usage = Usage::default();
        let mut sum = facts.price.as_ref().map(|_| 0.0);
        for (usage_of_one, times) in [(first, self.calls.min(1)), (later, self.calls.saturating_sub(1))] {
            usage += multiply(usage_of_one, times);
            sum = sum.zip(cost(&usage_of_one)).map(|(sum, one)| sum + one * million(times) * 1e6);
        }
        let cost_uncached = cost(&alone).map(|one| one * million(self.calls) * 1e6);
        Estimate { calls: self.calls, usage, cost: sum, cost_uncached }
    }
}

fn multiply(usage: Usage, times: u64) -> Usage {
    Usage {
        uncached_input: usage.uncached_input * times,
        cache_write_5m: usage.cache_write_5m * times,
        cache_write_1h: usage.cache_write_1h * times,
        cache_read: usage.cache_read * times,
        output_visible: usage.output_visible * times,
        output_reasoning: usage.output_reasoning * times,
    }
}

impl std::ops::AddAssign for Estimate {
    fn add_assign(&mut self, other: Self) {
        let sum = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b);
        self.calls += other.calls;
        self.usage += other.usage;
        self.cost = sum(self.cost, other.cost);
        self.cost_uncached = sum(self.cost_uncached, other.cost_uncached);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let price = r#"{"base":{"input":2,"cache_read":0.2,"cache_write_5m":2.5,"output":10},
                        "long":{"above":1000,"rates":{"input":4,"output":20}}}"#;
        Facts {
            max_output_tokens: Some(1000),
            cache_minimum: Some(100),
            price: serde_json::from_str(price).unwrap(),
            ..Facts::default()
        }
    }

    fn is_near(cost: Option<f64>, dollars: f64) {
        assert!((cost.unwrap() - dollars).abs() < 1e-9, "{cost:?} is not {dollars}");
    }

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
        let price = facts().price;
        is_near(price.as_ref().map(|price| price.cost(&usage)), (200.0 + 500.0 + 60.0 + 400.0) / 1e6);
        // Long prompts have rates of their own, where a cache that is not mentioned costs as much as input.
        let long = Usage { cache_read: 901, ..usage };
        is_near(price.as_ref().map(|price| price.cost(&long)), (1201.0 * 4.0 + 800.0) / 1e6);
    }

    #[test]
    fn an_estimate_counts_one_write_and_many_reads() {
        let pass = Pass {
            name: "readme".to_owned(),
            calls: 11,
            shared_bytes: 2000,
            own_bytes: 400,
            output_tokens: 50,
        };
        let estimate = pass.estimate(&facts());
        assert_eq!(estimate.usage.cache_write_5m, 500);
        assert_eq!(estimate.usage.cache_read, 5000);
        assert_eq!(estimate.usage.uncached_input, 1100);
        is_near(estimate.cost, (500.0 * 2.5 + 5000.0 * 0.2 + 1100.0 * 2.0 + 550.0 * 10.0) / 1e6);
        is_near(estimate.cost_uncached, 11.0 * (600.0 * 2.0 + 500.0) / 1e6);
    }

    #[test]
    fn the_worst_case_writes_all_and_answers_at_length() {
        let request = Request {
            label: "plan/1".to_owned(),
            shared: "x".repeat(1000).into(),
            own: "y".repeat(200),
            max_output_tokens: None,
            sample: 0,
        };
        is_near(facts().worst_cost(&request), (600.0 * 2.5 + 1000.0 * 10.0) / 1e6);
        assert_eq!(Facts::default().worst_cost(&request), None);
    }
}
