//! The checklist pass: what a vision model looks for in screenshots, and the privileged information behind it, written
//! without sight of the verifier's code.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use common::record::{Failure, Files, Problem, Usage};
use model_client::{ModelAnswer, Prefix};
use serde_json::{Map, Value as Json, json};
use task_spec::checklist::{
    CHECKLIST, EVIDENCE, Fault, Finding, Ground, PI_CONTRADICTED, Status, checklist_faults, evidence_faults,
};
use task_spec::files::Role;
use task_spec::pyjson;
use task_spec::value::Value;

use super::evidence::settle_statuses;
use super::{rejections, tasks};
use crate::ask::{Asker, Attempts, Halt, Question, Unanswered};
use crate::corpus::{Corpus, Excerpt, excerpts};
use crate::prompts::checklist_prefix;
use crate::session::Session;
use crate::writer::Writer;

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation.
const MAX_OUTPUT_TOKENS: u64 = 32_000;

/// Files that the model does not see. A checklist that is derived from the verifier's code repeats its mistakes.
const HIDDEN: [Role; 4] = [Role::Verifier, Role::Checklist, Role::Evidence, Role::Fixtures];

/// The number of completion items that a checklist may have.
const COMPLETION_ITEMS: std::ops::RangeInclusive<usize> = 4..=8;

/// The most levels of lists and objects in an answer. The requested form has three; a value may be a list.
const MAX_LEVELS: usize = 16;

/// The number of integrity items that a checklist has.
const INTEGRITY_ITEMS: usize = 3;

/// Has checklists written for the tasks that come in as `files` or `task` records.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let tasks = tasks::incoming(session, writer, &HIDDEN)?;
    let corpus = Corpus::of_run(session.settings, session.ui)?;
    let prefix = prefix(session, &corpus, 1)?;
    let author = Author { asker: session.asker, prefix: &prefix, root: &session.settings.environment.root };
    tasks::add_to_each(session, writer, tasks, |task| author.add(task))
}

/// The prefix of the pass for tasks of the batch that begins with the row `first`.
pub(super) fn prefix(session: &Session<'_>, corpus: &Corpus, first: usize) -> anyhow::Result<Prefix> {
    session.prefixes.prefix("checklist", first, checklist_prefix(session.asker.templates, corpus)?)
}

/// The variables of `checklist.ask.md`.
pub(crate) fn variables(task: &str, files: &BTreeMap<String, String>) -> Map<String, Json> {
    [("task".to_owned(), task.into()), ("files".to_owned(), json!(shown(files)))].into_iter().collect()
}

/// Has checklists written. Any number of threads may share it.
#[derive(Clone, Copy)]
pub(super) struct Author<'a> {
    pub(super) asker: Asker<'a>,
    pub(super) prefix: &'a Prefix,
    /// The folder of the environment, which sources may name files of.
    pub(super) root: &'a Path,
}

/// A usable answer.
struct Written {
    /// The checklist and its evidence.
    files: BTreeMap<String, String>,
    /// Contradictions that the model could not remove.
    problems: Vec<Problem>,
}

impl Author<'_> {
    /// Adds a checklist and its evidence to a task that lacks one of them. If that fails, the task stays as it is.
    pub(super) fn add(&self, task: &mut Files) -> Result<Option<Box<Failure>>, Unanswered> {
        if task.files.contains_key(CHECKLIST) && task.files.contains_key(EVIDENCE) {
            return Ok(None);
        }
        match self.write(task) {
            Ok((written, usage)) => {
                task.files.extend(written.files);
                task.problems.extend(written.problems);
                task.usage += usage;
                Ok(None)
            }
            Err(Unanswered::Failed(failure)) => Ok(Some(failure)),
            Err(halt) => Err(halt),
        }
    }

    fn write(&self, task: &Files) -> Result<(Written, Usage), Unanswered> {
        let variables = variables(tasks::task_name(task), &task.files);
        let question = Question::about(task, "checklist", self.prefix, variables, MAX_OUTPUT_TOKENS);
        let mut attempts = Attempts::default();
        let answers = Cell::new(0);
        let read = |answer: &ModelAnswer| {
            answers.set(answers.get() + 1);
            self.read(answer, task, answers.get() >= self.asker.max_candidates)
        };
        let (written, _) = self.asker.ask(&question, &mut attempts, read)?;
        Ok((written, attempts.usage))
    }

    /// The checklist and its evidence in an answer, or what is wrong with them, in words for the model. In the last
    /// answer, contradictions between the files of the task are kept as problems: the model cannot remove them.
    fn read(&self, answer: &ModelAnswer, task: &Files, is_last: bool) -> Result<Written, Vec<String>> {
        let name = tasks::task_name(task);
        let parsed = answer::parse(&answer.text, answer.stop);
        if !parsed.is_valid() {
            return Err(rejections(&parsed.problems));
        }
        let mut given = parsed.files;
        let checklist = object(&mut given, CHECKLIST, name)?;
        let evidence = object(&mut given, EVIDENCE, name)?;
        let mut files = task.files.clone();
        files.insert(CHECKLIST.to_owned(), format!("{:#}\n", checklist.to_json()));
        files.insert(EVIDENCE.to_owned(), format!("{:#}\n", evidence.to_json()));
        let findings = settle_statuses(&mut files, self.root);
        let settled = files.get(EVIDENCE).and_then(|text| pyjson::parse(text).ok()).unwrap_or(evidence);
        let mut wrong = wrong_numbers(&checklist);
        wrong.extend(messages(CHECKLIST, checklist_faults(&checklist, name)));
        wrong.extend(messages(EVIDENCE, evidence_faults(&settled, name)));
        if findings.is_empty() {
            wrong.push(format!("{EVIDENCE} has no items"));
        }
        if !is_last {
            wrong.extend(findings.iter().filter_map(unproved));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        files.retain(|name, _| name == CHECKLIST || name == EVIDENCE);
        Ok(Written { files, problems: findings.iter().filter_map(contradiction).collect() })
    }
}

/// The files that the model sees. Lines of scripts are numbered, so that sources can name them.
fn shown(files: &BTreeMap<String, String>) -> Vec<Excerpt> {
    let mut shown = excerpts(files, &HIDDEN);
    for excerpt in shown.iter_mut().filter(|excerpt| excerpt.name != "README.md") {
        let lines = excerpt.text.lines().zip(1..);
        excerpt.text =
            lines.map(|(line, number)| format!("{number:>4}  {line}")).collect::<Vec<_>>().join("\n");
    }
    shown
}

/// A JSON object among the files of an answer, with the id of the task.
fn object(files: &mut BTreeMap<String, String>, file: &str, task: &str) -> Result<Value, Vec<String>> {
    let Some(text) = files.remove(file) else { return Err(vec![format!("there was no {file} in it")]) };
    let parsed = pyjson::parse(&text).map_err(|error| vec![format!("{file} is not valid JSON: {error}")])?;
    if parsed.levels() > MAX_LEVELS {
        return Err(vec![format!("{file} is nested too deeply")]);
    }
    let Value::Map(mut map) = parsed else { return Err(vec![format!("{file} is not an object")]) };
    map.entries.shift_insert(0, "task_id".to_owned(), Value::String(format!("{task}@1")));
    Ok(Value::Map(map))
}

fn wrong_numbers(checklist: &Value) -> Vec<String> {
    let count = |list: &str| checklist.get(list).and_then(Value::as_list).map_or(0, <[Value]>::len);
    let (completion, integrity) = (count("task_completion"), count("integrity"));
    let mut wrong = Vec::new();
    if !COMPLETION_ITEMS.contains(&completion) {
        wrong.push(format!("task_completion has {completion} items; it needs 4 to 8"));
    }
    if integrity != INTEGRITY_ITEMS {
        wrong.push(format!("integrity has {integrity} items; it needs {INTEGRITY_ITEMS}"));
    }
    wrong
}

fn messages(file: &str, faults: Vec<Fault>) -> impl Iterator<Item = String> {
    faults.into_iter().map(move |fault| format!("{file}: {}", fault.message))
}

/// What is wrong with an item that is not verified, in words for the model. It is not told what the verifier compares
/// with.
fn unproved((key, finding): &(String, Finding)) -> Option<String> {
    let is_proved = finding.status == Status::Verified || finding.ground == Some(Ground::Verifier);
    (!is_proved).then(|| format!("{EVIDENCE}, {key}: {}", finding.reason))
}

fn contradiction((key, finding): &(String, Finding)) -> Option<Problem> {
    let is_one = finding.status == Status::Contradicted;
    is_one.then(|| Problem::new(PI_CONTRADICTED, format!("{key}: {}", finding.reason)))
}
