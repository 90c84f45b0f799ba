//! What a call to a model used, and how its answer ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens of one call, in the same shape for every provider. The fields do not overlap: their sum is what was
/// processed, and each has one price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Input that no cache served or kept.
    pub uncached_input: u64,
    /// Input written to a cache that lives five minutes.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_5m: u64,
    /// Input written to a cache that lives an hour.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h: u64,
    /// Input served from a cache.
    pub cache_read: u64,
    /// Output that is part of the answer.
    pub output_visible: u64,
    /// Output spent on reasoning.
    pub output_reasoning: u64,
}

impl Usage {
    /// All input tokens, however they are billed.
    pub fn input(&self) -> u64 {
        self.uncached_input + self.cache_write_5m + self.cache_write_1h + self.cache_read
    }

    /// All output tokens.
    pub fn output(&self) -> u64 {
        self.output_visible + self.output_reasoning
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.uncached_input += other.uncached_input;
        self.cache_write_5m += other.cache_write_5m;
        self.cache_write_1h += other.cache_write_1h;
        self.cache_read += other.cache_read;
        self.output_visible += other.output_visible;
        self.output_reasoning += other.output_reasoning;
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why an answer ended. Callers decide what to do with an answer that did not end with [`StopReason::End`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model had finished.
    #[default]
    End,
    /// It was cut off at the limit of tokens.
    MaxTokens,
    /// The model would not answer.
    Refused,
    /// The provider withheld the answer.
    Filtered,
    /// Another reason, which the provider did not explain.
    Other,
}
