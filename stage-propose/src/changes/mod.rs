//! What the agent wrote, and which of it was outside of its tasks.

mod backup;
mod tree;

use std::collections::BTreeSet;
use std::path::{Component, Path};

use anyhow::Result;

use self::backup::Backup;
use self::tree::{Change, ChangeKind};
use crate::session::Session;
use crate::settings::{Assignment, RunContext};

pub(crate) use self::tree::Tree;

/// Follows the changes of the environment's files, and knows which of them the agent may make.
pub(crate) struct ChangeTracker {
    tree: Tree,
    allowed: AllowedTasks,
    backup: Option<Backup>,
}

/// The tasks that the agent may write.
enum AllowedTasks {
    /// All but these.
    New { before: BTreeSet<String> },
    /// This one.
    Only(String),
}

/// A file that the agent wrote outside of its tasks.
pub(crate) struct StrayWrite {
    /// The existing task that the file belongs to.
    pub(crate) task: Option<String>,
    /// What happened, for people.
    pub(crate) message: String,
}

/// The changes since the last check.
pub(crate) struct Writes {
    pub(crate) strays: Vec<StrayWrite>,
    /// Names of the agent's tasks that were written to.
    pub(crate) tasks: BTreeSet<String>,
}

impl ChangeTracker {
    /// Starts from `tree`. If `undo_strays`, copies the environment first.
    pub(crate) fn start(
        tree: Tree,
        context: &RunContext,
        assignment: &Assignment,
        session: &Session,
        undo_strays: bool,
    ) -> Result<Self> {
        let copy = context.run_dir.root().join("before");
        let backup = undo_strays.then(|| Backup::create(&tree, &copy)).transpose()?;
        let allowed = match assignment {
            Assignment::Create { .. } => AllowedTasks::New { before: session.tasks_before.clone() },
            Assignment::Edit { task, .. } => AllowedTasks::Only(task.clone()),
        };
        Ok(Self { tree, allowed, backup })
    }

    /// Names of the agent's tasks that exist, valid or not.
    pub(crate) fn tasks(&self) -> BTreeSet<String> {
        task_folders(&self.tree).into_iter().filter(|task| self.is_allowed(task)).collect()
    }

    /// Finds the changes since the last check, and undoes stray writes if that is wanted.
    pub(crate) fn check(&mut self) -> Result<Writes> {
        let after = self.tree.read_again()?;
        let existing = task_folders(&self.tree);
        let mut writes = Writes { strays: Vec::new(), tasks: BTreeSet::new() };
        let mut changes = self.tree.changes(&after);
        // The order in which they can be undone.
        changes.sort_by_key(|change| change.kind);
        for change in changes {
            match task_of(&change.path) {
                Some(task) if self.is_allowed(&task) => {
                    writes.tasks.insert(task);
                }
                task => {
                    let task = task.filter(|task| existing.contains(task));
                    let message = self.handle_stray(&change, task.as_deref());
                    writes.strays.push(StrayWrite { task, message });
                }
            }
        }
        self.tree = if self.backup.is_some() { after.read_again()? } else { after };
        Ok(writes)
    }

    /// Undoes a stray write if that is wanted. Returns the message about it.
    fn handle_stray(&self, change: &Change, existing_task: Option<&str>) -> String {
        let (verb, undone) = match change.kind {
            ChangeKind::Added => ("written", "it was removed"),
            ChangeKind::Changed => ("changed", "it was restored"),
            ChangeKind::Removed => ("removed", "it was restored"),
        };
        let location = match existing_task {
            Some(task) => format!("in the existing task {task}"),
            None => "outside of its tasks".to_owned(),
        };
        let outcome = match self.backup.as_ref().map(|backup| backup.restore(change, &self.tree)) {
            None => "check it; --strict-writes undoes such changes".to_owned(),
            Some(Ok(())) => undone.to_owned(),
            Some(Err(error)) => format!("it could not be restored: {error}"),
        };
        format!("{} was {verb} by the agent, {location}; {outcome}", change.path.display())
    }

    fn is_allowed(&self, task: &str) -> bool {
        match &self.allowed {
            AllowedTasks::New { before } => !before.contains(task),
            AllowedTasks::Only(only) => task == only,
        }
    }
}

/// Names of the folders below `tasks/`.
pub(crate) fn task_folders(tree: &Tree) -> BTreeSet<String> {
    tree.paths().filter_map(task_of).collect()
}

/// The name of the task that a file belongs to: the folder below `tasks/` that contains it.
fn task_of(path: &Path) -> Option<String> {
    let mut parts = path.components();
    match (parts.next()?, parts.next()?, parts.next()) {
        (Component::Normal(tasks), Component::Normal(task), Some(_)) if tasks == "tasks" => {
            Some(task.to_string_lossy().into_owned())
        }
        _ => None,
    }
}
