//! The records: what one stage says to the next.
//!
//! A record is one line of JSON. `record` names its kind, `env` the environment's folder name, `task` the
//! bare task name:
//!
//! ```
//! use common::record::Record;
//!
//! let line = r#"{"record":"plan","env":"moodle_env","task":"merge_two_cohorts","index":1,"title":"Merge two cohorts"}"#;
//! let Record::Plan(plan) = serde_json::from_str(line)? else { panic!("a plan") };
//! assert_eq!((plan.task.as_str(), plan.index), ("merge_two_cohorts", 1));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! Fields that are named here are the contract. Readers ignore the ones they do not know, and fields that
//! another program may well leave out have defaults, so that records written by hand are accepted. The
//! JSON Schema of every kind is generated from these types into `schemas/`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::agreement::{Agreement, Criterion};
pub use self::answer::ModelAnswer;
pub use self::decision::{COMMENT_OF_PERSON, Choice, Decision, Decisions, REJECTED_BY_PERSON};
pub use self::probe::{Mutation, Outcome, Probe, ProbeState};
pub use self::trial::{Episode, EpisodeVerdict, HookRun, Solution, Trial, WrongSolution};
pub use self::usage::{StopReason, Usage};

mod agreement;
mod answer;
mod decision;
mod probe;
mod trial;
mod usage;

/// Any record that a stage of this workspace writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A task for the amplifier to learn from.
    Seed(Seed),
    /// A row of the plan: a task that is to be written.
    Plan(Plan),
    /// A task's README, written before its files.
    Spec(Spec),
    /// A task's files, as the model gave them.
    Files(Files),
    /// A script that solves a task, and scripts that do not.
    Solution(Solution),
    /// What became of a task folder.
    Task(Task),
    /// What a check of a spec found.
    Verdict(Verdict),
    /// What running a verifier found.
    Probe(Probe),
    /// What running a task in the real software found.
    Trial(Box<Trial>),
    /// What the documents of a task agree on.
    Agreement(Agreement),
    /// What a person decided about a task.
    Decision(Decision),
    /// A record that a stage or a filter left out.
    Dropped(Dropped),
    /// Something that was asked for and not done.
    Failure(Failure),
}

/// What users and custom stages note in a record. Every stage copies it to the records that it makes of that record,
/// so that it reaches the end of the chain. stage-amplify adds the `occupation`, `features`, `archetype`, `difficulty`
/// and `category` of the row of the plan.
pub type Annotations = serde_json::Map<String, serde_json::Value>;

/// The kind of a record, which is its `record` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Seed`].
    Seed,
    /// [`Plan`].
    Plan,
    /// [`Spec`].
    Spec,
    /// [`Files`].
    Files,
    /// [`Solution`].
    Solution,
    /// [`Task`].
    Task,
    /// [`Verdict`].
    Verdict,
    /// [`Probe`].
    Probe,
    /// [`Trial`].
    Trial,
    /// [`Agreement`].
    Agreement,
    /// [`Decision`].
    Decision,
    /// [`Dropped`].
    Dropped,
    /// [`Failure`].
    Failure,
}

impl Kind {
    /// The kind with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "seed" => Self::Seed,
            "plan" => Self::Plan,
            "spec" => Self::Spec,
            "files" => Self::Files,
            "solution" => Self::Solution,
            "task" => Self::Task,
            "verdict" => Self::Verdict,
            "probe" => Self::Probe,
            "trial" => Self::Trial,
            "agreement" => Self::Agreement,
            "decision" => Self::Decision,
            "dropped" => Self::Dropped,
            "failure" => Self::Failure,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Plan => "plan",
            Self::Spec => "spec",
            Self::Files => "files",
            Self::Task => "task",
            Self::Verdict => "verdict",
            Self::Probe => "probe",
            Self::Solution => "solution",
            Self::Trial => "trial",
            Self::Failure => "failure",
            Self::Dropped => "dropped",
            Self::Decision => "decision",
            Self::Agreement => "agreement",
        }
    }
}

impl Record {
    /// The name of the environment that it belongs to.
    pub fn env(&self) -> &str {
        match self {
            Self::Seed(record) => &record.env,
            Self::Plan(record) => &record.env,
            Self::Spec(record) => &record.env,
            Self::Files(record) => &record.env,
            Self::Task(record) => &record.env,
            Self::Verdict(record) => &record.env,
            Self::Probe(record) => &record.env,
            Self::Solution(record) => &record.env,
            Self::Trial(record) => &record.env,
            Self::Failure(record) => &record.env,
            Self::Dropped(record) => &record.env,
            Self::Decision(record) => &record.env,
            Self::Agreement(record) => &record.env,
        }
    }

    /// The name of the task that it is of, if it names one.
    pub fn task(&self) -> Option<&str> {
        let task = match self {
            Self::Seed(Seed { task, .. })
            | Self::Plan(Plan { task, .. })
            | Self::Spec(Spec { task, .. })
            | Self::Solution(Solution { task, .. })
            | Self::Task(Task { task, .. })
            | Self::Probe(Probe { task, .. })
            | Self::Agreement(Agreement { task, .. })
            | Self::Decision(Decision { task, .. }) => Some(task.as_str()),
            Self::Trial(trial) => Some(trial.task.as_str()),
            Self::Files(Files { task, .. })
            | Self::Verdict(Verdict { task, .. })
            | Self::Dropped(Dropped { task, .. })
            | Self::Failure(Failure { task, .. }) => task.as_deref(),
        };
        task.filter(|task| !task.is_empty())
    }

    /// Reads a record of a kind that is already known. Compared with going by the `record` field again,
    /// this is faster, and its errors name the line's own columns.
    pub fn parse(kind: Kind, json: &str) -> serde_json::Result<Self> {
        Ok(match kind {
            Kind::Seed => Self::Seed(serde_json::from_str(json)?),
            Kind::Plan => Self::Plan(serde_json::from_str(json)?),
            Kind::Spec => Self::Spec(serde_json::from_str(json)?),
            Kind::Files => Self::Files(serde_json::from_str(json)?),
            Kind::Solution => Self::Solution(serde_json::from_str(json)?),
            Kind::Task => Self::Task(serde_json::from_str(json)?),
            Kind::Verdict => Self::Verdict(serde_json::from_str(json)?),
            Kind::Probe => Self::Probe(serde_json::from_str(json)?),
            Kind::Trial => Self::Trial(Box::new(serde_json::from_str(json)?)),
            Kind::Agreement => Self::Agreement(serde_json::from_str(json)?),
            Kind::Decision => Self::Decision(serde_json::from_str(json)?),
            Kind::Dropped => Self::Dropped(serde_json::from_str(json)?),
            Kind::Failure => Self::Failure(serde_json::from_str(json)?),
        })
    }

    /// The record with the annotations of the record that it was made of.
    #[must_use]
    pub fn annotated(mut self, annotations: Annotations) -> Self {
        *self.annotations_mut() = annotations;
        self
    }

    fn annotations_mut(&mut self) -> &mut Annotations {
        match self {
            Self::Seed(record) => &mut record.annotations,
            Self::Plan(record) => &mut record.annotations,
            Self::Spec(record) => &mut record.annotations,
            Self::Files(record) => &mut record.annotations,
            Self::Solution(record) => &mut record.annotations,
            Self::Task(record) => &mut record.annotations,
            Self::Verdict(record) => &mut record.annotations,
            Self::Probe(record) => &mut record.annotations,
            Self::Trial(record) => &mut record.annotations,
            Self::Agreement(record) => &mut record.annotations,
            Self::Decision(record) => &mut record.annotations,
            Self::Dropped(record) => &mut record.annotations,
            Self::Failure(record) => &mut record.annotations,
        }
    }
}

/// A task folder that serves as an example of what to make. Written by stage-propose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seed {
    /// The environment's folder name.
    pub env: String,
    /// The task's bare name.
    pub task: String,
    /// The task folder, relative to the workspace where it lies below it.
    pub dir: String,
    /// Who wrote it.
    pub origin: Origin,
    /// Names of the files in the folder, sorted, with `/` between their parts.
    #[serde(default)]
    pub files: Vec<String>,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// Where a seed comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An agent wrote it in this run.
    Agent,
    /// It was there before.
    Existing,
}

/// A row of the plan. Written by stage-amplify, or by hand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The bare name that the task will have.
    pub task: String,
    /// The row's number, from 1. Manifests are in its order.
    #[serde(default)]
    pub index: usize,
    /// A title for people.
    #[serde(default)]
    pub title: String,
    /// What is done in the task, in a sentence or two.
    #[serde(default)]
    pub activity: String,
    /// Whose work it is.
    #[serde(default)]
    pub occupation: String,
    /// The features of the software that it needs.
    #[serde(default)]
    pub features: Vec<String>,
    /// The pattern of difficulty that it follows.
    #[serde(default)]
    pub archetype: String,
    /// `easy`, `medium`, `hard` or `very_hard`.
    #[serde(default)]
    pub difficulty: String,
    /// What makes it that difficult.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub difficulty_reason: String,
    /// The category of a distribution profile that it belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

impl Plan {
    /// The annotations of the row, and what it says of the task.
    pub fn carried(&self) -> Annotations {
        let mut annotations = self.annotations.clone();
        let texts = [
            ("occupation", &self.occupation),
            ("archetype", &self.archetype),
            ("difficulty", &self.difficulty),
            ("category", &self.category),
        ];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            annotations.entry(name).or_insert_with(|| text.as_str().into());
        }
        if !self.features.is_empty() {
            annotations.entry("features").or_insert_with(|| self.features.clone().into());
        }
        annotations
    }
}

/// A task's README. Written by stage-amplify's README pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name.
    pub task: String,
    /// The number of its row in the plan.
    #[serde(default)]
    pub index: usize,
    /// The README, as Markdown.
    pub readme: String,
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

/// A task's files, as the model gave them. Written by stage-amplify's files pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Files {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name. A custom stage may leave it out: it is then taken from the task's id, or from its
    /// title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The number of its row in the plan.
    #[serde(default)]
    pub index: usize,
    /// Name and content of each file, as they were validated. These are what stage-extract publishes. Only where
    /// it is empty, as in the record of a custom stage, are the files parsed from `answer`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The model's whole text, kept as provenance.
    #[serde(default)]
    pub answer: String,
    /// What is wrong with the answer.
    #[serde(default)]
    pub problems: Vec<Problem>,
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

/// The result of publishing a task folder. Written by stage-extract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name; empty where a rejected answer gave none.
    pub task: String,
    /// The number of its row in the plan, where it came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The task folder, relative to the workspace where it lies below it.
    pub dir: String,
    /// What was done with it.
    pub status: TaskStatus,
    /// The files of the folder, sorted by name.
    #[serde(default)]
    pub files: Vec<TaskFile>,
    /// What was wrong with the answer, repaired or not.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// What stage-extract did with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// The folder is new.
    Written,
    /// The folder was there and was replaced as a whole.
    Replaced,
    /// The folder was there and was left alone.
    Kept,
    /// Nothing was written: `problems` says why.
    Rejected,
    /// Nothing was written: this was a dry run.
    Planned,
    /// The folder stayed bad, and was moved out of its environment: `dir` is where it is now.
    Quarantined,
}

impl TaskStatus {
    /// Whether the task's folder is in its environment, so that checks and passes work on it.
    pub fn is_live(self) -> bool {
        match self {
            Self::Written | Self::Replaced | Self::Kept => true,
            Self::Rejected | Self::Planned | Self::Quarantined => false,
        }
    }
}

/// A file of a task folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskFile {
    /// Its name below the task folder.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, as 64 hexadecimal digits.
    pub sha256: String,
}

/// Something wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A stable name in `snake_case`, for programs.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
}

impl Problem {
    /// A problem with this code and message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// What a check of an environment's or a task's spec found. Written by stage-verify-spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name; none on the verdict of an environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What was checked.
    pub kind: SpecKind,
    /// The folder of the task or the environment, relative to the workspace where it lies below it, as
    /// `task` records name it. Empty in records of versions that did not write it.
    #[serde(default)]
    pub dir: String,
    /// The spec file; the folder where no spec was found.
    pub path: String,
    /// The `id` in the spec, where it could be read.
    #[serde(default)]
    pub spec_id: Option<String>,
    /// Whether no issue is an error.
    pub ok: bool,
    /// What was found.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// What a spec is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpecKind {
    /// An environment.
    Env,
    /// A task.
    Task,
}

/// Something found in a spec, or by running a verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// A stable name in `snake_case`, for programs.
    pub code: String,
    /// Whether it makes the verdict bad.
    pub severity: Severity,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// The file or folder it was found in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// How bad an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The verdict is bad.
    Error,
    /// Worth a look; the verdict stays as it is.
    Warning,
}

/// A record that was left out on purpose, in place of that record: with it, counts add up. Written by any stage that
/// filters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name, where the record had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The kind of the record that was left out.
    pub of: String,
    /// The stage or the filter that left it out.
    pub stage: String,
    /// The number of the row in the plan, where the record had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// A stable name in `snake_case`, for programs.
    pub code: String,
    /// Why it was left out, for people.
    #[serde(default)]
    pub message: String,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// Something that was asked for and not done. Written by any stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The environment's folder name.
    #[serde(default)]
    pub env: String,
    /// The task's bare name, where the failure is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The stage that failed, by its short name: `propose`, `amplify`, ….
    pub stage: String,
    /// The number of the row in the plan, where the failure is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// A stable name in `snake_case`, for programs.
    pub code: String,
    /// What failed and what to do, for people.
    pub message: String,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// Notes of users and of other stages.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}
