//! The documents of a task that say what counts.

use std::collections::BTreeMap;

use common::text::one_line;
use task_spec::checklist::CHECKLIST;
use task_spec::pyjson;
use task_spec::value::Value;

use crate::passes::readme::{description, points_criteria};

/// The most rows of the README's table that have to be listed. Generated READMEs have up to ten.
const MAX_ROWS: usize = 40;

/// The documents, in the form in which quotes are looked up.
#[derive(Debug)]
pub(super) struct Documents {
    /// What the agent is given.
    pub(super) description: String,
    /// The README without its copy of the description.
    readme: String,
    /// The criteria in the README's table of points.
    pub(super) points: Vec<String>,
    /// The ids of the completion items of the checklist, in order.
    pub(super) items: Vec<String>,
    verifier: String,
}

impl Documents {
    /// The documents among the files of a task; none if one of them is missing.
    pub(super) fn of(files: &BTreeMap<String, String>) -> Option<Self> {
        let spec = pyjson::parse(files.get("task.json")?).ok()?;
        let description = spec.get("description").and_then(Value::as_str)?.to_owned();
        let checklist = pyjson::parse(files.get(CHECKLIST)?).ok()?;
        let completion = checklist.get("task_completion").and_then(Value::as_list)?;
        let ids = completion.iter().filter_map(|item| item.get("id").and_then(Value::as_str));
        let readme = files.get("README.md")?;
        Some(Self {
            readme: one_line(&without_description(readme)),
            points: points_criteria(readme).iter().take(MAX_ROWS).map(|row| one_line(row)).collect(),
            items: ids.map(str::to_owned).collect(),
            verifier: one_line(files.get("verifier.py")?),
            description,
        })
    }

    pub(super) fn description_has(&self, quote: &str) -> bool {
        one_line(&self.description).contains(&one_line(quote))
    }

    pub(super) fn readme_has(&self, quote: &str) -> bool {
        self.readme.contains(&one_line(quote))
    }

    pub(super) fn verifier_has(&self, quote: &str) -> bool {
        self.verifier.contains(&one_line(quote))
    }
}

/// The README without its section `Description`, which would make everything that is asked for seem to count.
fn without_description(readme: &str) -> String {
    match description(readme) {
        whole if whole.len() == readme.len() => readme.to_owned(),
        section => readme.replacen(section, "", 1),
    }
}
