//! gym-anything's list of valid tasks, `verified.json`. Several programs add to it: what they do not know stays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::publish::{PublishError, write_json};
use common::read::{FileError, read_regular};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

/// The longest list that is read, in bytes. The published one has 0.6 MB.
const MAX_BYTES: usize = 64 << 20;

/// Why a list is not read.
#[derive(Debug, Error)]
pub enum VerifiedError {
    /// The file cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: FileError,
    },
    /// The file holds something else.
    #[error("{} is not a list of valid tasks: {problem}", path.display())]
    NotAList {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: serde_json::Error,
    },
}

/// The valid tasks of all environments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct VerifiedTasks {
    /// The folder of the environments, as text.
    root: String,
    /// The names of the valid tasks of each environment. An environment without any is not written.
    pub by_environment: BTreeMap<String, BTreeSet<String>>,
    /// Fields that other programs wrote.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// The file.
#[derive(Serialize)]
struct Document<'a> {
    by_environment: BTreeMap<&'a str, &'a BTreeSet<String>>,
    generated_at: String,
    root: &'a str,
    schema_version: u32,
    task_count: usize,
    tasks: Vec<String>,
}

impl VerifiedTasks {
    /// An empty list for the environments in the folder `root`.
    pub fn new(root: impl Into<String>) -> Self {
        Self { root: root.into(), by_environment: BTreeMap::new(), others: BTreeMap::new() }
    }

    /// Reads the list at `path`.
    pub fn read(path: &Path) -> Result<Self, VerifiedError> {
        let bytes = read_regular(path, MAX_BYTES)
            .map_err(|problem| VerifiedError::Unreadable { path: path.to_owned(), problem })?;
        serde_json::from_slice(&bytes)
            .map_err(|problem| VerifiedError::NotAList { path: path.to_owned(), problem })
    }

    /// The valid tasks of an environment.
    pub fn environment(&mut self, name: &str) -> &mut BTreeSet<String> {
        self.by_environment.entry(name.to_owned()).or_default()
    }

    /// Writes the list with the time of now, as gym-anything formats it: sorted, with an indentation of two spaces.
    pub fn write(&self, path: &Path) -> Result<(), PublishError> {
        let by_environment: BTreeMap<&str, &BTreeSet<String>> = self
            .by_environment
            .iter()
            .filter(|(_, tasks)| !tasks.is_empty())
            .map(|(name, tasks)| (name.as_str(), tasks))
            .collect();
        // An environment's name with "/" sorts after it, so that the order of the pairs is not always that of the texts.
        let tasks: BTreeSet<String> = by_environment
            .iter()
            .flat_map(|(env, tasks)| tasks.iter().map(move |task| format!("{env}/{task}")))
            .collect();
        let document = Document {
            by_environment,
            generated_at: now(),
            root: &self.root,
            schema_version: 1,
            task_count: tasks.len(),
            tasks: tasks.into_iter().collect(),
        };
        let known = serde_json::to_value(document).map_err(std::io::Error::from)?;
        let mut all: BTreeMap<String, Value> = self.others.clone();
        all.extend(known.as_object().cloned().unwrap_or_default());
        write_json(path, &all.into_iter().collect::<Map<_, _>>())
    }
}

/// The time of now in the form of gym-anything's manifests: ISO 8601 in UTC, to the microsecond.
pub fn now() -> String {
    iso8601(Timestamp::now())
}

fn iso8601(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[test]
    fn times_are_in_utc_with_six_digits() {
        let time = Timestamp::from_millisecond(951_868_799_500).unwrap();
        assert_eq!(iso8601(time), "2000-02-29T23:59:59.500000+00:00");
        assert_eq!(iso8601(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000+00:00");
    }

    #[test]
    fn what_others_wrote_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("verified.json");
        fs::write(&path, r#"{"root": "r", "by_environment": {"z": ["b", "a"], "none": []}, "a_note": 1}"#)
            .unwrap();
        let mut list = VerifiedTasks::read(&path).unwrap();
        list.environment("z").insert("c".to_owned());
        list.environment("z-y").insert("d".to_owned());
        list.write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let keys: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  \"")).collect();
        assert_eq!(keys.len(), 7, "{text}");
        assert!(keys.is_sorted() && text.contains("\"a_note\": 1") && text.contains("\"task_count\": 4"));
        assert!(!text.contains("none"), "{text}");
        assert_eq!(VerifiedTasks::read(&path).unwrap().by_environment["z"].len(), 3);
    }
}
