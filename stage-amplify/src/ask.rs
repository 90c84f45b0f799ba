//! Sends a request again until the answer can be used.

use std::io;

use anyhow::Result;
use common::ordered::OrderedError;
use common::record::{Annotations, Failure, Files, Usage};
use common::text::with_hint;
use model_client::{AskError, Client, ModelAnswer, Prefix, Request};
use serde_json::{Map, Value};

use crate::progress::Steps;
use crate::prompts::Templates;

/// Asks the model. Any number of threads may share it.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) client: &'a Client,
    pub(crate) templates: &'a Templates,
    /// Counts usable answers.
    pub(crate) steps: &'a Steps,
    /// The maximum number of answers requested for one question.
    pub(crate) max_candidates: u32,
}

/// What is asked about one task. The call's label is `PASS/TASK`, its suffix is rendered from `PASS.ask.md`.
pub(crate) struct Question<'a> {
    pub(crate) pass: &'static str,
    pub(crate) prefix: &'a Prefix,
    pub(crate) env: &'a str,
    pub(crate) task: &'a str,
    /// The number of the task's row in the plan.
    pub(crate) index: usize,
    /// The annotations of the task, for its failure.
    pub(crate) annotations: &'a Annotations,
    /// The variables of the suffix's template; `problems` is added.
    pub(crate) variables: Map<String, Value>,
    /// The maximum number of output tokens, reasoning included.
    pub(crate) max_output_tokens: u64,
}

impl<'a> Question<'a> {
    /// The question of a pass about a task that has files.
    pub(crate) fn about(
        task: &'a Files,
        pass: &'static str,
        prefix: &'a Prefix,
        variables: Map<String, Value>,
        max_output_tokens: u64,
    ) -> Self {
        Self {
            pass,
            prefix,
            env: &task.env,
            task: task.task.as_deref().unwrap_or_default(),
            index: task.index,
            annotations: &task.annotations,
            variables,
            max_output_tokens,
        }
    }
}

/// The answers to a question so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    pub(crate) count: u32,
    /// Tokens of all answers, the usable one included.
    pub(crate) usage: Usage,
    /// What was wrong with the last answer, in words for the model.
    pub(crate) problems: Vec<String>,
}

/// Why a question has no usable answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// This task failed; others may not.
    Failed(Box<Failure>),
    /// The stage cannot go on.
    Halt(Halt),
}

/// Why the stage stops early.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The client accepts no further call: a limit, an interruption, or an error that every call would meet.
    Client(AskError),
    /// Anything else: a file that cannot be read or written, a template that cannot be rendered.
    Other(anyhow::Error),
}

impl Asker<'_> {
    /// Asks until `read` can use an answer. Each request after the first names the problems of the answer before it.
    /// `attempts` counts answers, and may start with those of earlier calls.
    pub(crate) fn ask<T>(
        &self,
        question: &Question<'_>,
        attempts: &mut Attempts,
        read: impl Fn(&ModelAnswer) -> Result<T, Vec<String>>,
    ) -> Result<(T, ModelAnswer), Unanswered> {
        while attempts.count < self.max_candidates {
            let request = self.request(question, attempts)?;
            let answer =
                self.client.ask(&request).map_err(|error| question.unanswered(error, attempts.count))?;
            attempts.count += 1;
            attempts.usage += answer.usage;
            match read(&answer) {
                Ok(usable) => {
                    self.steps.add(question.pass, 1);
                    return Ok((usable, answer));
                }
                Err(problems) => attempts.problems = problems,
            }
        }
        Err(question.failed("unusable_answers", question.no_usable_answer(attempts), attempts.count))
    }

    fn request(&self, question: &Question<'_>, attempts: &Attempts) -> Result<Request> {
        let mut variables = question.variables.clone();
        variables.insert("problems".to_owned(), attempts.problems.clone().into());
        Ok(Request {
            label: question.label(),
            prefix: question.prefix.clone(),
            suffix: self.templates.render(&format!("{}.ask.md", question.pass), variables)?,
            max_output_tokens: Some(question.max_output_tokens),
            sample: attempts.count,
        })
    }
}

impl Question<'_> {
    fn label(&self) -> String {
        format!("{}/{}", self.pass, self.task)
    }

    fn no_usable_answer(&self, attempts: &Attempts) -> String {
        format!(
            "no usable answer to {}; problems of the last one: {}; --max-candidates allows more attempts",
            self.label(),
            attempts.problems.join("; ")
        )
    }

    /// The result of a call that brought no answer, after `earlier` calls that brought one.
    fn unanswered(&self, error: AskError, earlier: u32) -> Unanswered {
        match error {
            AskError::GaveUp { code, message, hint, attempts } => {
                let message = with_hint(message, hint.as_deref());
                self.failed(code, message, earlier + attempts)
            }
            ended => Unanswered::Halt(Halt::Client(ended)),
        }
    }

    fn failed(&self, code: &str, message: String, attempts: u32) -> Unanswered {
        Unanswered::Failed(Box::new(Failure {
            env: self.env.to_owned(),
            task: Some(self.task.to_owned()),
            stage: "amplify".to_owned(),
            index: Some(self.index),
            code: code.to_owned(),
            message,
            attempts,
            annotations: self.annotations.clone(),
        }))
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<OrderedError> for Halt {
    fn from(error: OrderedError) -> Self {
        Self::Other(error.into())
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<anyhow::Error> for Unanswered {
    fn from(error: anyhow::Error) -> Self {
        Self::Halt(error.into())
    }
}

impl From<io::Error> for Unanswered {
    fn from(error: io::Error) -> Self {
        Self::Halt(error.into())
    }
}
