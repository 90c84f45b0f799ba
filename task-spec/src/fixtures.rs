//! `fixtures.json`: states of the environment that a task brings along, with the verdict each deserves.
//!
//! A verifier is trusted only after it was run. Some states need nothing but the task: no result, an empty
//! one. Others only its author knows: what is there when the task was done well, half-way, or to the wrong
//! object. They stand in the task folder, beside `verifier.py`:
//!
//! ```
//! use task_spec::fixtures::Fixtures;
//!
//! let fixtures: Fixtures = serde_json::from_str(
//!     r#"{
//!         "golden": [{
//!             "about": "The two cohorts were merged and the old one is gone",
//!             "files": {"/tmp/task_result.json": {"merged": true, "members": 12, "old_cohort_exists": false}}
//!         }],
//!         "partial": [{
//!             "about": "Merged, but the old cohort was left",
//!             "files": {"/tmp/task_result.json": {"merged": true, "members": 12, "old_cohort_exists": true}}
//!         }],
//!         "wrong_target": [{
//!             "about": "Two other cohorts were merged",
//!             "files": {"/tmp/task_result.json": {"merged": false, "members": 7, "old_cohort_exists": true}}
//!         }],
//!         "untouched": [{
//!             "about": "Nothing was done: the result as the export writes it then",
//!             "files": {"/tmp/task_result.json": {"merged": false, "members": 7, "old_cohort_exists": true}}
//!         }]
//!     }"#,
//! )?;
//! let states: Vec<_> = fixtures.states().map(|(state, _)| state).collect();
//! assert_eq!(states, ["golden", "partial", "wrong_target", "untouched_fixture"]);
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The file's name in a task folder.
pub const FILE_NAME: &str = "fixtures.json";

/// The content of `fixtures.json`. Every list may be empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fixtures {
    /// The task was done well. The verifier must pass each.
    pub golden: Vec<Fixture>,
    /// The task was done in part. No pass, and a score above zero and below the best.
    pub partial: Vec<Fixture>,
    /// All of it was done, to another object than the task names. No pass, and next to no score.
    pub wrong_target: Vec<Fixture>,
    /// Nothing was done. No pass, and no score.
    pub untouched: Vec<Fixture>,
}

/// One state: what the verifier finds when it looks into the environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fixture {
    /// What was done to get here, for people.
    pub about: String,
    /// What `copy_from_env` delivers, by absolute path in the environment: a string is the file's text as
    /// it is, any other value is written as JSON. A path that is not named does not exist.
    pub files: BTreeMap<String, Value>,
    /// Binary files, by path, in Base64.
    pub base64: BTreeMap<String, String>,
    /// SQLite databases, by path, as the SQL statements that build them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sqlite: BTreeMap<String, String>,
    /// ZIP archives, by path, as the text of each of their entries: spreadsheets and documents too.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub zip: BTreeMap<String, BTreeMap<String, String>>,
    /// What `exec_capture` prints, by command. Any other command prints nothing.
    pub commands: BTreeMap<String, String>,
    /// What a vision model answers in this state, as the object that `query_vlm` returns under `parsed`.
    /// Without one it sees what the state claims: all of it in a golden one, nothing in any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlm: Option<Value>,
}

impl Fixture {
    /// Whether the state has no files.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.base64.is_empty() && self.sqlite.is_empty() && self.zip.is_empty()
    }
}

impl Fixtures {
    /// The JSON Schema of `fixtures.json`, which stands beside those of the records.
    pub fn schema() -> Schema {
        schema_for!(Self)
    }

    /// The states with their names: the first of a kind has the kind's name, the next ones a number after
    /// it. Untouched ones are told apart from the one that is derived from `export_result.sh`.
    pub fn states(&self) -> impl Iterator<Item = (String, &Fixture)> {
        [
            ("golden", &self.golden),
            ("partial", &self.partial),
            ("wrong_target", &self.wrong_target),
            ("untouched_fixture", &self.untouched),
        ]
        .into_iter()
        .flat_map(|(kind, fixtures)| {
            fixtures.iter().enumerate().map(move |(index, fixture)| match index {
                0 => (kind.to_owned(), fixture),
                _ => (format!("{kind}_{}", index + 1), fixture),
            })
        })
    }
}
