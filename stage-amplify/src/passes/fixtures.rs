//! The fixtures pass: test states with a known verdict, written without sight of the verifier.

use std::collections::BTreeMap;

use common::record::{Failure, Files, Usage};
use model_client::{ModelAnswer, Prefix};
use serde_json::{Map, Value};
use task_spec::files::Role;
use task_spec::fixtures::{FILE_NAME, Fixtures};

use super::tasks;
use crate::ask::{Asker, Attempts, Halt, Question, Unanswered};
use crate::corpus::Corpus;
use crate::prompts::fixtures_prefix;
use crate::session::Session;
use crate::writer::Writer;

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation.
const MAX_OUTPUT_TOKENS: u64 = 32_000;

/// Files that the model does not see. Fixtures have a value only if their author does not know how the result is
/// validated. The setup is shown: only it tells what the baseline in the result holds.
const HIDDEN: [Role; 4] = [Role::Verifier, Role::Checklist, Role::Evidence, Role::Fixtures];

/// Has fixtures written for the tasks that come in as `files`, `task` or `seed` records.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let tasks = tasks::incoming(session, writer, &HIDDEN)?;
    let corpus = Corpus::of_run(session.settings, session.ui)?;
    let prefix = prefix(session, &corpus, 1)?;
    let author = Author { asker: session.asker, prefix: &prefix };
    tasks::add_to_each(session, writer, tasks, |task| author.add(task))
}

/// The prefix of the pass for tasks of the batch that begins with the row `first`.
pub(super) fn prefix(session: &Session<'_>, corpus: &Corpus, first: usize) -> anyhow::Result<Prefix> {
    session.prefixes.prefix("fixtures", first, fixtures_prefix(session.asker.templates, corpus)?)
}

/// The variables of `fixtures.ask.md`.
pub(crate) fn variables(task: &str, files: &BTreeMap<String, String>) -> Map<String, Value> {
    tasks::variables(task, files, &HIDDEN)
}

/// Has fixtures written. Any number of threads may share it.
#[derive(Clone, Copy)]
pub(super) struct Author<'a> {
    pub(super) asker: Asker<'a>,
    pub(super) prefix: &'a Prefix,
}

impl Author<'_> {
    /// Adds fixtures to a task that has none. If that fails, the task stays as it is.
    pub(super) fn add(&self, task: &mut Files) -> Result<Option<Box<Failure>>, Unanswered> {
        if task.files.contains_key(FILE_NAME) {
            return Ok(None);
        }
        match self.write(task) {
            Ok((fixtures, usage)) => {
                task.files.insert(FILE_NAME.to_owned(), fixtures);
                task.usage += usage;
                Ok(None)
            }
            Err(Unanswered::Failed(failure)) => Ok(Some(failure)),
            Err(halt) => Err(halt),
        }
    }

    fn write(&self, task: &Files) -> Result<(String, Usage), Unanswered> {
        let variables = variables(tasks::task_name(task), &task.files);
        let question = Question::about(task, "fixtures", self.prefix, variables, MAX_OUTPUT_TOKENS);
        let mut attempts = Attempts::default();
        let (fixtures, _) = self.asker.ask(&question, &mut attempts, read)?;
        Ok((fixtures, attempts.usage))
    }
}

/// The fixtures in an answer, or what is wrong with them, in words for the model.
fn read(answer: &ModelAnswer) -> Result<String, Vec<String>> {
    let mut files = answer::parse(&answer.text, answer.stop).files;
    let Some(text) = files.remove(FILE_NAME) else {
        return Err(vec![format!("there was no {FILE_NAME} in it")]);
    };
    match check(&text) {
        Ok(_) => Ok(text),
        Err(problem) => Err(vec![problem]),
    }
}

/// What is wrong with fixtures that a repair has changed, in words for the model. A repair corrects states; it
/// cannot get rid of them.
pub(super) fn check_repair(before: &str, after: &str) -> Result<(), String> {
    let (before, after) = (serde_json::from_str(before).unwrap_or_default(), check(after)?);
    for (kind, before, after) in numbers(&before, &after) {
        if after < before {
            return Err(format!("{FILE_NAME} had {before} states under {kind}, and now has {after}"));
        }
    }
    Ok(())
}

/// The numbers of states of each kind, in both fixtures.
fn numbers(before: &Fixtures, after: &Fixtures) -> [(&'static str, usize, usize); 4] {
    [
        ("golden", before.golden.len(), after.golden.len()),
        ("partial", before.partial.len(), after.partial.len()),
        ("wrong_target", before.wrong_target.len(), after.wrong_target.len()),
        ("untouched", before.untouched.len(), after.untouched.len()),
    ]
}

fn check(text: &str) -> Result<Fixtures, String> {
    let fixtures: Fixtures = serde_json::from_str(text)
        .map_err(|error| format!("{FILE_NAME} does not have the requested form: {error}"))?;
    if fixtures.golden.is_empty() {
        return Err("there was no golden state".to_owned());
    }
    if fixtures.states().any(|(_, state)| state.is_empty()) {
        return Err("a state has no files".to_owned());
    }
    Ok(fixtures)
}
