//! What a pass would cost, before any call is made.

use std::ops::AddAssign;

use common::record::Usage;

use crate::facts::ModelFacts;
use crate::pricing::Price;

/// Calls of the same kind, to be estimated before any is made.
#[derive(Clone, Debug)]
pub struct PassSize {
    /// The kind of call: `plan`, `readme`, `files`.
    pub name: String,
    /// The number of calls.
    pub calls: u64,
    /// The length of the prefix that all calls share, in bytes.
    pub prefix_bytes: u64,
    /// The length of the suffix of each call, in bytes.
    pub suffix_bytes: u64,
    /// The expected number of tokens of an answer, reasoning included.
    pub output_tokens: u64,
}

/// What a pass takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The number of calls.
    pub calls: u64,
    /// The tokens of all calls, if the provider's cache serves every call but the first.
    pub usage: Usage,
    /// What they cost, in US dollars; `None` where the price is unknown.
    pub cost: Option<f64>,
    /// What they cost without a cache.
    pub cost_uncached: Option<f64>,
}

impl Estimate {
    /// The same calls in batches of this model.
    #[must_use]
    pub fn in_batches(self, facts: &ModelFacts) -> Self {
        let share = facts.price.as_ref().map_or(1.0, Price::batch_share);
        let at_share = |cost: Option<f64>| cost.map(|cost| cost * share);
        Self { cost: at_share(self.cost), cost_uncached: at_share(self.cost_uncached), ..self }
    }
}

impl PassSize {
    /// What this pass takes of a model.
    pub fn estimate(&self, facts: &ModelFacts) -> Estimate {
        let prefix = facts.tokens(self.prefix_bytes);
        let suffix = facts.tokens(self.suffix_bytes);
        let output = facts.output_limit(Some(self.output_tokens)).unwrap_or(self.output_tokens);
        let uncached = Usage { uncached_input: prefix + suffix, output_visible: output, ..Usage::default() };
        let (first, later) = if facts.cache_minimum.is_some_and(|minimum| prefix >= minimum) {
            let cached = Usage { uncached_input: suffix, ..uncached };
            (Usage { cache_write_5m: prefix, ..cached }, Usage { cache_read: prefix, ..cached })
        } else {
            (uncached, uncached)
        };
        let first = estimate_calls(first, self.calls.min(1), facts);
        let mut all = first;
        all += estimate_calls(later, self.calls.saturating_sub(1), facts);
        Estimate { cost_uncached: estimate_calls(uncached, self.calls, facts).cost, ..all }
    }
}

/// So many calls that use the same each.
fn estimate_calls(usage: Usage, calls: u64, facts: &ModelFacts) -> Estimate {
    #[expect(clippy::cast_precision_loss, reason = "far fewer calls than a float can count")]
    let cost = facts.price.as_ref().map(|price| price.cost(&usage) * calls as f64);
    let usage = Usage {
        uncached_input: usage.uncached_input * calls,
        cache_write_5m: usage.cache_write_5m * calls,
        cache_write_1h: usage.cache_write_1h * calls,
        cache_read: usage.cache_read * calls,
        output_visible: usage.output_visible * calls,
        output_reasoning: usage.output_reasoning * calls,
    };
    Estimate { calls, usage, cost, cost_uncached: cost }
}

impl AddAssign for Estimate {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.usage += other.usage;
        self.cost = sum(self.cost, other.cost);
        self.cost_uncached = sum(self.cost_uncached, other.cost_uncached);
    }
}

fn sum(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_counts_one_write_and_many_reads() {
        let price = r#"{"base":{"input":2,"cache_read":0.2,"cache_write_5m":2.5,"output":10}}"#;
        let facts = ModelFacts {
            max_output_tokens: Some(1000),
            cache_minimum: Some(100),
            price: serde_json::from_str(price).unwrap(),
            ..ModelFacts::default()
        };
        let pass = PassSize {
            name: "readme".to_owned(),
            calls: 11,
            prefix_bytes: 2000,
            suffix_bytes: 400,
            output_tokens: 50,
        };
        let estimate = pass.estimate(&facts);
        assert_eq!(estimate.usage.cache_write_5m, 500);
        assert_eq!(estimate.usage.cache_read, 5000);
        assert_eq!(estimate.usage.uncached_input, 1100);
        let is_near = |cost: Option<f64>, dollars: f64| assert!((cost.unwrap() - dollars).abs() < 1e-9);
        is_near(estimate.cost, (500.0 * 2.5 + 5000.0 * 0.2 + 1100.0 * 2.0 + 550.0 * 10.0) / 1e6);
        is_near(estimate.cost_uncached, 11.0 * (600.0 * 2.0 + 500.0) / 1e6);
    }
}
