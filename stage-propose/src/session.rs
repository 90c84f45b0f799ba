//! What a later run has to know to resume a session.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::publish::write_json;
use common::run_dir::RunDir;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::phase::Phase;

/// The name of the file that keeps a session.
const FILE: &str = "session.json";

/// A session, as the `session.json` beside its logs keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Its id.
    pub(crate) id: String,
    /// Whether the agent has created the session, so that it can only be resumed.
    #[serde(rename = "begun")]
    pub(crate) exists: bool,
    /// Names of the folders below `tasks/` that the agent did not write in this session.
    pub(crate) tasks_before: BTreeSet<String>,
    /// Names of those that it wrote.
    #[serde(default)]
    tasks: BTreeSet<String>,
    /// Whether the agent is at work. If this is set when the session is opened, the last run was killed, and what
    /// the agent wrote was not checked.
    #[serde(default)]
    pub(crate) at_work: bool,
    /// The original id of the task that is reworked.
    #[serde(default)]
    pub(crate) task_id: Option<String>,
    #[serde(skip)]
    path: PathBuf,
}

/// The tasks before the agent's work.
pub(crate) struct TasksBefore {
    /// Names of the folders below `tasks/`.
    pub(crate) names: BTreeSet<String>,
    /// The id of the task that is reworked.
    pub(crate) edited_id: Option<String>,
}

impl Session {
    /// Opens the session `named` on the command line, else the last one (`resume`), else a new one.
    pub(crate) fn open(run: &RunDir, named: Option<&str>, resume: bool, now: TasksBefore) -> Result<Self> {
        let id = match named {
            Some(id) => id.to_owned(),
            None if resume => last(run)?.with_context(|| {
                format!(
                    "no session to resume in {}; set --session-id, or start from phase 1",
                    run.root().display()
                )
            })?,
            None => uuid::Uuid::new_v4().to_string(),
        };
        let path = Self::dir(run, &id)?.join(FILE);
        let mut session = read(&path)?.unwrap_or(Self {
            id,
            exists: resume,
            tasks_before: now.names.clone(),
            tasks: BTreeSet::new(),
            at_work: false,
            task_id: now.edited_id,
            path: PathBuf::new(),
        });
        session.path = path;
        if !session.at_work {
            // Others may have written tasks since the last run.
            session.tasks_before = now.names.difference(&session.tasks).cloned().collect();
        }
        session.save()?;
        Ok(session)
    }

    /// Notes that the agent is at work.
    pub(crate) fn start_work(&mut self) -> Result<()> {
        self.at_work = true;
        self.save()
    }

    /// Notes that the agent has ended, and that it wrote these tasks.
    pub(crate) fn end_work(&mut self, tasks: BTreeSet<String>) -> Result<()> {
        self.at_work = false;
        self.tasks = tasks;
        self.save()
    }

    /// The folder for the files of a session. It is created if it does not exist.
    pub(crate) fn dir(run: &RunDir, id: &str) -> Result<PathBuf> {
        let dir = run.logs()?.join("propose").join(id);
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// Notes that the agent has created the session, under this id.
    pub(crate) fn set_id(&mut self, id: &str) -> Result<()> {
        if self.exists && self.id == id {
            return Ok(());
        }
        self.exists = true;
        id.clone_into(&mut self.id);
        self.save()
    }

    /// The command that resumes the session from a phase: the command line `typed`, with this session and phase.
    pub(crate) fn resume_command(&self, typed: impl IntoIterator<Item = String>, phase: Phase) -> String {
        const REPLACED: [&str; 3] = ["--session-id", "--start-phase", "--propose-start-idx"];
        let mut command = Vec::new();
        let mut typed = typed.into_iter();
        while let Some(word) = typed.next() {
            match word.split_once('=') {
                Some((flag, _)) if REPLACED.contains(&flag) => {}
                _ if REPLACED.contains(&word.as_str()) => {
                    typed.next();
                }
                _ => command.push(word),
            }
        }
        command.extend(["--session-id".to_owned(), self.id.clone()]);
        command.extend(["--start-phase".to_owned(), phase.number().to_string()]);
        let words: Vec<_> =
            command.iter().map(|word| shlex::try_quote(word).unwrap_or(word.into())).collect();
        words.join(" ")
    }

    fn save(&self) -> Result<()> {
        Ok(write_json(&self.path, self)?)
    }
}

/// The id of the session that was used last.
fn last(run: &RunDir) -> Result<Option<String>> {
    let sessions = run.logs()?.join("propose");
    if !sessions.exists() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(sessions)? {
        let entry = entry?;
        if let (Ok(metadata), Ok(id)) =
            (fs::metadata(entry.path().join(FILE)), entry.file_name().into_string())
        {
            found.push((metadata.modified()?, id));
        }
    }
    Ok(found.into_iter().max().map(|(_, id)| id))
}

fn read(path: &Path) -> Result<Option<Session>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    let session = serde_json::from_str(&text)
        .with_context(|| format!("{} is damaged; remove it to start a new session", path.display()))?;
    Ok(Some(session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resume_command_replaces_session_and_phase() {
        let session = Session {
            id: "u".to_owned(),
            exists: true,
            tasks_before: BTreeSet::new(),
            tasks: BTreeSet::new(),
            at_work: false,
            task_id: None,
            path: PathBuf::new(),
        };
        let typed =
            ["stage-propose", "--software", "Stock List", "--session-id", "old", "--start-phase=1", "-q"];
        let command = session.resume_command(typed.map(str::to_owned), Phase::Write);
        assert_eq!(command, "stage-propose --software 'Stock List' -q --session-id u --start-phase 2");
    }
}
