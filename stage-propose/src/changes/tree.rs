//! A snapshot of the files of an environment, and its comparison with a later one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fs_err as fs;
use rayon::prelude::*;
use walkdir::WalkDir;
use xxhash_rust::xxh3::Xxh3;

/// Larger files are not read: a disk image that a task boots from would take minutes. They are compared by size and
/// times.
const MAX_READ_BYTES: u64 = 64 << 20;

/// Python writes this folder beside the files that it imports.
const IGNORED_DIR: &str = "__pycache__";

/// The files below a folder.
pub(crate) struct Tree {
    pub(super) root: PathBuf,
    /// A folder to leave out.
    without: PathBuf,
    pub(super) files: BTreeMap<PathBuf, File>,
}

pub(super) struct File {
    pub(super) stamp: Stamp,
    pub(super) content: Content,
}

/// Metadata that changes whenever a file is written. The time of the last status change cannot be set by programs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    pub(super) mode: u32,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Content {
    Hash(u128),
    Link(PathBuf),
    /// Too large, not readable, or not a regular file.
    Unread,
}

/// A file that was added, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    /// Its path below the root.
    pub(crate) path: PathBuf,
    pub(crate) kind: ChangeKind,
}

/// How a file changed. Sorted in the order in which changes are undone: a link in the place of a folder has to be
/// removed before the files of the folder can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ChangeKind {
    Added,
    Changed,
    Removed,
}

impl Tree {
    /// The files below `root`, without those below `without`.
    pub(crate) fn read(root: &Path, without: &Path) -> Result<Self> {
        Self { root: root.to_owned(), without: without.to_owned(), files: BTreeMap::new() }.read_again()
    }

    /// The files as they are now. A file with the same stamp is not read again.
    pub(crate) fn read_again(&self) -> Result<Self> {
        let found = WalkDir::new(&self.root)
            .into_iter()
            .filter_entry(|entry| entry.path() != self.without && entry.file_name() != IGNORED_DIR);
        let mut paths = Vec::new();
        for entry in found {
            // An unreadable folder, or a file that was just removed, is not a change.
            let Ok(entry) = entry else { continue };
            if !entry.file_type().is_dir() {
                let path = entry.path().strip_prefix(&self.root).context("a file outside its folder")?;
                paths.push(path.to_owned());
            }
        }
        let files =
            paths.into_par_iter().filter_map(|path| self.file(&path).map(|file| (path, file))).collect();
        Ok(Self { root: self.root.clone(), without: self.without.clone(), files })
    }

    fn file(&self, path: &Path) -> Option<File> {
        let absolute = self.root.join(path);
        let metadata = fs::symlink_metadata(&absolute).ok()?;
        let stamp = Stamp {
            inode: metadata.ino(),
            mode: metadata.mode(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let content = match self.files.get(path) {
            Some(known) if known.stamp == stamp => known.content.clone(),
            _ if metadata.is_symlink() => Content::Link(fs::read_link(&absolute).ok()?),
            _ if metadata.is_file() && metadata.size() <= MAX_READ_BYTES => {
                hash(&absolute).map_or(Content::Unread, Content::Hash)
            }
            _ => Content::Unread,
        };
        Some(File { stamp, content })
    }

    /// The differences between this snapshot and a later one, sorted by path.
    pub(crate) fn changes(&self, after: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (path, old) in &self.files {
            match after.files.get(path) {
                None => changes.push(Change::of(path, ChangeKind::Removed)),
                Some(new) if old.differs(new) => changes.push(Change::of(path, ChangeKind::Changed)),
                Some(_) => {}
            }
        }
        let added = after.files.keys().filter(|path| !self.files.contains_key(*path));
        changes.extend(added.map(|path| Change::of(path, ChangeKind::Added)));
        changes.sort_unstable();
        changes
    }

    /// Paths of all files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }
}

impl Change {
    fn of(path: &Path, kind: ChangeKind) -> Self {
        Self { path: path.to_owned(), kind }
    }
}

impl File {
    fn differs(&self, new: &Self) -> bool {
        let same_content =
            self.content == new.content && (self.content != Content::Unread || self.stamp == new.stamp);
        !same_content || self.stamp.mode != new.stamp.mode
    }
}

fn hash(path: &Path) -> io::Result<u128> {
    let mut file = fs::File::open(path)?;
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest128()),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

impl Stamp {
    /// The time of the last modification; `None` if it is before 1970.
    pub(super) fn modified(self) -> Option<SystemTime> {
        let (seconds, nanoseconds) = self.modified;
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn environment() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["env.json", "scripts/install.sh", "scripts/util.py", "tasks/a/task.json", "run/log"] {
            write(dir.path(), name, name);
        }
        dir
    }

    fn read(root: &Path) -> Tree {
        Tree::read(root, &root.join("run")).unwrap()
    }

    /// Runs `act` on an environment and returns the changes that are found.
    fn changes(act: impl FnOnce(&Path)) -> Vec<String> {
        let dir = environment();
        let before = read(dir.path());
        act(dir.path());
        let after = before.read_again().unwrap();
        before.changes(&after).iter().map(|c| format!("{:?} {}", c.kind, c.path.display())).collect()
    }

    #[test]
    fn changes_are_found() {
        let found = changes(|root| {
            write(root, "tasks/b/task.json", "new");
            write(root, "scripts/install.sh", "SCRIPTS/install.sh");
            fs::remove_file(root.join("env.json")).unwrap();
        });
        assert_eq!(found, ["Removed env.json", "Changed scripts/install.sh", "Added tasks/b/task.json"]);
    }

    #[test]
    fn a_mode_and_a_link_are_part_of_a_file() {
        let found = changes(|root| {
            fs::set_permissions(root.join("env.json"), PermissionsExt::from_mode(0o700)).unwrap();
            fs::remove_file(root.join("scripts/util.py")).unwrap();
            fs_err::os::unix::fs::symlink("/etc/passwd", root.join("scripts/util.py")).unwrap();
        });
        assert_eq!(found, ["Changed env.json", "Changed scripts/util.py"]);
    }

    #[test]
    fn a_file_rewritten_with_the_same_content_is_unchanged() {
        let found = changes(|root| {
            write(root, "env.json", "env.json");
            write(root, "scripts/__pycache__/util.pyc", "compiled");
            write(root, "run/log", "longer");
        });
        assert_eq!(found, [""; 0]);
    }
}
