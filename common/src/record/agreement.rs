//! The record of what a task's documents agree on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, Issue, Usage};

/// Whether the description, the README, the checklist and the verifier of a task agree on what counts. Written by
/// stage-amplify's agreement pass. The repair pass reads the issues.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agreement {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name.
    pub task: String,
    /// The number of its row in the plan.
    #[serde(default)]
    pub index: usize,
    /// Whether no issue is an error.
    pub ok: bool,
    /// What counts, and where each document says so.
    #[serde(default)]
    pub criteria: Vec<Criterion>,
    /// The criteria that a document lacks.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// The model that compared the documents.
    #[serde(default)]
    pub model: String,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// Something that counts in a task. What a document says of it is quoted literally.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Criterion {
    /// What counts, for people.
    pub criterion: String,
    /// Where the description asks for it.
    #[serde(default)]
    pub description: Option<String>,
    /// Where the README says that it counts.
    #[serde(default)]
    pub readme: Option<String>,
    /// The ids of the items of the checklist that look for it.
    #[serde(default)]
    pub checklist: Vec<String>,
    /// Where the verifier scores it.
    #[serde(default)]
    pub verifier: Option<String>,
}
