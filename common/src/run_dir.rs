//! The run directory: the manifests, the journal and the logs of one run. All of it is plain text to read, edit
//! and resume from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::lock::{LockError, is_unsupported};
use crate::publish::{PublishError, write_json};

/// The field of `run.json` with the name of the environment that the run directory belongs to.
const ENVIRONMENT: &str = "environment";
/// The field of `run.json` with what the run cost so far.
const COST: &str = "cost";

/// Why a run directory cannot be used.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// The folder cannot be created.
    #[error("cannot create the run directory")]
    Create(#[source] io::Error),
    /// Another process of the same stage uses it.
    #[error("another stage-{stage} (process {holder}) is running in {}", root.display())]
    Busy {
        /// The short name of the stage.
        stage: String,
        /// The id of the other process.
        holder: String,
        /// The run directory.
        root: PathBuf,
        /// The file that stands for the lock, on a file system without locks. It stays if the process is killed.
        file: Option<PathBuf>,
    },
    /// It holds the run of another environment.
    #[error("{} is the run directory of {owner}, not of {env}", root.display())]
    OtherEnvironment {
        /// The run directory.
        root: PathBuf,
        /// The name of the environment that it belongs to.
        owner: String,
        /// The name of the requested environment.
        env: String,
    },
    /// A file in it cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// `run.json` cannot be replaced.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl RunDirError {
    /// What to do next, where the message does not say it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Create(_) => Some("--run-dir selects another one".to_owned()),
            Self::Busy { file: None, .. } => Some("wait for it to end, or use another --run-dir".to_owned()),
            Self::Busy { file: Some(file), .. } => Some(format!(
                "wait for it to end, or use another --run-dir; if it has ended, remove {}",
                file.display()
            )),
            Self::OtherEnvironment { .. } => Some("use another --run-dir, or check --env-dir".to_owned()),
            Self::Io(_) | Self::Publish(_) => None,
        }
    }
}

pub use crate::lock::Lock;

/// What a run directory cost so far, over all commands that worked in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cost {
    /// What the answers in the journal cost, in US dollars, as far as that is known.
    pub dollars: f64,
    /// The most that calls without an answer may have cost on top of that, in US dollars. Calls of a killed process are
    /// not in it.
    pub lost_at_most: f64,
}

/// `run.json`: what was asked for in a run directory, and what it cost.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct RunFile {
    /// The name of the environment that the run directory belongs to.
    environment: String,
    cost: Option<Cost>,
    /// What was asked last of each stage, by its short name. The passes of stage-amplify over existing tasks have entries of
    /// their own: `checklist`, `fixtures`, `solution`, `agreement`, `repair`.
    #[serde(flatten)]
    stages: BTreeMap<String, Note>,
}

/// What was asked of a stage.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Note {
    /// The version of the stage.
    version: String,
    asked: Asked,
}

/// The settings of a stage, as far as later commands use them. Stages may add others.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Asked {
    /// The environment: its name, or its path below the workspace.
    environment: String,
    /// The name of the software.
    software: Option<String>,
    /// stage-amplify: the number of tasks.
    count: Option<usize>,
    /// stage-amplify: the name of the model.
    model: Option<String>,
    /// stage-amplify: the passes.
    #[serde(default)]
    passes: Vec<String>,
    /// stage-amplify: the accepted labels of difficulty; empty for all.
    #[serde(default)]
    difficulties: Vec<String>,
    /// stage-amplify: how long tasks are.
    horizon: Option<String>,
    /// stage-amplify: what selects one of several equally good examples.
    seed: Option<u64>,
    /// stage-propose: who writes the seeds.
    agent: Option<String>,
    /// stage-propose: the model of the agent.
    proposer_model: Option<String>,
    /// stage-propose: the number of seeds.
    seed_count: Option<u64>,
    /// stage-propose: the platforms whose notes the agent gets.
    #[serde(default)]
    platform: Vec<String>,
    /// stage-propose: the type of tasks whose notes it gets.
    task_type: Option<String>,
    /// stage-propose: the only task to change.
    edit_task: Option<String>,
}

/// A run directory that exists.
#[derive(Clone, Debug)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// The run directory at `root`. It is created if needed.
    pub fn open(root: &Path) -> Result<Self, RunDirError> {
        fs::create_dir_all(root).map_err(RunDirError::Create)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Locks the directory for the stage with this short name. Different stages use it at the same time; a second
    /// process of the same stage is refused.
    pub fn lock(&self, stage: &str) -> Result<Lock, RunDirError> {
        Lock::take(&self.root, stage).map_err(|error| match error {
            LockError::Taken { holder, file } => {
                RunDirError::Busy { stage: stage.to_owned(), holder, root: self.root.clone(), file }
            }
            LockError::Io(error) => RunDirError::Io(error),
        })
    }

    /// The path of the manifest `name`: `seeds`, `plan`, `specs`, `files`, `tasks`, `verdicts`, `probes`.
    pub fn manifest(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.jsonl"))
    }

    /// The path of the journal of paid answers.
    pub fn journal(&self) -> PathBuf {
        self.root.join("answers.jsonl")
    }

    /// The folder for logs. It is created if needed.
    pub fn logs(&self) -> Result<PathBuf, RunDirError> {
        let logs = self.root.join("logs");
        fs::create_dir_all(&logs)?;
        Ok(logs)
    }

    /// Refuses the run directory of an environment other than `env`.
    pub fn ensure_for(&self, env: &str) -> Result<(), RunDirError> {
        self.check_owner(&self.noted(), env)
    }

    /// Makes this the run directory of `env`, unless it belongs to another environment, which is an error.
    pub fn claim(&self, env: &str) -> Result<(), RunDirError> {
        self.update(env, |_| {})
    }

    /// Records in `run.json` the settings and the version of the stage with this short name, which works on `env`.
    /// The entries of other stages stay. Claims the run directory.
    pub fn note(&self, stage: &str, env: &str, asked: &impl Serialize) -> Result<(), RunDirError> {
        let entry = json!({ "version": env!("CARGO_PKG_VERSION"), "asked": asked });
        self.update(env, |noted| {
            noted.insert(stage.to_owned(), entry);
        })
    }

    /// Records in `run.json` what the run of `env` cost so far.
    pub fn note_cost(&self, env: &str, cost: &Cost) -> Result<(), RunDirError> {
        let cost = json!(cost);
        self.update(env, |noted| {
            noted.insert(COST.to_owned(), cost);
        })
    }

    /// What the run cost so far, as [`note_cost`](Self::note_cost) recorded it last.
    pub fn cost(&self) -> Cost {
        let cost = self.noted().get_mut(COST).map(Value::take).unwrap_or_default();
        serde_json::from_value(cost).unwrap_or_default()
    }

    /// Changes `run.json`. Stages of one pipe start at the same time: they take turns. On a file system without
    /// locks, the entry of one of them may be lost.
    fn update(&self, env: &str, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), RunDirError> {
        let turn = fs::File::create(self.root.join(".run.lock"))?;
        match turn.file().lock() {
            Err(error) if !is_unsupported(&error) => return Err(error.into()),
            _ => {}
        }
        let before = self.noted();
        self.check_owner(&before, env)?;
        let mut noted = before.clone();
        noted.insert(ENVIRONMENT.to_owned(), env.into());
        change(&mut noted);
        noted.sort_keys();
        if noted == before { Ok(()) } else { Ok(write_json(&self.root.join("run.json"), &noted)?) }
    }

    fn check_owner(&self, noted: &Map<String, Value>, env: &str) -> Result<(), RunDirError> {
        match noted.get(ENVIRONMENT).and_then(Value::as_str) {
            Some(owner) if owner != env => Err(RunDirError::OtherEnvironment {
                root: self.root.clone(),
                owner: owner.to_owned(),
                env: env.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The settings that [`note`](Self::note) recorded last for the stage with this short name; `null` without any.
    pub fn asked(&self, stage: &str) -> Value {
        self.noted()
            .get_mut(stage)
            .and_then(|noted| noted.get_mut("asked"))
            .map(Value::take)
            .unwrap_or_default()
    }

    /// What `run.json` holds.
    fn noted(&self) -> Map<String, Value> {
        let text = fs::read_to_string(self.root.join("run.json")).ok();
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::tests::without_locks;

    #[test]
    fn a_second_process_of_a_stage_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(&dir.path().join("a/b")).unwrap();
        let lock = run.lock("amplify").unwrap();
        let refused = run.lock("amplify").unwrap_err().to_string();
        assert!(refused.contains("another stage-amplify"), "{refused}");
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        run.lock("extract").unwrap();
        drop(lock);
        run.lock("amplify").unwrap();
    }

    #[test]
    fn stages_note_side_by_side_what_was_asked_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        run.note("extract", "a_env", &json!({"overwrite": true})).unwrap();
        run.note("amplify", "a_env", &json!({"count": 3})).unwrap();
        run.note("amplify", "a_env", &json!({"count": 4})).unwrap();
        let noted: Value =
            serde_json::from_str(&fs::read_to_string(dir.path().join("run.json")).unwrap()).unwrap();
        assert_eq!(noted["amplify"]["asked"]["count"], 4);
        assert_eq!(noted["extract"]["asked"]["overwrite"], true);
        assert_eq!(run.asked("amplify")["count"], 4);
        assert!(run.asked("propose").is_null());
        assert_eq!(noted["environment"], "a_env");
    }

    #[test]
    fn e2_a_file_system_without_locks_is_no_other_process() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        without_locks(libc::ENOLCK, || {
            let _lock = run.lock("amplify").unwrap();
            run.note("amplify", "a_env", &json!({})).unwrap();
            let refused = run.lock("amplify").unwrap_err();
            assert!(
                refused.to_string().contains(&format!("(process {} on ", std::process::id())),
                "{refused}"
            );
            assert!(refused.hint().unwrap().contains(".amplify.holder"));
        });
    }

    #[test]
    fn a_run_directory_belongs_to_one_environment() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        run.ensure_for("b_env").unwrap();
        run.claim("a_env").unwrap();
        run.claim("a_env").unwrap();
        let before = fs::read_to_string(dir.path().join("run.json")).unwrap();
        for refused in [run.ensure_for("b_env"), run.claim("b_env"), run.note("amplify", "b_env", &1)] {
            let message = refused.unwrap_err().to_string();
            assert_eq!(
                message,
                format!("{} is the run directory of a_env, not of b_env", dir.path().display())
            );
        }
        assert_eq!(fs::read_to_string(dir.path().join("run.json")).unwrap(), before);
    }
}
