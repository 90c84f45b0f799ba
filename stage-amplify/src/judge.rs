//! Whether an answer to the files pass can be used.

use std::collections::BTreeMap;

use common::environment::TaskName;
use common::record::{Problem, Spec};
use model_client::ModelAnswer;

/// The name of the file that is not asked for, as it is there.
const README: &str = "README.md";

/// The files of a usable answer.
#[derive(Debug)]
pub(crate) struct Judged {
    /// Name and content of each.
    pub(crate) files: BTreeMap<String, String>,
    /// What was wrong, and could be mended.
    pub(crate) problems: Vec<Problem>,
}

/// The files in an answer, with the README they were written from; or what keeps them from being published,
/// in words for the model.
pub(crate) fn files(answer: &ModelAnswer, spec: &Spec) -> Result<Judged, Vec<String>> {
    let mut found = answer::parse(&answer.text, answer.stop);
    found.files.insert(README.to_owned(), format!("{}\n", spec.readme.trim_end()));
    let judged = found.judge(TaskName::new(&spec.task).as_ref());
    if judged.is_sound() {
        Ok(Judged { files: judged.files, problems: judged.problems })
    } else {
        Err(rejections(&judged.problems))
    }
}

/// What keeps an answer from being used, in words for the model.
pub(crate) fn rejections(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .filter(|problem| answer::rejects(problem))
        .map(|problem| problem.message.clone())
        .collect()
}
