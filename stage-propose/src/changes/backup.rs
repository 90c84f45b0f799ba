//! A copy of an environment, from which `--strict-writes` restores files.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use rayon::prelude::*;

use super::tree::{Change, ChangeKind, Content, File, Tree};

/// A copy of the files of a tree. It is removed when it is dropped.
pub(super) struct Backup {
    root: PathBuf,
    dir: PathBuf,
}

impl Backup {
    /// Copies the files of `tree` to `dir`, replacing what is there. On a file system that can share the content of
    /// two files, the copy needs no space.
    pub(super) fn create(tree: &Tree, dir: &Path) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
        let backup = Self { root: tree.root.clone(), dir: dir.to_owned() };
        tree.files
            .par_iter()
            .filter(|(_, file)| !matches!(file.content, Content::Link(_)))
            .try_for_each(|(path, _)| copy(&tree.root.join(path), &dir.join(path)))
            .context("cannot copy the environment, for --strict-writes")?;
        Ok(backup)
    }

    /// Restores a file as it was in `tree`.
    pub(super) fn restore(&self, change: &Change, tree: &Tree) -> io::Result<()> {
        let path = self.root.join(&change.path);
        if change.kind != ChangeKind::Removed {
            fs::remove_file(&path)?;
        }
        match tree.files.get(&change.path) {
            None => self.remove_empty_parents(&path),
            Some(File { content: Content::Link(target), .. }) => {
                create_parent(&path)?;
                fs_err::os::unix::fs::symlink(target, &path)?;
            }
            Some(file) => {
                copy(&self.dir.join(&change.path), &path)?;
                fs::set_permissions(&path, PermissionsExt::from_mode(file.stamp.mode & 0o7777))?;
                if let Some(modified) = file.stamp.modified() {
                    fs::File::open(&path)?.file().set_modified(modified)?;
                }
            }
        }
        Ok(())
    }

    fn remove_empty_parents(&self, path: &Path) {
        // Stops at the first folder that contains something else.
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != self.root) {
            if fs::remove_dir(parent).is_err() {
                return;
            }
        }
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        // The next backup replaces what cannot be removed now.
        fs::remove_dir_all(&self.dir).ok();
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    create_parent(to)?;
    fs::copy(from, to).map(drop)
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        create_parent(&path).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn everything_is_restored() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["env.json", "scripts/install.sh", "scripts/util.py", "tasks/a/task.json"] {
            write(dir.path(), name, name);
        }
        let elsewhere = tempfile::tempdir().unwrap();
        fs_err::os::unix::fs::symlink("env.json", dir.path().join("link")).unwrap();
        let before = Tree::read(dir.path(), &dir.path().join("run")).unwrap();
        let backup = Backup::create(&before, &elsewhere.path().join("before")).unwrap();

        write(dir.path(), "deep/down/new", "new");
        write(dir.path(), "env.json", "changed");
        fs::remove_dir_all(dir.path().join("scripts")).unwrap();
        fs_err::os::unix::fs::symlink("/etc", dir.path().join("scripts")).unwrap();
        fs::remove_file(dir.path().join("link")).unwrap();

        let mut changes = before.changes(&before.read_again().unwrap());
        changes.sort_by_key(|change| change.kind);
        for change in &changes {
            backup.restore(change, &before).unwrap();
        }
        assert_eq!(before.changes(&before.read_again().unwrap()), []);
        assert!(!dir.path().join("deep").exists());
    }
}
