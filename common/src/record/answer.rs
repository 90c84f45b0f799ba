//! A paid answer, as the journal keeps it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{StopReason, Usage};

/// A model's answer to a request: a line of `answers.jsonl`, the journal of paid answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelAnswer {
    /// The label of the request.
    pub label: String,
    /// The SHA-256 of the request as it was sent, sample number included, as 64 hexadecimal digits. The key
    /// is not part of it. Answers written by hand, for a replay, may omit it.
    #[serde(default)]
    pub request: String,
    /// The SHA-256 of what was asked, whichever model was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// The model that answered, by the provider's name for it.
    #[serde(default)]
    pub model: String,
    /// The whole text, without reasoning.
    pub text: String,
    /// Why the answer ended.
    #[serde(default)]
    pub stop: StopReason,
    /// The tokens it took.
    #[serde(default)]
    pub usage: Usage,
    /// How long the call took, in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// What it cost when it was bought, in US dollars. Absent where that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// When it arrived, in seconds since 1970; 0 if that is unknown.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub at: u64,
    /// The sample number of the request.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sample: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(sample: &u32) -> bool {
    *sample == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_unknown(at: &u64) -> bool {
    *at == 0
}
