//! The agreement pass: whether the description, the README, the checklist and the verifier of a task count the same.
//!
//! A model lists the criteria and quotes each document. Quotes and ids are checked against the files, and the
//! disagreements are computed from the list, not asked of the model.

mod criteria;
mod documents;

use common::record::{Agreement, Criterion, Files, Issue, Record, Severity};
use common::text::count;
use model_client::{ModelAnswer, Prefix};
use serde_json::{Map, Value};
use task_spec::files::Role;

use self::documents::Documents;
use super::{rejections, tasks};
use crate::ask::{Asker, Attempts, Halt, Question, Unanswered};
use crate::corpus::Corpus;
use crate::pipeline;
use crate::prompts::agreement_prefix;
use crate::session::Session;
use crate::writer::Writer;

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation.
const MAX_OUTPUT_TOKENS: u64 = 32_000;

/// Files of which the model sees nothing. What counts is in the others.
const UNSEEN: [Role; 4] = [Role::Setup, Role::Export, Role::Evidence, Role::Fixtures];

/// Files that the model does not see as they are. Of the spec, it sees the description.
const HIDDEN: [Role; 5] = [Role::Spec, Role::Setup, Role::Export, Role::Evidence, Role::Fixtures];

/// The file of an answer.
const ANSWER: &str = "agreement.json";

/// Has the documents compared of the tasks that come in as `files` or `task` records. Tasks without a checklist or
/// without a verifier are left out.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let incoming = tasks::incoming(session, writer, &UNSEEN)?;
    let total = incoming.len();
    let tasks: Vec<_> =
        incoming.into_iter().filter_map(|task| Some((Documents::of(&task.files)?, task))).collect();
    let left_out = total - tasks.len();
    if left_out > 0 {
        session.ui.info(format_args!(
            "{} left out: without a description, a README, a checklist and a verifier there is nothing to compare",
            count(left_out as u64, "task")
        ));
    }
    let corpus = Corpus::of_run(session.settings, session.ui)?;
    let prefix = agreement_prefix(session.asker.templates, &corpus)?;
    let prefix = session.prefixes.prefix("agreement", 1, prefix)?;
    pipeline::write_tasks(session, writer, tasks, |(documents, task)| {
        Ok(vec![Record::Agreement(compare(session.asker, &prefix, documents, task)?)])
    })
}

fn compare(
    asker: Asker<'_>,
    prefix: &Prefix,
    documents: &Documents,
    task: &Files,
) -> Result<Agreement, Unanswered> {
    let question = Question::about(task, "agreement", prefix, variables(documents, task), MAX_OUTPUT_TOKENS);
    let mut attempts = Attempts::default();
    let (criteria, answer) = asker.ask(&question, &mut attempts, |answer| read(answer, documents))?;
    let issues: Vec<Issue> = criteria.iter().flat_map(criteria::disagreements).collect();
    Ok(Agreement {
        env: task.env.clone(),
        task: tasks::task_name(task).to_owned(),
        index: task.index,
        ok: issues.iter().all(|issue| issue.severity != Severity::Error),
        criteria,
        issues,
        model: answer.model,
        usage: attempts.usage,
        annotations: task.annotations.clone(),
    })
}

/// The variables of `agreement.ask.md`.
fn variables(documents: &Documents, task: &Files) -> Map<String, Value> {
    let mut variables = tasks::variables(tasks::task_name(task), &task.files, &HIDDEN);
    variables.insert("description".to_owned(), documents.description.clone().into());
    variables
}

/// The criteria in an answer, or what is wrong with them, in words for the model.
fn read(answer: &ModelAnswer, documents: &Documents) -> Result<Vec<Criterion>, Vec<String>> {
    let mut parsed = answer::parse(&answer.text, answer.stop);
    if !parsed.is_valid() {
        return Err(rejections(&parsed.problems));
    }
    let Some(text) = parsed.files.remove(ANSWER) else {
        return Err(vec![format!("there was no {ANSWER} in it")]);
    };
    let criteria = criteria::parse(&text).map_err(|problem| vec![problem])?;
    let problems = criteria::problems(&criteria, documents);
    if problems.is_empty() { Ok(criteria) } else { Err(problems) }
}
