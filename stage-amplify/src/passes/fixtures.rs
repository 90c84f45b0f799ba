//! The fixtures pass: test states with a known verdict, written without sight of the verifier.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use common::record::{Files, Kind, Record, Task, Usage};
use model_client::{ModelAnswer, Prefix};
use serde_json::{Map, json};
use task_spec::files::{Role, read_folder};
use task_spec::fixtures::{FILE_NAME, Fixtures};

use super::unreadable;
use crate::ask::{Asker, Attempts, Halt, Question, Unanswered};
use crate::corpus::{Corpus, Source, excerpts};
use crate::incoming;
use crate::pipeline;
use crate::prompts::fixtures_prefix;
use crate::session::Session;
use crate::writer::Writer;

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation.
const MAX_OUTPUT_TOKENS: u64 = 32_000;

/// Files that the model does not see. Fixtures have a value only if their author knows neither how the result
/// is validated nor how the starting state is created.
const HIDDEN: [Role; 5] = [Role::Setup, Role::Verifier, Role::Checklist, Role::Evidence, Role::Fixtures];

/// Has fixtures written for the tasks that come in as `files` or `task` records.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let tasks = tasks(session, writer)?;
    let corpus = Corpus::of_run(session.settings, session.ui)?;
    let prefix = fixtures_prefix(session.asker.templates, &corpus)?;
    let prefix = session.prefixes.prefix("fixtures", 1, prefix)?;
    pipeline::write_tasks(session, writer, tasks, |task| add_fixtures(session.asker, &prefix, task))
}

/// The tasks that come in; if none comes in, those in the files manifest of the run directory.
fn tasks(session: &Session<'_>, writer: &mut Writer) -> Result<Vec<Files>, Halt> {
    let (settings, ui) = (session.settings, session.ui);
    let mut records = incoming::records(session, writer, "files", &[Kind::Files, Kind::Task])?;
    if records.is_empty() {
        records = incoming::manifest(&settings.run_dir.manifest("files"), Kind::Files, ui)?;
    }
    let mut tasks = Vec::new();
    for record in records {
        match record {
            Record::Files(files) if files.task.is_some() && !files.files.is_empty() => tasks.push(files),
            Record::Task(task) => tasks.extend(read_task(session, writer, task)?),
            _ => {}
        }
    }
    Ok(tasks)
}

/// The files of an extracted task; none if it is not in its environment.
fn read_task(session: &Session<'_>, writer: &mut Writer, task: Task) -> Result<Option<Files>> {
    if !task.status.is_live() {
        return Ok(None);
    }
    let index = task.index.unwrap_or_default();
    match read_files(session, &task) {
        Ok(files) => {
            Ok(Some(Files { env: task.env, task: Some(task.task), index, files, ..Files::default() }))
        }
        Err(error) => {
            let env = &session.settings.environment.name;
            let failure = unreadable(env, &task.task, index, &format!("{error:#}"));
            writer.record(&Record::Failure(*failure))?;
            Ok(None)
        }
    }
}

fn read_files(session: &Session<'_>, task: &Task) -> Result<BTreeMap<String, String>> {
    let (workspace, environment) = (&session.settings.workspace, &session.settings.environment);
    let dir = workspace.resolve(&task.dir)?;
    let below = dir.strip_prefix(&environment.root);
    let below =
        below.with_context(|| format!("{} is not in the environment {}", dir.display(), environment.name))?;
    let files = read_folder(&environment.root, below)?;
    let source = Source::of(environment, &session.settings.send);
    source
        .check_task(&below.to_string_lossy(), &files, &HIDDEN)
        .map_err(|refused| anyhow!(refused.to_string()))?;
    Ok(files)
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
    let name = task.task.as_deref().unwrap_or_default();
    let mut variables = Map::new();
    variables.insert("task".to_owned(), name.into());
    variables.insert("files".to_owned(), json!(excerpts(&task.files, &HIDDEN)));
    let question = Question {
        pass: "fixtures",
        prefix,
        env: &task.env,
        task: name,
        index: task.index,
        variables,
        max_output_tokens: MAX_OUTPUT_TOKENS,
    };
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
