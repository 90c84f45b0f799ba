//! The run directory: where the stages of one run keep their manifests, their journal and their logs.
//! All of it is plain text to read, edit and resume from.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::publish::write_file_atomic;

/// A run directory that is there.
#[derive(Clone, Debug)]
pub struct RunDir {
    root: PathBuf,
}

/// The right of one stage to work in a run directory. It ends with the value, or with the process.
#[derive(Debug)]
pub struct Lock {
    file: fs::File,
}

impl RunDir {
    /// The run directory at `root`, made if need be.
    pub fn open(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).context("cannot make the run directory; --run-dir names another")?;
        Ok(Self { root: root.to_owned() })
    }

    /// Its path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Claims the directory for the stage with this short name. The stages of a pipe work in it side by
    /// side; a second process of the same stage is refused.
    pub fn lock(&self, stage: &str) -> Result<Lock> {
        let path = self.root.join(format!(".{stage}.lock"));
        let file = fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        if file.try_lock().is_err() {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "another stage-{stage} (process {}) is at work in {}; wait for its end, or use another --run-dir",
                holder.trim(),
                self.root.display()
            );
        }
        let mut lock = Lock { file };
        lock.write_holder().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(lock)
    }

    /// The path of the manifest `name`: `seeds`, `plan`, `specs`, `files`, `tasks`, `verdicts`, `probes`.
    pub fn manifest(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.jsonl"))
    }

    /// The path of the journal of paid answers.
    pub fn journal(&self) -> PathBuf {
        self.root.join("answers.jsonl")
    }

    /// The folder for logs, made if need be.
    pub fn logs(&self) -> Result<PathBuf> {
        let logs = self.root.join("logs");
        fs::create_dir_all(&logs)?;
        Ok(logs)
    }

    /// Notes in `run.json` what the stage with this short name was asked for, and its version. What other
    /// stages noted stays.
    pub fn note(&self, stage: &str, asked: &impl Serialize) -> Result<()> {
        let path = self.root.join("run.json");
        // Stages of one pipe start at the same moment: they take turns.
        let turn = fs::File::create(self.root.join(".run.lock"))?;
        turn.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        let mut noted: Map<String, Value> = fs::read_to_string(&path)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        noted.insert(stage.to_owned(), json!({ "version": env!("CARGO_PKG_VERSION"), "asked": asked }));
        noted.sort_keys();
        let mut text = serde_json::to_string_pretty(&noted)?;
        text.push('\n');
        write_file_atomic(&path, text.as_bytes())?;
        Ok(())
    }
}

impl Lock {
    fn write_holder(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        writeln!(self.file, "{}", std::process::id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
