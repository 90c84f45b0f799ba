//! The states in which a verifier is run, and the verdict that a valid verifier gives in each.

use std::collections::BTreeMap;

use sandbox::{File, Otherwise, State, Vlm};
use serde_json::Value;
use task_spec::fixtures::{Fixture, Fixtures};

use crate::untouched;

/// A state with a known verdict.
#[derive(Clone, Debug)]
pub(crate) struct KnownState {
    pub(crate) name: String,
    pub(crate) expected: Expected,
    pub(crate) state: State,
}

/// The verdict that a valid verifier gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// No pass and no score: nothing was done.
    Nothing,
    /// A pass.
    Golden,
    /// No pass, and a score between 0 and 100.
    Partial,
    /// No pass, and almost no score.
    WrongTarget,
    /// No pass: one field is wrong. The field may be irrelevant.
    Mutant,
}

impl Expected {
    /// The verdict for a fixture with this name.
    fn of_fixture(name: &str) -> Self {
        if name.starts_with("golden") {
            Self::Golden
        } else if name.starts_with("partial") {
            Self::Partial
        } else if name.starts_with("wrong_target") {
            Self::WrongTarget
        } else {
            Self::Nothing
        }
    }
}

impl KnownState {
    /// A state in which nothing was done.
    fn nothing(name: &str, otherwise: Otherwise) -> Self {
        let state =
            State { files: BTreeMap::new(), otherwise, commands: BTreeMap::new(), vlm: Vlm::SeesNothing };
        Self { name: name.to_owned(), expected: Expected::Nothing, state }
    }

    /// Whether its files are derived from an export script.
    pub(crate) fn is_derived(&self) -> bool {
        self.state.files.values().any(|file| matches!(file, File::Python(_)))
    }

    /// A state that a task's fixtures describe. Unless the fixture says what a vision model answers, it agrees
    /// with everything in a golden state and in its mutants, and sees nothing in any other.
    pub(crate) fn of_fixture(name: String, expected: Expected, fixture: &Fixture) -> Self {
        let mut files = BTreeMap::new();
        for (path, content) in &fixture.files {
            files.insert(path.clone(), File::Text(text_of(content)));
        }
        for (path, content) in &fixture.base64 {
            files.insert(path.clone(), File::Base64(content.clone()));
        }
        for (path, statements) in &fixture.sqlite {
            files.insert(path.clone(), File::Sqlite(statements.clone()));
        }
        for (path, entries) in &fixture.zip {
            files.insert(path.clone(), File::Zip(entries.clone()));
        }
        let agrees = matches!(expected, Expected::Golden | Expected::Mutant);
        let default = if agrees { Vlm::Agrees } else { Vlm::SeesNothing };
        let state = State {
            files,
            otherwise: Otherwise::Missing,
            commands: fixture.commands.clone(),
            vlm: fixture.vlm.clone().map_or(default, Vlm::Parsed),
        };
        Self { name, expected, state }
    }
}

/// The text of a file whose content is given as text, or as the JSON in it.
fn text_of(content: &Value) -> String {
    content.as_str().map_or_else(|| content.to_string(), str::to_owned)
}

/// The states of a task: those that are the same for every task, the one that follows from its export script, and
/// those in its fixtures.
pub(crate) fn of_task(export_script: Option<&str>, fixtures: &Fixtures) -> Vec<KnownState> {
    let mut states = vec![
        KnownState::nothing("no_result", Otherwise::Missing),
        KnownState::nothing("empty_result", Otherwise::Empty),
        KnownState::nothing("garbled_result", Otherwise::Garbled),
    ];
    let written = export_script.map(untouched::results).unwrap_or_default();
    if !written.is_empty() {
        let mut untouched = KnownState::nothing("untouched", Otherwise::Missing);
        untouched.state.files.clone_from(&written);
        states.push(untouched);
    }
    let otherwise = if written.is_empty() { Otherwise::Empty } else { Otherwise::Missing };
    let mut no_model = KnownState::nothing("no_model", otherwise);
    no_model.state.files = written;
    no_model.state.vlm = Vlm::Unavailable;
    states.push(no_model);
    states.extend(fixtures.states().map(|(name, fixture)| {
        let expected = Expected::of_fixture(&name);
        KnownState::of_fixture(name, expected, fixture)
    }));
    states
}
