//! The states a verifier is run in, and what a sound one says in each.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use task_spec::fixtures::{Fixture, Fixtures};

use crate::untouched;

/// A state of the environment, as the verifier gets to see it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct State {
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) expected: Expected,
    /// What `copy_from_env` delivers, by path.
    pub(crate) files: BTreeMap<String, File>,
    /// What it delivers for any other path.
    pub(crate) otherwise: Otherwise,
    /// What `exec_capture` prints, by command.
    pub(crate) commands: BTreeMap<String, String>,
    /// What `query_vlm` answers.
    pub(crate) vlm: Vlm,
}

/// What a sound verifier says of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// No pass, no score: nothing was done.
    Nothing,
    /// A pass.
    Golden,
    /// No pass, a score in between.
    Partial,
    /// No pass, next to no score.
    WrongTarget,
    /// No pass: something is wrong. It may be something that does not matter.
    Mutant,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum File {
    /// As it is.
    Text(String),
    /// In Base64.
    Base64(String),
    /// What this program in Python would dump, read off its text.
    Python(String),
}

/// What a path comes to that a state says nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// No such file.
    Missing,
    /// `{}` where the name ends in `.json`, else an empty file.
    Empty,
    /// Bytes that are neither JSON nor text.
    Garbled,
}

/// What a vision model says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Vlm {
    /// That there is none.
    Unavailable,
    /// That it sees nothing of what it is asked for.
    SeesNothing,
    /// Yes.
    Agrees,
    /// This.
    Parsed(Value),
}

impl State {
    fn new(name: &str, expected: Expected, otherwise: Otherwise) -> Self {
        Self {
            name: name.to_owned(),
            expected,
            files: BTreeMap::new(),
            otherwise,
            commands: BTreeMap::new(),
            vlm: Vlm::SeesNothing,
        }
    }

    /// A state that a task brings along, or one made from it.
    pub(crate) fn of_fixture(name: String, expected: Expected, fixture: &Fixture) -> Self {
        let texts = fixture.files.iter().map(|(path, content)| (path.clone(), File::Text(text_of(content))));
        let bytes =
            fixture.base64.iter().map(|(path, content)| (path.clone(), File::Base64(content.clone())));
        let by_default = if expected == Expected::Golden { Vlm::Agrees } else { Vlm::SeesNothing };
        Self {
            name,
            expected,
            files: texts.chain(bytes).collect(),
            otherwise: Otherwise::Missing,
            commands: fixture.commands.clone(),
            vlm: fixture.vlm.clone().map_or(by_default, Vlm::Parsed),
        }
    }
}

/// The text of a file whose content is given as it is, or as the JSON that stands in it.
fn text_of(content: &Value) -> String {
    content.as_str().map_or_else(|| content.to_string(), str::to_owned)
}

/// The states of a task: those that need nothing of it, the one its export script gives away, and those in
/// its fixtures.
pub(crate) fn of_task(export_script: Option<&str>, fixtures: &Fixtures) -> Vec<State> {
    let nothing = |name, otherwise| State::new(name, Expected::Nothing, otherwise);
    let mut states = vec![
        nothing("no_result", Otherwise::Missing),
        nothing("empty_result", Otherwise::Empty),
        nothing("garbled_result", Otherwise::Garbled),
    ];
    let written = export_script.map(untouched::results).unwrap_or_default();
    if !written.is_empty() {
        states.push(State { files: written.clone(), ..nothing("untouched", Otherwise::Missing) });
    }
    let otherwise = if written.is_empty() { Otherwise::Empty } else { Otherwise::Missing };
    states.push(State { files: written, vlm: Vlm::Unavailable, ..nothing("no_model", otherwise) });
    states.extend(fixtures.states().map(|(name, fixture)| {
        let expected = if name.starts_with("golden") {
            Expected::Golden
        } else if name.starts_with("partial") {
            Expected::Partial
        } else if name.starts_with("wrong_target") {
            Expected::WrongTarget
        } else {
            Expected::Nothing
        };
        State::of_fixture(name, expected, fixture)
    }));
    states
}
