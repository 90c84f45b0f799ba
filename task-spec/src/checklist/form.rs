//! The form of the two files, for their JSON Schemas. The stages read them as gym-anything does, field by field, and
//! name what is wrong; see [`checklist_faults`](super::checklist_faults).

use schemars::{JsonSchema, Schema, schema_for};
use serde_json::Value;

use super::Status;

/// `vlm_checklist.json`: what a vision model looks for in the screenshots of a run.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Checklist {
    /// The task, as `NAME@VERSION`.
    task_id: String,
    /// The outcomes that count. Their points add up to 100.
    #[schemars(length(min = 1))]
    task_completion: Vec<CompletionItem>,
    /// What an honest agent keeps to, whether it succeeds or not.
    #[schemars(length(min = 1))]
    integrity: Vec<IntegrityItem>,
    /// What the model must know and the agent has to find out.
    #[schemars(length(min = 1))]
    privileged_info_for_vlm: String,
}

/// An outcome that counts.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct CompletionItem {
    /// A name that no other item of the file has.
    #[schemars(length(min = 1))]
    id: String,
    /// What was reached.
    #[schemars(length(min = 1))]
    description: String,
    /// The share of the score, of 100.
    #[schemars(extend("exclusiveMinimum" = 0))]
    points: f64,
    /// Where and how it is seen.
    #[schemars(length(min = 1))]
    visual_evidence: String,
}

/// A shortcut that was not taken.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct IntegrityItem {
    /// A name that no other item of the file has.
    #[schemars(length(min = 1))]
    id: String,
    /// What was kept to.
    #[schemars(length(min = 1))]
    description: String,
    /// What is seen if it was not.
    #[schemars(length(min = 1))]
    visual_evidence: String,
}

/// `validated_pi.json`: the evidence for the privileged information of a checklist.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Evidence {
    /// The task, as `NAME@VERSION`.
    task_id: String,
    /// Where the data comes from.
    #[serde(default)]
    dataset: Option<String>,
    /// The part of the data that the task uses.
    #[serde(default)]
    case_id: Option<String>,
    /// Whether the data was made up for the task.
    #[serde(default)]
    data_is_synthetic: Option<bool>,
    /// The facts.
    pi_items: Vec<EvidenceItem>,
    /// How the facts are connected, and derived values.
    #[serde(default)]
    privileged_info_summary: Option<String>,
    /// `high`, `medium`, `low` or `none`. It follows from the statuses.
    #[serde(default)]
    pi_confidence: Option<String>,
}

/// A fact that the agent has to find out.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct EvidenceItem {
    /// Its path below `metadata` in `task.json`, or a name of its own.
    #[schemars(length(min = 1))]
    key: String,
    /// The value in the metadata; null if it is not there.
    #[serde(default)]
    metadata_value: Value,
    /// The value as it stands in the source.
    #[serde(default)]
    verified_value: Value,
    /// The place that holds it: `task.json#metadata.expected.total`, `setup_task.sh:14`, or a file.
    #[serde(default)]
    source: Option<String>,
    /// Whether the files of the task prove it. It is computed.
    status: Status,
}

/// The JSON Schema of `vlm_checklist.json`.
pub fn checklist_schema() -> Schema {
    schema_for!(Checklist)
}

/// The JSON Schema of `validated_pi.json`.
pub fn evidence_schema() -> Schema {
    schema_for!(Evidence)
}
