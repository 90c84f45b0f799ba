//! The record of a task that was run in the real software, and of the solution that it was run with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, Issue, Outcome, Usage};

/// A script that reaches the outcome of a task, and scripts that only seem to. Written by stage-amplify's solution
/// pass, without sight of the verifier and the fixtures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Solution {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name.
    pub task: String,
    /// The number of its row in the plan.
    #[serde(default)]
    pub index: usize,
    /// `solve.sh`: what an expert would do, as a shell script.
    pub script: String,
    /// What a careless agent would do. The verifier must pass none of them.
    #[serde(default)]
    pub wrong: Vec<WrongSolution>,
    /// The model that wrote it.
    #[serde(default)]
    pub model: String,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// A script that does a task wrongly. Its file is `wrong-NAME.sh`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrongSolution {
    /// Its name, of the letters of a task name.
    pub name: String,
    /// The shell script.
    pub script: String,
}

/// What running a task in the real software found. Written by stage-verify-task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name.
    pub task: String,
    /// The task folder, relative to the workspace where it lies below it.
    #[serde(default)]
    pub dir: String,
    /// Whether the task was run, and no issue is an error.
    pub ok: bool,
    /// Why the task was not run, for people: no engine answers, for example. Such a trial says nothing about the
    /// task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_run: Option<String>,
    /// What ran the containers: `docker`, `podman` or `gym-anything`.
    #[serde(default)]
    pub engine: String,
    /// The image of the environment, with a tag that changes with all that it was built from.
    #[serde(default)]
    pub image: String,
    /// The version of the software, where the environment tells it.
    #[serde(default)]
    pub app_version: String,
    /// One entry for each container that the task was run in.
    #[serde(default)]
    pub episodes: Vec<Episode>,
    /// What was found.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// One run of a task, in a container of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Episode {
    /// What was done between set-up and export: `untouched`, `untouched_again`, `solution`, `wrong:NAME`, `restart`.
    pub name: String,
    /// The set-up (`hooks.pre_task`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<HookRun>,
    /// The script of the solution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<HookRun>,
    /// The export (`hooks.post_task`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<HookRun>,
    /// The titles of the windows after set-up, sorted.
    #[serde(default)]
    pub windows: Vec<String>,
    /// What the verifier said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<EpisodeVerdict>,
    /// Where two states that should be equal differ, for people: paths and both values.
    #[serde(default)]
    pub differences: Vec<String>,
    /// The folder with logs, screenshots and the files that the verifier read, relative to the workspace where it
    /// lies below it. Empty where it was removed.
    #[serde(default)]
    pub evidence: String,
    /// How long it took, in seconds. Differs between runs.
    #[serde(default)]
    pub seconds: f64,
    /// The most memory that its container used, in MiB. Differs between runs.
    #[serde(default)]
    pub peak_memory_mib: u64,
}

/// One run of a script in a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookRun {
    /// Its exit status; none where it was stopped.
    #[serde(default)]
    pub exit: Option<i32>,
    /// Whether it was stopped at its time limit.
    #[serde(default)]
    pub timed_out: bool,
    /// How long it took, in seconds. Differs between runs.
    #[serde(default)]
    pub seconds: f64,
    /// The end of its output, with control characters escaped. Empty where it ended with 0: the evidence has it.
    #[serde(default)]
    pub log: String,
}

/// What a verifier said of an episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpisodeVerdict {
    /// What it said.
    pub outcome: Outcome,
    /// Its score, where it gave a finite one.
    #[serde(default)]
    pub score: Option<f64>,
    /// Feedback, exception or output: short, and with control characters escaped.
    #[serde(default)]
    pub detail: String,
}
