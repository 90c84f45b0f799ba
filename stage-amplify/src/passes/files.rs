//! The files pass: the files of one task, written from its README.

use answer::ParsedAnswer;
use common::environment::TaskName;
use common::record::{Files, Problem, Spec};
use model_client::{ModelAnswer, Prefix};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use task_spec::files::{CORE_FILES, Role};

use super::rejections;
use crate::ask::{Asker, Attempts, Question, Unanswered};

/// The maximum number of output tokens, reasoning included. A limit against runaway answers, not an expectation:
/// of 11,982 tasks of the published corpus, all but a dozen have less than 11,500 tokens.
const MAX_OUTPUT_TOKENS: u64 = 64_000;

/// The file that is not requested, because it is there.
const README: &str = "README.md";

/// Files that other passes write. They have a value only if their author has not seen the verifier.
const OF_OTHERS: [Role; 3] = [Role::Checklist, Role::Evidence, Role::Fixtures];

/// Asks for the files of the task with this README.
pub(super) fn write(asker: Asker<'_>, prefix: &Prefix, spec: &Spec) -> Result<Files, Unanswered> {
    let question = Question {
        pass: "files",
        prefix,
        env: &spec.env,
        task: &spec.task,
        index: spec.index,
        annotations: &spec.annotations,
        variables: variables(&spec.task, &spec.readme),
        max_output_tokens: MAX_OUTPUT_TOKENS,
    };
    let mut attempts = Attempts::default();
    let (usable, answer) = asker.ask(&question, &mut attempts, |answer| read(answer, spec))?;
    Ok(Files {
        env: spec.env.clone(),
        task: Some(spec.task.clone()),
        index: spec.index,
        files: usable.files,
        answer: answer.text,
        problems: usable.problems,
        model: answer.model,
        usage: attempts.usage,
        annotations: spec.annotations.clone(),
    })
}

/// The variables of `files.ask.md`.
pub(crate) fn variables(task: &str, readme: &str) -> Map<String, Value> {
    [("task", task), ("readme", readme)]
        .map(|(name, text)| (name.to_owned(), text.into()))
        .into_iter()
        .collect()
}

/// The files of a usable answer.
struct Usable {
    files: BTreeMap<String, String>,
    /// What was wrong and could be repaired.
    problems: Vec<Problem>,
}

/// The files in an answer, together with the README they were written from; or what keeps them from being
/// published, in words for the model.
fn read(answer: &ModelAnswer, spec: &Spec) -> Result<Usable, Vec<String>> {
    let mut found = answer::parse(&answer.text, answer.stop);
    leave_out(&mut found);
    found.files.insert(README.to_owned(), format!("{}\n", spec.readme.trim_end()));
    let validated = found.validate(TaskName::new(&spec.task).as_ref());
    if validated.is_valid() {
        Ok(Usable { files: validated.files, problems: validated.problems })
    } else {
        Err(rejections(&validated.problems))
    }
}

/// Leaves out the files that are not this author's to write, with a problem for each.
fn leave_out(found: &mut ParsedAnswer) {
    for file in CORE_FILES.iter().filter(|file| OF_OTHERS.contains(&file.role)) {
        if found.files.remove(file.name).is_some() {
            let message = format!("{} was left out: its author must not have seen the verifier", file.name);
            found.problems.push(Problem::new("left_out", message));
        }
    }
}
