//! What a later run must know to go on with a session.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::publish::write_file_atomic;
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
    /// Whether the agent has said that the session is there, so that it can only be resumed.
    pub(crate) begun: bool,
    /// Names of the folders below `tasks/` that are not its work.
    pub(crate) tasks_before: BTreeSet<String>,
    /// Names of those that are.
    #[serde(default)]
    tasks: BTreeSet<String>,
    /// Whether the agent is at work. If it still is when the session is opened again, the stage was killed,
    /// and nobody has looked what came of it.
    #[serde(default)]
    pub(crate) at_work: bool,
    /// The id of the task that is reworked, as it was.
    #[serde(default)]
    pub(crate) task_id: Option<String>,
    #[serde(skip)]
    path: PathBuf,
}

/// What a session finds.
pub(crate) struct Before {
    pub(crate) tasks: BTreeSet<String>,
    pub(crate) task_id: Option<String>,
}

impl Session {
    /// The session `asked` for, or the last one (`resume`), or a new one.
    pub(crate) fn open(run: &RunDir, asked: Option<&str>, resume: bool, now: Before) -> Result<Self> {
        let id = match asked {
            Some(id) => id.to_owned(),
            None if resume => last(run)?.with_context(|| {
                format!(
                    "no session to resume in {}; name one with --session-id, or start from phase 1",
                    run.root().display()
                )
            })?,
            None => uuid::Uuid::new_v4().to_string(),
        };
        let path = Self::dir(run, &id)?.join(FILE);
        let mut session = read(&path)?.unwrap_or(Self {
            id,
            begun: resume,
            tasks_before: now.tasks.clone(),
            tasks: BTreeSet::new(),
            at_work: false,
            task_id: now.task_id,
            path: PathBuf::new(),
        });
        session.path = path;
        if !session.at_work {
            // Others have written tasks since it rested.
            session.tasks_before = now.tasks.difference(&session.tasks).cloned().collect();
        }
        session.save()?;
        Ok(session)
    }

    /// Notes that the agent goes to work.
    pub(crate) fn work(&mut self) -> Result<()> {
        self.at_work = true;
        self.save()
    }

    /// Notes that the agent has gone, and that these tasks are its work.
    pub(crate) fn rest(&mut self, tasks: BTreeSet<String>) -> Result<()> {
        self.at_work = false;
        self.tasks = tasks;
        self.save()
    }

    /// The folder that keeps everything of a session, made if need be.
    pub(crate) fn dir(run: &RunDir, id: &str) -> Result<PathBuf> {
        let dir = run.logs()?.join("propose").join(id);
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// Notes that the session is there, under the id that the agent gave it.
    pub(crate) fn begin(&mut self, id: &str) -> Result<()> {
        if self.begun && self.id == id {
            return Ok(());
        }
        self.begun = true;
        id.clone_into(&mut self.id);
        self.save()
    }

    /// The command that goes on with the session from a phase: the one that was typed, `typed`, with the
    /// session and the phase in place of those in it.
    pub(crate) fn resume_command(&self, typed: impl IntoIterator<Item = String>, phase: Phase) -> String {
        const REPLACED: [&str; 3] = ["--session-id", "--start-phase", "--propose-start-idx"];
        let mut command = Vec::new();
        let mut typed = typed.into_iter();
        while let Some(word) = typed.next() {
            if REPLACED.contains(&word.as_str()) {
                typed.next();
            } else if !REPLACED
                .iter()
                .any(|flag| word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')))
            {
                command.push(word);
            }
        }
        command.extend(["--session-id".to_owned(), self.id.clone()]);
        command.extend(["--start-phase".to_owned(), phase.number().to_string()]);
        let words: Vec<_> =
            command.iter().map(|word| shlex::try_quote(word).unwrap_or(word.into())).collect();
        words.join(" ")
    }

    fn save(&self) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_file_atomic(&self.path, text.as_bytes())?;
        Ok(())
    }
}

/// The id of the session that was worked on last.
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
        .with_context(|| format!("{} is damaged; remove it to start afresh", path.display()))?;
    Ok(Some(session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resume_command_is_what_was_typed_but_for_session_and_phase() {
        let session = Session {
            id: "u".to_owned(),
            begun: true,
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
