//! Publishes files and folders atomically: each is complete or absent, also after a crash, a full disk or `kill -9`.
//!
//! Content is written to a temporary place, synced, and renamed to its final name. Readers see the old state or the
//! new one, never a mixture.
//!
//! Folders are built in a [`Workshop`], in `.unfinished` below their final parent folder. That is on the same file
//! system, so that a rename publishes them, and one level deeper than published folders, so that a search for
//! `*/task.json` does not find them, even one that enters hidden folders. A workshop is locked while it is in use.
//! One without a lock is abandoned, and [`remove_unfinished`] removes it.
//!
//! [`publish`] takes a batch: syncing many folders takes as long as syncing one file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::TryLockError;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::Serialize;
use tempfile::TempDir;
use thiserror::Error;

/// The folder in which folders are built, below the one they are published to.
const UNFINISHED: &str = ".unfinished";

/// Why a file or a folder could not be published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// A step failed.
    #[error("failed to {step} {}", path.display())]
    Step {
        /// The step, in words.
        step: &'static str,
        /// The file or folder of the step.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Only a folder can be replaced by a folder.
    #[error("cannot replace {}: it is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A file or folder could not be read or written; the error names it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl PublishError {
    /// What to do next, where the message does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAFolder(_) => Some("move it away; symbolic links are not followed"),
            Self::Step { .. } | Self::Io(_) => None,
        }
    }
}

/// A file of a folder that is to be published.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Its name below the folder, with `/` between its parts. The caller has checked that it stays below it.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// Whether it gets the executable bit.
    pub executable: bool,
}

/// The result of publishing a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The folder is new.
    New,
    /// A folder of this name existed and was replaced.
    Replaced,
    /// Something of this name exists and was kept.
    Kept,
}

/// Writes `bytes` to the file `path`, or leaves it unchanged.
///
/// The bytes are on the disk before the file gets its name, and the name is on the disk when this returns. After a
/// crash the file has the old content or the new one, and a temporary file whose name starts with `.new-` may be
/// left beside it. The mode becomes 0666 less the umask.
pub fn write_file_atomic(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    let dir = parent(path);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(PermissionsExt::from_mode(0o666))
        .tempfile_in(dir)
        .map_err(failed_to("create a temporary file in", dir))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_data())
        .map_err(failed_to("write the temporary file for", path))?;
    file.persist(path).map_err(|error| failed_to("replace", path)(error.error))?;
    Ok(sync_dir(dir)?)
}

/// Writes `value` as indented JSON and a newline to the file `path`, as [`write_file_atomic`] does.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), PublishError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(io::Error::from)?;
    bytes.push(b'\n');
    write_file_atomic(path, &bytes)
}

/// Publishes folders that were built, in this order.
///
/// Each folder appears complete or not at all: all files are on the disk before the first folder gets its name, and
/// all names are on the disk when this returns. A folder that replaces another is exchanged for it in one step. It is
/// an error if the old one is not a folder (but a file or a symbolic link), or if the file system cannot exchange
/// folders. After an error or a crash each folder is complete or unchanged.
pub fn publish(batch: &[Built]) -> Result<Vec<Published>, PublishError> {
    sync_built(batch)?;
    let published: Vec<Published> = batch.iter().map(Built::take_place).collect::<Result<_, _>>()?;
    let parents: BTreeSet<&Path> = batch.iter().map(|built| parent(&built.target)).collect();
    parents.into_iter().try_for_each(sync_dir)?;
    for (built, published) in batch.iter().zip(&published) {
        // It is the replaced folder, or a new one that was not needed.
        if *published != Published::New {
            fs::remove_dir_all(&built.dir)?;
        }
    }
    Ok(published)
}

/// Removes what killed processes left in the `.unfinished` below `parent`, and that folder itself if it is empty then.
/// Folders of running processes stay. Returns how many folders were removed.
pub fn remove_unfinished(parent: &Path) -> io::Result<usize> {
    let workshop = parent.join(UNFINISHED);
    let entries = match fs::read_dir(&workshop) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        removed += usize::from(remove_if_abandoned(&entry?.path())?);
    }
    // Fails if another process is building something. That one will remove it.
    fs::remove_dir(&workshop).ok();
    Ok(removed)
}

/// Moves the folder `from` into the folder `into`, which is created if needed. Its new name is `name`, or `name.2` and
/// so on if that is taken. Returns its new path.
///
/// After a crash the folder is complete in one of the two places, or in both: on another file system it is copied,
/// published there, and only then removed here.
pub fn move_dir(from: &Path, into: &Path, name: &str) -> Result<PathBuf, PublishError> {
    fs::create_dir_all(into)?;
    let mut to = into.join(name);
    let mut number = 1;
    while !move_if_free(from, &to)? {
        number += 1;
        to = into.join(format!("{name}.{number}"));
    }
    sync_dir(into)?;
    sync_dir(parent(from))?;
    Ok(to)
}

/// Moves the folder `from` to `to` unless that name is taken. Returns whether it was free.
fn move_if_free(from: &Path, to: &Path) -> Result<bool, PublishError> {
    match rename_new(from, to) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
        Err(Errno::XDEV) if exists(to)? => Ok(false),
        Err(Errno::XDEV) => copy_away(from, to).map(|()| true),
        Err(error) => Err(failed_to("move away", from)(error.into())),
    }
}

/// Moves the folder `from` to `to`, which is on another file system. Links in it are not copied.
fn copy_away(from: &Path, to: &Path) -> Result<(), PublishError> {
    let mut contents = Vec::new();
    for entry in walkdir::WalkDir::new(from).sort_by_file_name() {
        let entry = entry.map_err(io::Error::from)?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(from).map_err(io::Error::other)?;
            let executable = fs::metadata(entry.path())?.permissions().mode() & 0o100 != 0;
            contents.push((name.to_string_lossy().into_owned(), fs::read(entry.path())?, executable));
        }
    }
    let files: Vec<NewFile<'_>> = contents
        .iter()
        .map(|(name, bytes, executable)| NewFile { name, bytes, executable: *executable })
        .collect();
    let name = to.file_name().and_then(OsStr::to_str);
    let name = name.ok_or_else(|| failed_to("copy to", to)(io::ErrorKind::InvalidFilename.into()))?;
    publish(&[Workshop::open(parent(to))?.build(name, &files, false)?])?;
    remove_unfinished(parent(to))?;
    // Moved out of sight in one step, then removed.
    let workshop = Workshop::open(parent(from))?;
    fs::rename(from, workshop.dir.path().join("moved"))?;
    drop(workshop);
    remove_unfinished(parent(from))?;
    Ok(())
}

/// Syncs the folder `dir`, so that the names in it survive a crash.
fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// A hidden folder in which others are built. It is removed when the last one that was built in it is dropped.
pub struct Workshop {
    dir: TempDir,
    /// The folder that is published to.
    parent: PathBuf,
    /// How many folders were started.
    started: AtomicUsize,
    lock: fs::File,
}

/// A folder that is complete, but does not have its name yet.
pub struct Built {
    workshop: Arc<Workshop>,
    dir: PathBuf,
    target: PathBuf,
    replaces: bool,
}

impl Workshop {
    /// Creates a workshop for folders that go to `parent`.
    pub fn open(parent: &Path) -> Result<Arc<Self>, PublishError> {
        let unfinished = parent.join(UNFINISHED);
        // Another process may clean up before the lock is taken. Then this is done again.
        loop {
            match fs::create_dir(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
                _ => {}
            }
            let created = tempfile::Builder::new()
                .prefix("")
                .tempdir_in(&unfinished)
                .and_then(|dir| Ok((fs::File::open(dir.path())?, dir)));
            let (lock, dir) = match created {
                Err(error) if error.kind() == io::ErrorKind::NotFound && parent.is_dir() => continue,
                created => created.map_err(failed_to("create a folder in", &unfinished))?,
            };
            // On a file system without locks this one stays unlocked: nothing is removed there as abandoned.
            let taken = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
            if !taken && dir.path().is_dir() {
                return Ok(Arc::new(Self {
                    dir,
                    parent: parent.to_owned(),
                    started: AtomicUsize::new(0),
                    lock,
                }));
            }
        }
    }

    /// Builds the folder `name` from `files`. It is on the disk once it is [published](publish). If something of this
    /// name exists then, the new folder `replaces` it or is dropped.
    pub fn build(
        self: &Arc<Self>,
        name: &str,
        files: &[NewFile<'_>],
        replaces: bool,
    ) -> Result<Built, PublishError> {
        let dir = self.dir.path().join(self.started.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&dir)?;
        for file in files {
            let path = dir.join(file.name);
            if file.name.contains('/') {
                fs::create_dir_all(parent(&path))?;
            }
            write_new(&path, file)?;
        }
        Ok(Built { workshop: Arc::clone(self), dir, target: self.parent.join(name), replaces })
    }
}

impl Built {
    /// The path that it is published to.
    pub fn target(&self) -> &Path {
        &self.target
    }

    fn take_place(&self) -> Result<Published, PublishError> {
        let renamed =
            if exists(&self.target)? { Err(Errno::EXIST) } else { rename_new(&self.dir, &self.target) };
        match renamed {
            Ok(()) => Ok(Published::New),
            Err(Errno::EXIST | Errno::NOTEMPTY) if self.replaces => self.replace(),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(Published::Kept),
            Err(error) => Err(failed_to("rename the finished folder to", &self.target)(error.into())),
        }
    }

    fn replace(&self) -> Result<Published, PublishError> {
        if !self.target.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return Err(PublishError::NotAFolder(self.target.clone()));
        }
        renameat_with(CWD, &self.dir, CWD, &self.target, RenameFlags::EXCHANGE)
            .map_err(io::Error::from)
            .map_err(failed_to("exchange the old folder for the new one at", &self.target))?;
        Ok(Published::Replaced)
    }
}

/// Waits until everything that was built is on the disk.
#[cfg(target_os = "linux")]
fn sync_built(batch: &[Built]) -> Result<(), PublishError> {
    let workshops: BTreeMap<&Path, &Workshop> =
        batch.iter().map(|built| (built.workshop.dir.path(), &*built.workshop)).collect();
    for workshop in workshops.into_values() {
        rustix::fs::syncfs(&workshop.lock)
            .map_err(io::Error::from)
            .map_err(failed_to("write to the disk below", &workshop.parent))?;
    }
    Ok(())
}

/// Waits until everything that was built is on the disk. Only Linux can sync a whole file system.
#[cfg(not(target_os = "linux"))]
fn sync_built(batch: &[Built]) -> Result<(), PublishError> {
    for built in batch {
        for entry in walkdir::WalkDir::new(&built.dir) {
            fs::File::open(entry.map_err(io::Error::from)?.path())?.sync_all()?;
        }
    }
    Ok(())
}

/// Renames a folder to a name that is not taken.
fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems do not support the flag. Without it nothing can be lost either: a folder cannot
        // be renamed to one that is not empty.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if to.symlink_metadata().is_err() => {
            rustix::fs::rename(from, to)
        }
        result => result,
    }
}

fn write_new(path: &Path, file: &NewFile<'_>) -> io::Result<()> {
    let mode = if file.executable { 0o777 } else { 0o666 };
    let mut open = fs::OpenOptions::new();
    open.write(true).create_new(true).mode(mode).open(path)?.write_all(file.bytes)
}

/// Removes the folder `path` unless a running process holds its lock. Returns whether it was abandoned.
fn remove_if_abandoned(path: &Path) -> io::Result<bool> {
    let lock = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        lock => lock?,
    };
    if lock.try_lock().is_err() {
        return Ok(false);
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(true),
    }
}

/// Whether anything exists at `path`, including a dangling symbolic link.
fn exists(path: &Path) -> Result<bool, PublishError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed_to("look at", path)(error)),
    }
}

/// The folder that `path` is in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

fn failed_to(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    move |source| PublishError::Step { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const FILES: [NewFile<'_>; 3] = [
        NewFile { name: "task.json", bytes: b"{}\n", executable: false },
        NewFile { name: "setup_task.sh", bytes: b"#!/bin/bash\n", executable: true },
        NewFile { name: "data/sub/rows.csv", bytes: b"a,b\n", executable: false },
    ];

    fn publish_one(root: &Path, files: &[NewFile<'_>], replaces: bool) -> Result<Published, PublishError> {
        let built = Workshop::open(root)?.build("one", files, replaces)?;
        publish(&[built]).map(|published| published[0])
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// The mode that this process gives a file asked for with `mode`.
    fn by_umask(dir: &Path, mode: u32) -> u32 {
        let path = dir.join("by-umask");
        fs::OpenOptions::new().write(true).create(true).mode(mode).open(&path).unwrap();
        let got = self::mode(&path);
        fs::remove_file(&path).unwrap();
        got
    }

    #[test]
    fn a_new_folder_is_complete_and_what_exists_is_kept() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(publish_one(root.path(), &FILES, false).unwrap(), Published::New);
        let other = [NewFile { name: "task.json", bytes: b"other", executable: false }];
        assert_eq!(publish_one(root.path(), &other, false).unwrap(), Published::Kept);

        let one = root.path().join("one");
        assert_eq!(names(&one), ["data", "setup_task.sh", "task.json"]);
        assert_eq!(fs::read(one.join("task.json")).unwrap(), b"{}\n");
        assert_eq!(fs::read(one.join("data/sub/rows.csv")).unwrap(), b"a,b\n");
        assert_eq!(mode(&one.join("task.json")), by_umask(root.path(), 0o666));
        assert_eq!(mode(&one.join("setup_task.sh")), by_umask(root.path(), 0o777));
        assert_eq!(mode(&one), by_umask(root.path(), 0o777));

        assert_eq!(remove_unfinished(root.path()).unwrap(), 0);
        assert_eq!(names(root.path()), ["one"]);
    }

    #[test]
    fn a_replaced_folder_holds_nothing_of_the_old_one() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(publish_one(root.path(), &FILES, true).unwrap(), Published::New);
        let other = [NewFile { name: "verifier.py", bytes: b"pass\n", executable: false }];
        assert_eq!(publish_one(root.path(), &other, true).unwrap(), Published::Replaced);
        assert_eq!(names(&root.path().join("one")), ["verifier.py"]);
        remove_unfinished(root.path()).unwrap();
        assert_eq!(names(root.path()), ["one"]);
    }

    #[test]
    fn a_link_is_neither_followed_nor_replaced() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), root.path().join("one")).unwrap();
        assert_eq!(publish_one(root.path(), &FILES, false).unwrap(), Published::Kept);
        let error = publish_one(root.path(), &FILES, true).unwrap_err();
        assert!(error.to_string().contains("it is not a folder"), "{error}");
        assert_eq!(names(elsewhere.path()), [""; 0]);
    }

    #[test]
    fn only_abandoned_folders_are_cleaned_up() {
        let root = tempfile::tempdir().unwrap();
        let workshop = Workshop::open(root.path()).unwrap();
        fs::create_dir_all(root.path().join(UNFINISHED).join("dead/1/data")).unwrap();

        assert_eq!(remove_unfinished(root.path()).unwrap(), 1);
        assert!(workshop.dir.path().is_dir());
        drop(workshop);
        assert_eq!(remove_unfinished(root.path()).unwrap(), 0);
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[test]
    fn a_folder_is_moved_and_replaces_nothing() {
        let root = tempfile::tempdir().unwrap();
        let into = root.path().join("away/quarantine");
        for expect in ["one", "one.2"] {
            publish_one(root.path(), &FILES, false).unwrap();
            assert_eq!(move_dir(&root.path().join("one"), &into, "one").unwrap(), into.join(expect));
            assert_eq!(names(&into.join(expect)), ["data", "setup_task.sh", "task.json"]);
            assert!(!root.path().join("one").exists());
        }
        // As it is done between file systems.
        publish_one(root.path(), &FILES, false).unwrap();
        fs::rename(root.path().join("one"), root.path().join("two")).unwrap();
        copy_away(&root.path().join("two"), &into.join("two")).unwrap();
        assert_eq!(fs::read(into.join("two/data/sub/rows.csv")).unwrap(), b"a,b\n");
        assert_eq!(mode(&into.join("two/setup_task.sh")), by_umask(root.path(), 0o777));
        assert_eq!(names(&into), ["one", "one.2", "two"]);
        assert!(!root.path().join("two").exists() && !root.path().join(UNFINISHED).exists());
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let twice = [FILES[0], FILES[0]];
        publish_one(root.path(), &twice, false).unwrap_err();
        remove_unfinished(root.path()).unwrap();
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[test]
    fn a_file_is_replaced_whole_with_the_usual_mode() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("seed_tasks.json");
        write_file_atomic(&path, b"[]").unwrap();
        write_file_atomic(&path, b"[1]").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"[1]");
        assert_eq!(mode(&path), by_umask(root.path(), 0o666));
        assert_eq!(names(root.path()), ["seed_tasks.json"]);

        let error = write_file_atomic(&root.path().join("absent/file"), b"").unwrap_err();
        assert!(error.to_string().contains("absent"), "{error}");
    }
}
