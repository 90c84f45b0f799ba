//! The record of what a person decided about a task.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Annotations;

/// What a person decided about a task. Written by the page of stage-report, or by hand. stage-extract moves a rejected
/// task away, and stage-export leaves it out; the repair pass of stage-amplify reads the comment. An accepted task stays
/// as it is, whatever the checks say.
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

/// What people decided about tasks. Of several decisions about a task the last one counts.
#[derive(Clone, Debug, Default)]
pub struct Decisions(BTreeMap<(String, String), Choice>);

impl Decisions {
    /// Adds a decision, which replaces earlier ones about its task.
    pub fn add(&mut self, decision: &Decision) {
        self.0.insert((decision.env.clone(), decision.task.clone()), decision.choice);
    }

    /// Adds the decisions about tasks that there is none about yet.
    pub fn complete(&mut self, others: Self) {
        for (task, choice) in others.0 {
            self.0.entry(task).or_insert(choice);
        }
    }

    /// Whether a task of this environment was accepted. A decision may leave out the environment.
    pub fn accept(&self, env: &str, task: &str) -> bool {
        self.choice(env, task) == Some(Choice::Accept)
    }

    /// Whether a task of this environment was rejected.
    pub fn reject(&self, env: &str, task: &str) -> bool {
        self.choice(env, task) == Some(Choice::Reject)
    }

    fn choice(&self, env: &str, task: &str) -> Option<Choice> {
        let of = |env: &str| self.0.get(&(env.to_owned(), task.to_owned()));
        of(env).or_else(|| of("")).copied()
    }
}

/// The code of the problem of a rejected task.
pub const REJECTED_BY_PERSON: &str = "rejected_by_person";
/// The code of a comment on a task that was not rejected.
pub const COMMENT_OF_PERSON: &str = "comment_of_person";
