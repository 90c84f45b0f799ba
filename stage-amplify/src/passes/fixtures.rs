//! The fixtures pass: test states with a known verdict, written without sight of the verifier.

use common::record::{Files, Record, Usage};
use model_client::{ModelAnswer, Prefix};
use task_spec::files::Role;
use task_spec::fixtures::{FILE_NAME, Fixtures};

use super::tasks;
use crate::ask::{Asker, Attempts, Halt, Question, Unanswered};
use crate::corpus::Corpus;
use crate::pipeline;
use crate::prompts::fixtures_prefix;
use crate::session::Session;
use crate::writer::Writer;

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation.
const MAX_OUTPUT_TOKENS: u64 = 32_000;

/// Files that the model does not see. Fixtures have a value only if their author does not know how the result is
/// validated. The setup is shown: only it tells what the baseline in the result holds.
const HIDDEN: [Role; 4] = [Role::Verifier, Role::Checklist, Role::Evidence, Role::Fixtures];

/// Has fixtures written for the tasks that come in as `files` or `task` records.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let tasks = tasks::incoming(session, writer, &HIDDEN)?;
    let corpus = Corpus::of_run(session.settings, session.ui)?;
    let prefix = fixtures_prefix(session.asker.templates, &corpus)?;
    let prefix = session.prefixes.prefix("fixtures", 1, prefix)?;
    pipeline::write_tasks(session, writer, tasks, |task| add_fixtures(session.asker, &prefix, task))
}

/// The task with fixtures among its files. If that fails, the task as it is, and the failure.
fn add_fixtures(asker: Asker<'_>, prefix: &Prefix, task: &Files) -> Result<Vec<Record>, Unanswered> {
    let mut task = task.clone();
    if task.files.contains_key(FILE_NAME) {
        return Ok(vec![Record::Files(task)]);
    }
    match write(asker, prefix, &task) {
        Ok((fixtures, usage)) => {
            task.files.insert(FILE_NAME.to_owned(), fixtures);
            task.usage += usage;
            Ok(vec![Record::Files(task)])
        }
        Err(Unanswered::Failed(failure)) => Ok(vec![Record::Files(task), Record::Failure(*failure)]),
        Err(halt) => Err(halt),
    }
}

fn write(asker: Asker<'_>, prefix: &Prefix, task: &Files) -> Result<(String, Usage), Unanswered> {
    let question =
        Question::about(task, "fixtures", prefix, tasks::variables(task, &HIDDEN), MAX_OUTPUT_TOKENS);
    let mut attempts = Attempts::default();
    let (fixtures, _) = asker.ask(&question, &mut attempts, read)?;
    Ok((fixtures, attempts.usage))
}

/// The fixtures in an answer, or what is wrong with them, in words for the model.
fn read(answer: &ModelAnswer) -> Result<String, Vec<String>> {
    let mut files = answer::parse(&answer.text, answer.stop).files;
    let Some(text) = files.remove(FILE_NAME) else {
        return Err(vec![format!("there was no {FILE_NAME} in it")]);
    };
    match check(&text) {
        Ok(()) => Ok(text),
        Err(problem) => Err(vec![problem]),
    }
}

fn check(text: &str) -> Result<(), String> {
    let fixtures: Fixtures = serde_json::from_str(text)
        .map_err(|error| format!("{FILE_NAME} does not have the requested form: {error}"))?;
    if fixtures.golden.is_empty() {
        return Err("there was no golden state".to_owned());
    }
    if fixtures.states().any(|(_, state)| state.files.is_empty()) {
        return Err("a state has no files".to_owned());
    }
    Ok(())
}
