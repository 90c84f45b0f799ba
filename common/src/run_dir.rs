//! The run directory: the manifests, the journal and the logs of one run. All of it is plain text to read, edit
//! and resume from.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::lock::{LockError, is_unsupported};
use crate::publish::{PublishError, write_json};

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
            Self::Io(_) | Self::Publish(_) => None,
        }
    }
}

pub use crate::lock::Lock;

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

    /// Records in `run.json` the settings and the version of the stage with this short name. The entries of other
    /// stages stay.
    pub fn note(&self, stage: &str, asked: &impl Serialize) -> Result<(), RunDirError> {
        let path = self.root.join("run.json");
        // Stages of one pipe start at the same time: they take turns. On a file system without locks, the entry of
        // one of them may be lost.
        let turn = fs::File::create(self.root.join(".run.lock"))?;
        match turn.file().lock() {
            Err(error) if !is_unsupported(&error) => return Err(error.into()),
            _ => {}
        }
        let mut noted = self.noted();
        noted.insert(stage.to_owned(), json!({ "version": env!("CARGO_PKG_VERSION"), "asked": asked }));
        noted.sort_keys();
        Ok(write_json(&path, &noted)?)
    }

    /// The settings that [`note`](Self::note) recorded last for the stage with this short name; `null` without any.
    pub fn asked(&self, stage: &str) -> Value {
        self.noted()
            .get_mut(stage)
            .and_then(|noted| noted.get_mut("asked"))
            .map(Value::take)
            .unwrap_or_default()
    }

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
        run.note("extract", &json!({"overwrite": true})).unwrap();
        run.note("amplify", &json!({"count": 3})).unwrap();
        run.note("amplify", &json!({"count": 4})).unwrap();
        let noted: Value =
            serde_json::from_str(&fs::read_to_string(dir.path().join("run.json")).unwrap()).unwrap();
        assert_eq!(noted["amplify"]["asked"]["count"], 4);
        assert_eq!(noted["extract"]["asked"]["overwrite"], true);
        assert_eq!(run.asked("amplify")["count"], 4);
        assert!(run.asked("propose").is_null());
    }

    #[test]
    fn e2_a_file_system_without_locks_is_no_other_process() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        without_locks(libc::ENOLCK, || {
            let _lock = run.lock("amplify").unwrap();
            run.note("amplify", &json!({})).unwrap();
            let refused = run.lock("amplify").unwrap_err();
            assert!(
                refused.to_string().contains(&format!("(process {} on ", std::process::id())),
                "{refused}"
            );
            assert!(refused.hint().unwrap().contains(".amplify.holder"));
        });
    }
}
