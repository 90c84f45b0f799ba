//! The files of an environment at one moment, to be compared with those of another.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fs_err as fs;
use rayon::prelude::*;
use walkdir::WalkDir;
use xxhash_rust::xxh3::Xxh3;

/// The content of larger files is not read: a disk image that a task boots from would take minutes. That
/// they changed shows in their size and times.
const MAX_READ_BYTES: u64 = 64 << 20;

/// What Python leaves beside the files that it imports. Nobody wrote it.
const IGNORED_DIR: &str = "__pycache__";

/// The files below a folder.
pub(crate) struct Tree {
    root: PathBuf,
    /// A folder that is left out, wherever it lies.
    without: PathBuf,
    files: BTreeMap<PathBuf, File>,
}

struct File {
    stamp: Stamp,
    content: Content,
}

/// What changes whenever a file is written. The time of the last change of status cannot be set back.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    mode: u32,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Clone, PartialEq, Eq)]
enum Content {
    Hash(u128),
    Link(PathBuf),
    /// Too large, not readable, or no file that has a content.
    Unread,
}

/// A file that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    /// Its path below the root.
    pub(crate) path: PathBuf,
    pub(crate) what: What,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Added,
    Changed,
    Removed,
}

impl Tree {
    /// The files below `root` as they are now.
    pub(crate) fn read(root: &Path, without: &Path) -> Result<Self> {
        Self { root: root.to_owned(), without: without.to_owned(), files: BTreeMap::new() }.read_again()
    }

    /// The same files later. What bears the same stamp is not read again.
    pub(crate) fn read_again(&self) -> Result<Self> {
        let found = WalkDir::new(&self.root)
            .into_iter()
            .filter_entry(|entry| entry.path() != self.without && entry.file_name() != IGNORED_DIR);
        let mut paths = Vec::new();
        for entry in found {
            // A folder that nobody may read, or a file that has just gone, is none of ours to report.
            let Ok(entry) = entry else { continue };
            if !entry.file_type().is_dir() {
                paths.push(
                    entry.path().strip_prefix(&self.root).context("a file outside its folder")?.to_owned(),
                );
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

    /// What is not as it was, by path.
    pub(crate) fn changes(&self, after: &Self) -> Vec<Change> {
        let change = |path: &PathBuf, what| Change { path: path.clone(), what };
        let mut changes = Vec::new();
        for (path, old) in &self.files {
            match after.files.get(path) {
                None => changes.push(change(path, What::Removed)),
                Some(new) if old.differs(new) => changes.push(change(path, What::Changed)),
                Some(_) => {}
            }
        }
        let added = after.files.keys().filter(|path| !self.files.contains_key(*path));
        changes.extend(added.map(|path| change(path, What::Added)));
        changes.sort_unstable();
        changes
    }

    /// Paths of all files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
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

/// A copy of a tree, to put files back from. It goes when it is dropped.
pub(crate) struct Backup {
    root: PathBuf,
    dir: PathBuf,
}

impl Backup {
    /// Copies the files of `tree` to `dir`, in place of what is there. Where the file system can share the
    /// content of two files, that takes no room.
    pub(crate) fn make(tree: &Tree, dir: &Path) -> Result<Self> {
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

    /// Puts a file back as it was in `tree`.
    pub(crate) fn restore(&self, change: &Change, tree: &Tree) -> io::Result<()> {
        let path = self.root.join(&change.path);
        if change.what != What::Removed {
            fs::remove_file(&path)?;
        }
        match tree.files.get(&change.path) {
            None => self.remove_empty_parents(&path),
            Some(File { content: Content::Link(target), .. }) => {
                make_parent(&path)?;
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
        // It ends at the first folder that holds something else.
        for parent in path.ancestors().skip(1).take_while(|parent| *parent != self.root) {
            if fs::remove_dir(parent).is_err() {
                return;
            }
        }
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        // What cannot be removed is replaced by the next backup.
        fs::remove_dir_all(&self.dir).ok();
    }
}

impl Stamp {
    fn modified(self) -> Option<SystemTime> {
        let (seconds, nanoseconds) = self.modified;
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    make_parent(to)?;
    fs::copy(from, to).map(drop)
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        make_parent(&path).unwrap();
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

    /// Does something to an environment and returns what is found of it.
    fn changes(act: impl FnOnce(&Path)) -> Vec<String> {
        let dir = environment();
        let before = read(dir.path());
        act(dir.path());
        let after = before.read_again().unwrap();
        before.changes(&after).iter().map(|c| format!("{:?} {}", c.what, c.path.display())).collect()
    }

    #[test]
    fn what_changed_is_found() {
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
    fn what_was_written_again_as_it_was_did_not_change() {
        let found = changes(|root| {
            write(root, "env.json", "env.json");
            write(root, "scripts/__pycache__/util.pyc", "compiled");
            write(root, "run/log", "longer");
        });
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn everything_is_put_back() {
        let dir = environment();
        let elsewhere = tempfile::tempdir().unwrap();
        fs_err::os::unix::fs::symlink("env.json", dir.path().join("link")).unwrap();
        let before = read(dir.path());
        let backup = Backup::make(&before, &elsewhere.path().join("before")).unwrap();

        write(dir.path(), "deep/down/new", "new");
        write(dir.path(), "env.json", "changed");
        fs::remove_dir_all(dir.path().join("scripts")).unwrap();
        fs_err::os::unix::fs::symlink("/etc", dir.path().join("scripts")).unwrap();
        fs::remove_file(dir.path().join("link")).unwrap();

        let mut changes = before.changes(&before.read_again().unwrap());
        changes.sort_by_key(|change| change.what);
        for change in &changes {
            backup.restore(change, &before).unwrap();
        }
        assert_eq!(before.changes(&before.read_again().unwrap()), []);
        assert!(!dir.path().join("deep").exists());
    }
}
