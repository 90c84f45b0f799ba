//! The record of a verifier that was run on states of a known verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, Issue, Severity};

/// What running a verifier against states of a known verdict found. Written by stage-probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name.
    pub task: String,
    /// The task folder, relative to the workspace where it lies below it.
    #[serde(default)]
    pub dir: String,
    /// Whether no issue is an error.
    pub ok: bool,
    /// One entry for each state the verifier was run against.
    #[serde(default)]
    pub states: Vec<ProbeState>,
    /// How much of a good result the verifier looks at, where the task brings one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutation: Option<Mutation>,
    /// What was found.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

impl Probe {
    /// The code of the issue that the verifier could not be judged in a state on this machine.
    pub const UNJUDGED: &str = "unjudged";

    /// Whether the task is not `ok` only because it could not be judged on this machine. The task is not to blame.
    pub fn is_unjudged(&self) -> bool {
        let mut errors = self.issues.iter().filter(|issue| issue.severity == Severity::Error).peekable();
        !self.ok && errors.peek().is_some() && errors.all(|issue| issue.code == Self::UNJUDGED)
    }
}

/// What a verifier said of mutants: results that pass, each with one thing in it made wrong. The share it no
/// longer passes is the task's mutation score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mutation {
    /// How many mutants there were.
    pub mutants: usize,
    /// How many of them lost the pass.
    pub caught: usize,
    /// What was made wrong in those that did not, for people.
    #[serde(default)]
    pub missed: Vec<String>,
}

/// What a verifier said of one state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeState {
    /// The state's name: `no_result`, `golden`, ….
    pub state: String,
    /// What a sound verifier says of it: `pass` or `fail`.
    pub expected: Outcome,
    /// What this one said.
    pub outcome: Outcome,
    /// Its score, where it gave a finite one.
    #[serde(default)]
    pub score: Option<f64>,
    /// How long it took, in seconds. Differs between runs.
    #[serde(default)]
    pub seconds: f64,
    /// Feedback, exception or output: short, and with control characters escaped.
    #[serde(default)]
    pub detail: String,
}

/// How a run of a verifier ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered that the task is done.
    Pass,
    /// It answered that the task is not done.
    Fail,
    /// It did not answer: an exception, a time-out, an answer of another shape.
    Error,
    /// The sandbox stopped it.
    Refused,
}
