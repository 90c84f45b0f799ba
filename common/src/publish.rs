//! Publishing files and folders: complete or absent, whatever interrupts.
//!
//! What is published is built out of sight, synced, and renamed into place. Whoever looks sees the old
//! state or the new one, never something in between; so does whoever looks after a crash, a full disk or
//! a `kill -9`.
//!
//! Folders are built in a [`Workshop`], in `.unfinished` below the folder they go to: on the same file system,
//! so that a rename is all that is left to do, and deeper than what is published, so that a reader who looks
//! for `*/task.json` does not come upon them, even one who looks into hidden folders. A workshop is locked as
//! long as it is used; one that is not was abandoned, and [`remove_unfinished`] takes it away.
//!
//! The disk is waited for once for as many folders as there are, not for each file: [`publish`] takes a batch.

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
use tempfile::TempDir;

/// The folder in which folders are built, below the one they are published to.
pub const UNFINISHED: &str = ".unfinished";

/// A file of a folder that is to be published.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Its name below the folder, with `/` between its parts. The caller has checked that it stays there.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// Whether it gets the run bit.
    pub executable: bool,
}

/// What came of publishing a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The folder is new.
    New,
    /// There was a folder of this name, and it was replaced.
    Replaced,
    /// There is something of this name, and it was left alone.
    Kept,
}

/// Write `bytes` to the file `path`, or leave what is there.
///
/// The bytes are on the disk before the name points to them, and the name is on the disk when this
/// returns. After a crash the file holds the old content or the new one, and a temporary file whose name
/// starts with `.new-` may be left beside it. Its mode is 0666 less the umask, whatever it was before.
pub fn write_file_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = parent(path);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(PermissionsExt::from_mode(0o666))
        .tempfile_in(dir)
        .map_err(|error| named(&error, "create a temporary file in", dir))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_data())
        .map_err(|error| named(&error, "write the temporary file for", path))?;
    file.persist(path).map_err(|error| named(&error.error, "replace", path))?;
    sync_dir(dir)
}

/// Publish what was built, in this order.
///
/// Each folder appears complete or not at all: all files are on the disk before the first folder gets its name,
/// and all names are when this returns. A folder that replaces another changes places with it in one step: at
/// no moment is there none, or a mixture. Something else than a folder (a file, a symbolic link) is not
/// replaced: that is an error. So is a file system that cannot exchange two folders. After an error or a crash
/// each folder is complete or as it was.
pub fn publish(batch: &[Built]) -> io::Result<Vec<Published>> {
    sync_built(batch)?;
    let published: Vec<Published> = batch.iter().map(Built::take_place).collect::<io::Result<_>>()?;
    let parents: BTreeSet<&Path> = batch.iter().map(|built| parent(&built.target)).collect();
    parents.into_iter().try_for_each(sync_dir)?;
    for (built, published) in batch.iter().zip(&published) {
        // What stands there now is the former folder, or one that nobody wanted.
        if *published != Published::New {
            fs::remove_dir_all(&built.dir)?;
        }
    }
    Ok(published)
}

/// Remove what killed processes left in the `.unfinished` below `parent`, and that folder itself if it is
/// empty then. What another process is building is left alone. Returns how many folders were removed.
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
    // Fails where another process builds something: then it is that one's to remove.
    fs::remove_dir(&workshop).ok();
    Ok(removed)
}

/// Move the folder `from` into the folder `into`, made if need be, under `name`, or `name.2` and so on where
/// that is taken. Returns where it is now.
///
/// After a crash the folder is complete in one of the two places, or in both: moved to another file system
/// it is copied, published there, and only then taken away here.
pub fn move_dir(from: &Path, into: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(into)?;
    let names = (1..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}.{number}") });
    for to in names.map(|name| into.join(name)) {
        match rename_new(from, &to) {
            Err(Errno::EXIST | Errno::NOTEMPTY) => continue,
            Err(Errno::XDEV) if exists(&to)? => continue,
            Err(Errno::XDEV) => copy_away(from, &to)?,
            Err(error) => return Err(named(&error.into(), "move away", from)),
            Ok(()) => {}
        }
        sync_dir(into)?;
        sync_dir(parent(from))?;
        return Ok(to);
    }
    Err(io::Error::other("every name is taken"))
}

/// Move the folder `from` to `to`, which is on another file system. Links in it are left behind.
fn copy_away(from: &Path, to: &Path) -> io::Result<()> {
    let mut contents = Vec::new();
    for entry in walkdir::WalkDir::new(from).sort_by_file_name() {
        let entry = entry?;
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
    let name = to.file_name().and_then(OsStr::to_str).ok_or(io::ErrorKind::InvalidFilename)?;
    publish(&[Workshop::open(parent(to))?.build(name, &files, false)?])?;
    remove_unfinished(parent(to))?;
    // Out of sight in one step, then gone.
    let workshop = Workshop::open(parent(from))?;
    fs::rename(from, workshop.dir.path().join("moved"))?;
    drop(workshop);
    remove_unfinished(parent(from)).map(drop)
}

/// Sync the folder `dir`, so that the names in it survive a crash.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// A folder out of sight in which others are built. It is removed when the last that was built there is dropped.
pub struct Workshop {
    dir: TempDir,
    /// The folder that is published to.
    parent: PathBuf,
    /// How many folders were begun.
    begun: AtomicUsize,
    lock: fs::File,
}

/// A folder that is complete, and has not got its name yet.
pub struct Built {
    workshop: Arc<Workshop>,
    dir: PathBuf,
    target: PathBuf,
    replaces: bool,
}

impl Workshop {
    /// Make a workshop for folders that go to `parent`.
    pub fn open(parent: &Path) -> io::Result<Arc<Self>> {
        let unfinished = parent.join(UNFINISHED);
        // Another process may clean up before the lock is there: then again.
        loop {
            match fs::create_dir(&unfinished) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let made = tempfile::Builder::new()
                .prefix("")
                .tempdir_in(&unfinished)
                .and_then(|dir| Ok((fs::File::open(dir.path())?, dir)));
            let (lock, dir) = match made {
                Err(error) if error.kind() == io::ErrorKind::NotFound && parent.is_dir() => continue,
                made => made.map_err(|error| named(&error, "create a folder in", &unfinished))?,
            };
            // A file system without locks goes without: nothing is taken for abandoned there.
            let taken = matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
            if !taken && dir.path().is_dir() {
                return Ok(Arc::new(Self {
                    dir,
                    parent: parent.to_owned(),
                    begun: AtomicUsize::new(0),
                    lock,
                }));
            }
        }
    }

    /// Build the folder `name` of `files`. It is on the disk once it is [published](publish); if something of
    /// this name is there by then, it takes its place if it `replaces` it, and is given up otherwise.
    pub fn build(self: &Arc<Self>, name: &str, files: &[NewFile<'_>], replaces: bool) -> io::Result<Built> {
        let dir = self.dir.path().join(self.begun.fetch_add(1, Ordering::Relaxed).to_string());
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
    /// Where it goes.
    pub fn target(&self) -> &Path {
        &self.target
    }

    fn take_place(&self) -> io::Result<Published> {
        let renamed =
            if exists(&self.target)? { Err(Errno::EXIST) } else { rename_new(&self.dir, &self.target) };
        match renamed {
            Ok(()) => Ok(Published::New),
            Err(Errno::EXIST | Errno::NOTEMPTY) if self.replaces => self.replace(),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(Published::Kept),
            Err(error) => Err(named(&error.into(), "rename the finished folder to", &self.target)),
        }
    }

    fn replace(&self) -> io::Result<Published> {
        if !self.target.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!(
                    "cannot replace {}: it is no folder (a symbolic link is not followed)",
                    self.target.display()
                ),
            ));
        }
        renameat_with(CWD, &self.dir, CWD, &self.target, RenameFlags::EXCHANGE).map_err(|error| {
            named(&error.into(), "exchange the old folder for the new one at", &self.target)
        })?;
        Ok(Published::Replaced)
    }
}

/// Waits until the disk has all that was built.
#[cfg(target_os = "linux")]
fn sync_built(batch: &[Built]) -> io::Result<()> {
    let workshops: BTreeMap<&Path, &Workshop> =
        batch.iter().map(|built| (built.workshop.dir.path(), &*built.workshop)).collect();
    for workshop in workshops.into_values() {
        rustix::fs::syncfs(&workshop.lock)
            .map_err(|error| named(&error.into(), "write to the disk below", &workshop.parent))?;
    }
    Ok(())
}

/// Waits until the disk has all that was built. Only Linux can be asked for a whole file system.
#[cfg(not(target_os = "linux"))]
fn sync_built(batch: &[Built]) -> io::Result<()> {
    for built in batch {
        for entry in walkdir::WalkDir::new(&built.dir) {
            fs::File::open(entry?.path())?.sync_all()?;
        }
    }
    Ok(())
}

/// Rename a folder to a name that is free.
fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems do not know the flag. A folder that is renamed onto one that holds
        // something fails as well, so nothing can be lost without it.
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

/// Remove the folder `path` unless the process that builds it still holds its lock.
fn remove_if_abandoned(path: &Path) -> io::Result<bool> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let lock = match fs::File::open(path) {
        Err(error) if gone(&error) => return Ok(false),
        lock => lock?,
    };
    if lock.try_lock().is_err() {
        return Ok(false);
    }
    match fs::remove_dir_all(path) {
        Err(error) if !gone(&error) => Err(error),
        _ => Ok(true),
    }
}

/// Whether there is anything at `path`, a dangling symbolic link included.
fn exists(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(named(&error, "look at", path)),
    }
}

/// The folder that `path` is in.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

fn named(error: &io::Error, doing: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("failed to {doing} {}: {error}", path.display()))
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

    fn publish_one(root: &Path, files: &[NewFile<'_>], replaces: bool) -> io::Result<Published> {
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
        assert!(error.to_string().contains("it is no folder"), "{error}");
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
