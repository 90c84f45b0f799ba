//! The record of what a person decided about a task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Annotations;

/// What a person decided about a task. Written by the page of stage-report, or by hand. stage-extract moves a rejected
/// task away; the repair pass of stage-amplify reads the comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name.
    pub task: String,
    /// What was decided.
    pub choice: Choice,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// What users and custom stages noted.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub annotations: Annotations,
}

/// What a person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The task can be used.
    Accept,
    /// The task cannot be used as it is.
    Reject,
    /// Neither: there is only a comment.
    Comment,
}

/// The code of the problem of a rejected task.
pub const REJECTED_BY_PERSON: &str = "rejected_by_person";
/// The code of a comment on a task that was not rejected.
pub const COMMENT_OF_PERSON: &str = "comment_of_person";
