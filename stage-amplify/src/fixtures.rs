//! The fixtures pass: states whose verdict is known, by somebody who has not seen the verifier.

use std::collections::BTreeMap;

use anyhow::Result;
use common::record::{Files, Record};
use model_client::{ModelAnswer, Prefix};
use serde_json::json;
use task_spec::fixtures::{FILE_NAME, Fixtures};

use crate::maker::{Earlier, Maker, Missing};
use crate::task_files;

/// The most tokens of an answer, reasoning included.
const TOKENS: u64 = 32_000;

/// Files that whoever writes fixtures does not see.
const HIDDEN: [&str; 4] = ["verifier.py", "fixtures.json", "setup_task.sh", "setup_task.ps1"];

/// A task that gets fixtures: its files, with those in it. Also when that fails, the task goes on as it is,
/// and the failure beside it.
pub(crate) fn make(task: &Files, maker: &Maker<'_>, shared: &Prefix) -> Result<Vec<Record>, Missing> {
    if task.files.contains_key(FILE_NAME) {
        return Ok(vec![Record::Files(task.clone())]);
    }
    match ask(task, maker, shared) {
        Ok((fixtures, usage)) => {
            let mut with = task.clone();
            with.files.insert(FILE_NAME.to_owned(), fixtures);
            with.usage += usage.usage;
            Ok(vec![Record::Files(with)])
        }
        Err(Missing::Failed(failure)) => Ok(vec![Record::Files(task.clone()), Record::Failure(*failure)]),
        Err(ended) => Err(ended),
    }
}

fn ask(task: &Files, maker: &Maker<'_>, shared: &Prefix) -> Result<(String, Earlier), Missing> {
    let name = task.task.clone().unwrap_or_default();
    let shown = task_files::shown(&task.files, &HIDDEN);
    let ask = |problems: &[String]| {
        let context = json!({"task": name, "files": shown, "problems": problems});
        maker.templates.render("fixtures.ask.md", context)
    };
    let mut earlier = Earlier::default();
    let label = format!("fixtures/{name}");
    let (fixtures, _) = maker
        .ask_until((&label, TOKENS), shared, &mut earlier, &ask, judge)
        .map_err(|missing| missing.of_row(&task.env, &name, task.index))?;
    Ok((fixtures, earlier))
}

/// The fixtures in an answer, or what is wrong with it, in words for the model.
fn judge(answer: &ModelAnswer) -> Result<String, Vec<String>> {
    let files: BTreeMap<String, String> = answer::parse(&answer.text, answer.stop).files;
    let wrong = |why: String| Err(vec![why]);
    let Some(text) = files.get(FILE_NAME) else { return wrong(format!("there was no {FILE_NAME} in it")) };
    match serde_json::from_str::<Fixtures>(text) {
        Err(error) => wrong(format!("{FILE_NAME} is not of the form that was asked for: {error}")),
        Ok(fixtures) if fixtures.golden.is_empty() => wrong("there was no golden state".to_owned()),
        Ok(fixtures) if fixtures.states().any(|(_, state)| state.files.is_empty()) => {
            wrong("a state without files tells a verifier nothing".to_owned())
        }
        Ok(_) => Ok(text.clone()),
    }
}
