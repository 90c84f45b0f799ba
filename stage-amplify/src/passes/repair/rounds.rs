//! How often each task was repaired, in `repairs.json` of the run directory, and what each repair made of it, in
//! `repairs/TASK/NUMBER.jsonl`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use common::jsonl::write_record;
use common::publish::{write_file_atomic, write_json};
use common::record::{Files, Record};
use common::run_dir::RunDir;
use fs_err as fs;

use super::task::FaultyTask;

/// The fingerprints of the repairs of each task. A repair that is run again, after an interruption, has the
/// same fingerprint and counts once.
pub(super) struct Rounds {
    path: PathBuf,
    /// The folder of the repaired tasks.
    kept: PathBuf,
    repairs: BTreeMap<String, BTreeSet<String>>,
}

impl Rounds {
    /// Reads the file; without one, no task was repaired.
    pub(super) fn read(run_dir: &RunDir) -> Result<Self> {
        let path = run_dir.root().join("repairs.json");
        let mut repairs = BTreeMap::new();
        if path.exists() {
            let text = fs::read_to_string(&path)?;
            repairs = serde_json::from_str(&text)
                .with_context(|| format!("cannot read {}: fix it or delete it", path.display()))?;
        }
        Ok(Self { path, kept: run_dir.root().join("repairs"), repairs })
    }

    /// The number of repairs that the task has had, without this one.
    pub(super) fn spent(&self, task: &FaultyTask) -> usize {
        let fingerprint = task.fingerprint();
        let repairs = self.repairs.get(task.task.as_str());
        repairs.map_or(0, |repairs| repairs.iter().filter(|other| **other != fingerprint).count())
    }

    /// Counts these repairs.
    pub(super) fn add(&mut self, tasks: &[FaultyTask]) -> Result<()> {
        for task in tasks {
            self.repairs.entry(task.task.to_string()).or_default().insert(task.fingerprint());
        }
        Ok(write_json(&self.path, &self.repairs)?)
    }

    /// Keeps what this repair made of the task, beside what earlier ones made of it.
    pub(super) fn keep(&self, task: &FaultyTask, repaired: &Files) -> Result<()> {
        let folder = self.kept.join(task.task.as_str());
        fs::create_dir_all(&folder)?;
        let mut line = Vec::new();
        write_record(&mut line, &Record::Files(repaired.clone()))?;
        Ok(write_file_atomic(&folder.join(format!("{}.jsonl", self.spent(task) + 1)), &line)?)
    }
}
