//! The README and files passes of one row: ask, judge, and ask again with what was wrong.

use anyhow::Result;
use common::record::{Failure, Files, Plan, Spec, Usage};
use model_client::{AskError, Client, ModelAnswer, Prefix, Request};
use serde_json::json;

use crate::judge;
use crate::planner::as_line;
use crate::prompts::Templates;
use crate::readme;

/// The most tokens of a README and of a set of files, reasoning included. What a call may cost at worst is
/// reckoned with them.
const README_TOKENS: u64 = 32_000;
const FILES_TOKENS: u64 = 64_000;

/// What is to be made of a row.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) row: Plan,
    /// What the calls for READMEs begin with; none if the README is given.
    pub(crate) readme_prompt: Option<Prefix>,
    /// What the calls for files begin with; none if no files are wanted.
    pub(crate) files_prompt: Option<Prefix>,
    /// The README, where it is given.
    pub(crate) spec: Option<Spec>,
    /// How many READMEs were asked for already, what they took, and what was wrong with the last one.
    pub(crate) earlier: Earlier,
}

impl Job {
    /// A job for a row, for which nothing is wanted yet.
    pub(crate) fn of(row: Plan) -> Self {
        Self { row, readme_prompt: None, files_prompt: None, spec: None, earlier: Earlier::default() }
    }

    /// A job for a README that is given.
    pub(crate) fn of_spec(spec: Spec) -> Self {
        let row =
            Plan { env: spec.env.clone(), task: spec.task.clone(), index: spec.index, ..Plan::default() };
        Self { spec: Some(spec), ..Self::of(row) }
    }
}

/// Answers that were not good enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earlier {
    pub(crate) attempts: u32,
    pub(crate) usage: Usage,
    pub(crate) problems: Vec<String>,
}

/// What came of a job.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) job: Job,
    pub(crate) spec: Option<Spec>,
    pub(crate) files: Option<Files>,
    /// READMEs that were asked for in all.
    pub(crate) readmes: Earlier,
    /// Why something is missing.
    pub(crate) why: Option<Missing>,
}

impl Made {
    /// The same job again, as its README would not do.
    pub(crate) fn again(self, problem: &str) -> Job {
        Job { earlier: Earlier { problems: vec![problem.to_owned()], ..self.readmes }, ..self.job }
    }
}

/// Why a README or a set of files is missing.
#[derive(Debug)]
pub(crate) enum Missing {
    /// The whole run has ended.
    Ended(AskError),
    /// This row failed.
    Failed(Box<Failure>),
    /// Not the model's doing: the stage cannot go on.
    Broken(anyhow::Error),
}

/// Makes READMEs and files.
pub(crate) struct Maker<'a> {
    pub(crate) client: &'a Client,
    pub(crate) templates: &'a Templates,
    pub(crate) max_candidates: u32,
}

impl Maker<'_> {
    /// Does a job as far as it goes.
    pub(crate) fn make(&self, job: &Job) -> Made {
        let mut made = Made {
            job: job.clone(),
            spec: job.spec.clone(),
            files: None,
            readmes: job.earlier.clone(),
            why: None,
        };
        made.why = self.fill(&mut made).err();
        made
    }

    fn fill(&self, made: &mut Made) -> Result<(), Missing> {
        if let Some(shared) = made.job.readme_prompt.clone() {
            made.spec = Some(self.readme(&shared, &made.job.row, &mut made.readmes)?);
        }
        if let (Some(shared), Some(spec)) = (&made.job.files_prompt, &made.spec) {
            made.files = Some(self.files(shared, spec)?);
        }
        Ok(())
    }

    fn readme(&self, shared: &Prefix, row: &Plan, earlier: &mut Earlier) -> Result<Spec, Missing> {
        let line = as_line(row).map_err(Missing::Broken)?;
        let ask = |problems: &[String]| {
            self.templates
                .render("readme.ask.md", json!({"row": line, "task": row.task, "problems": problems}))
        };
        let label = format!("readme/{}", row.task);
        let (readme, answer) = self
            .ask_until((&label, README_TOKENS), shared, earlier, &ask, |answer| {
                readme::in_answer(&answer.text, answer.stop, &row.task).map_err(|why| vec![why])
            })
            .map_err(|missing| missing.of_row(&row.env, &row.task, row.index))?;
        Ok(Spec {
            env: row.env.clone(),
            task: row.task.clone(),
            index: row.index,
            readme,
            model: answer.model,
            usage: earlier.usage,
        })
    }

    fn files(&self, shared: &Prefix, spec: &Spec) -> Result<Files, Missing> {
        let ask = |problems: &[String]| {
            let readme = &spec.readme;
            self.templates
                .render("files.ask.md", json!({"readme": readme, "task": spec.task, "problems": problems}))
        };
        let label = format!("files/{}", spec.task);
        let mut earlier = Earlier::default();
        let (judged, answer) = self
            .ask_until((&label, FILES_TOKENS), shared, &mut earlier, &ask, |answer| {
                judge::files(answer, spec)
            })
            .map_err(|missing| missing.of_row(&spec.env, &spec.task, spec.index))?;
        Ok(Files {
            env: spec.env.clone(),
            task: Some(spec.task.clone()),
            index: spec.index,
            files: judged.files,
            answer: answer.text,
            problems: judged.problems,
            model: answer.model,
            usage: earlier.usage,
        })
    }

    /// Asks until an answer is judged usable, telling each time what was wrong with the one before.
    pub(crate) fn ask_until<T>(
        &self,
        (label, tokens): (&str, u64),
        shared: &Prefix,
        earlier: &mut Earlier,
        own: &impl Fn(&[String]) -> Result<String>,
        judge: impl Fn(&ModelAnswer) -> Result<T, Vec<String>>,
    ) -> Result<(T, ModelAnswer), Missing> {
        while earlier.attempts < self.max_candidates {
            let request = Request {
                label: label.to_owned(),
                prefix: shared.clone(),
                suffix: own(&earlier.problems).map_err(Missing::Broken)?,
                max_output_tokens: Some(tokens),
                sample: earlier.attempts,
            };
            let answer = self.client.ask(&request).map_err(|error| Missing::from(error, earlier.attempts))?;
            earlier.attempts += 1;
            earlier.usage += answer.usage;
            match judge(&answer) {
                Ok(judged) => return Ok((judged, answer)),
                Err(problems) => earlier.problems = problems,
            }
        }
        Err(Missing::failed(Failure {
            stage: "amplify".to_owned(),
            code: "unusable_answers".to_owned(),
            message: format!(
                "no usable answer to {label}; the last one: {}; --max-candidates allows more",
                earlier.problems.join("; ")
            ),
            attempts: earlier.attempts,
            ..Failure::default()
        }))
    }
}

impl Missing {
    fn failed(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }

    fn from(error: AskError, before: u32) -> Self {
        match error {
            AskError::GaveUp { code, message, attempts, .. } => Self::failed(Failure {
                stage: "amplify".to_owned(),
                code: code.to_owned(),
                message,
                attempts: before + attempts,
                ..Failure::default()
            }),
            ended => Self::Ended(ended),
        }
    }

    /// The same, of this row.
    pub(crate) fn of_row(self, env: &str, task: &str, index: usize) -> Self {
        match self {
            Self::Failed(failure) => Self::failed(Failure {
                env: env.to_owned(),
                task: Some(task.to_owned()),
                index: Some(index),
                ..*failure
            }),
            other => other,
        }
    }
}

/// A failure to make what a row asks for because it is a copy.
pub(crate) fn near_duplicate(row: &Plan, earlier: &Earlier, of: &str) -> Failure {
    Failure {
        env: row.env.clone(),
        task: Some(row.task.clone()),
        stage: "amplify".to_owned(),
        index: Some(row.index),
        code: "near_duplicate".to_owned(),
        message: format!("its description is nearly that of {of}; change its row in plan.jsonl"),
        attempts: earlier.attempts,
    }
}
