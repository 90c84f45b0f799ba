//! What the agent wrote, and what of it was none of its business.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::session::Session;
use crate::settings::{Assignment, Place};
use crate::tree::{Backup, Change, Tree, What};

/// The environment's files, and which of them the agent may write.
pub(crate) struct Writes {
    tree: Tree,
    mine: Mine,
    backup: Option<Backup>,
}

/// Which tasks are the agent's to write.
enum Mine {
    /// All but these.
    New { before: BTreeSet<String> },
    /// This one.
    Only(String),
}

/// Something written where the agent had no business.
pub(crate) struct Stray {
    /// The existing task that it belongs to.
    pub(crate) task: Option<String>,
    /// What happened, for people.
    pub(crate) message: String,
}

/// What happened since the last look.
pub(crate) struct Look {
    pub(crate) strays: Vec<Stray>,
    /// Names of the agent's tasks that were written to.
    pub(crate) written: BTreeSet<String>,
}

impl Writes {
    /// Takes note of the environment as it is, and copies it if strays are to be put back.
    pub(crate) fn begin(
        tree: Tree,
        place: &Place,
        assignment: &Assignment,
        session: &Session,
        put_back: bool,
    ) -> Result<Self> {
        let backup = put_back.then(|| Backup::make(&tree, &place.run.root().join("before"))).transpose()?;
        let mine = match assignment {
            Assignment::Create { .. } => Mine::New { before: session.tasks_before.clone() },
            Assignment::Edit { task, .. } => Mine::Only(task.clone()),
        };
        Ok(Self { tree, mine, backup })
    }

    /// Names of the agent's tasks that are there, good or not.
    pub(crate) fn tasks(&self) -> BTreeSet<String> {
        task_folders(&self.tree).into_iter().filter(|task| self.is_mine(task)).collect()
    }

    /// Looks what was written since the last look, and puts strays back if that is wanted.
    pub(crate) fn look(&mut self) -> Result<Look> {
        let after = self.tree.read_again()?;
        let existing = task_folders(&self.tree);
        let mut look = Look { strays: Vec::new(), written: BTreeSet::new() };
        let mut changes = self.tree.changes(&after);
        // A link in the place of a folder has to go before what was in the folder can come back.
        changes.sort_by_key(|change| change.what);
        for change in changes {
            match task_of(&change.path) {
                Some(task) if self.is_mine(&task) => {
                    look.written.insert(task);
                }
                task => {
                    let task = task.filter(|task| existing.contains(task));
                    look.strays.push(Stray { message: self.describe(&change, task.as_deref()), task });
                }
            }
        }
        self.tree = if self.backup.is_some() { after.read_again()? } else { after };
        Ok(look)
    }

    /// Says what happened to a file that is not the agent's, and undoes it if that is wanted.
    fn describe(&self, change: &Change, existing_task: Option<&str>) -> String {
        let (what, undone) = match change.what {
            What::Added => ("written", "removed again"),
            What::Changed => ("changed", "put back as it was"),
            What::Removed => ("removed", "put back"),
        };
        let place = match existing_task {
            Some(task) => format!("in the existing task {task}"),
            None => "where it had nothing to write".to_owned(),
        };
        let fate = match self.backup.as_ref().map(|backup| backup.restore(change, &self.tree)) {
            None => "check it; --strict-writes undoes such changes".to_owned(),
            Some(Ok(())) => undone.to_owned(),
            Some(Err(error)) => format!("could not be undone: {error}"),
        };
        format!("{} was {what} by the agent, {place}; {fate}", change.path.display())
    }

    fn is_mine(&self, task: &str) -> bool {
        match &self.mine {
            Mine::New { before } => !before.contains(task),
            Mine::Only(only) => task == only,
        }
    }
}

/// Names of the folders below `tasks/`.
pub(crate) fn task_folders(tree: &Tree) -> BTreeSet<String> {
    tree.paths().filter_map(task_of).collect()
}

/// The name of the task that a file belongs to: of the folder below `tasks/` that it is in.
fn task_of(path: &Path) -> Option<String> {
    let mut parts = path.components();
    match (parts.next()?, parts.next()?, parts.next()) {
        (Component::Normal(tasks), Component::Normal(task), Some(_)) if tasks == "tasks" => {
            Some(PathBuf::from(task).to_string_lossy().into_owned())
        }
        _ => None,
    }
}
