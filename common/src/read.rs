//! Reading files that are not trusted: only regular files, and never more than a maximum.
//!
//! What a prompt contains, what a sandbox is given and what a record describes is read with [`read_beneath`] or
//! [`start_beneath`]: a link in an environment must not make a file from elsewhere on this machine part of it.

#![expect(
    clippy::disallowed_types,
    reason = "errors here do not name the file, and descriptors have no path"
)]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

/// The most room that is made for a file before it is read, in bytes.
const MOST_RESERVED: usize = 1 << 20;

/// Why a file is not read. It does not name the file, so that messages are the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The path leads to a directory.
    #[error("it is a directory")]
    Directory,
    /// The path leads to a pipe, a socket or a device.
    #[error("it is not a regular file")]
    Irregular,
    /// The file has more than this many bytes.
    #[error("it is longer than the {0} bytes that are read")]
    TooLong(usize),
    /// A part of the path below the root is a symbolic link.
    #[error("it is a symbolic link, or below one")]
    Link,
    /// The path leads out of the root.
    #[error("its path leads out of the folder")]
    Outside,
    /// The system refused.
    #[error("{0}")]
    Io(io::ErrorKind),
}

impl FileError {
    /// Whether the file does not exist.
    pub fn is_not_found(self) -> bool {
        self == Self::Io(io::ErrorKind::NotFound)
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<Errno> for FileError {
    fn from(error: Errno) -> Self {
        Self::Io(error.kind())
    }
}

/// The beginning of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// The length of the whole file in bytes.
    pub length: u64,
}

/// Reads the file `name` below the folder `root`, of at most `max` bytes. No part of `name` may be a link; `root`
/// itself may be reached through links.
pub fn read_beneath(root: &Path, name: &Path, max: usize) -> Result<Vec<u8>, FileError> {
    whole(open_beneath(root, name)?, max)
}

/// Reads the first `max` bytes of the file `name` below the folder `root`, with the rules of [`read_beneath`].
pub fn start_beneath(root: &Path, name: &Path, max: usize) -> Result<Start, FileError> {
    start(open_beneath(root, name)?, max)
}

/// Reads the file at `path`, of at most `max` bytes. Links are followed: for files that a user names, and for
/// checks that have to read what gym-anything reads.
pub fn read_regular(path: &Path, max: usize) -> Result<Vec<u8>, FileError> {
    whole(open(path)?, max)
}

/// Reads the first `max` bytes of the file at `path`. Links are followed.
pub fn start_of_regular(path: &Path, max: usize) -> Result<Start, FileError> {
    start(open(path)?, max)
}

/// Opens the file at `path`, of at most `max` bytes, to read it part by part. Links are followed.
pub(crate) fn open_regular(path: &Path, max: usize) -> Result<File, FileError> {
    let file = open(path)?;
    length_within(&file, max)?;
    Ok(file)
}

fn whole(file: File, max: usize) -> Result<Vec<u8>, FileError> {
    let length = length_within(&file, max)?;
    // One more byte, since the file may have grown.
    let bytes = first_bytes(file, max.saturating_add(1), length)?;
    if bytes.len() > max { Err(FileError::TooLong(max)) } else { Ok(bytes) }
}

/// The length of a file, if it has at most `max` bytes.
fn length_within(file: &File, max: usize) -> Result<u64, FileError> {
    let length = regular_length(file)?;
    if length > max as u64 { Err(FileError::TooLong(max)) } else { Ok(length) }
}

fn start(file: File, max: usize) -> Result<Start, FileError> {
    let length = regular_length(&file)?;
    let bytes = first_bytes(file, max, length)?;
    Ok(Start { length: length.max(bytes.len() as u64), bytes })
}

/// The first `max` bytes of a file of this length. A buffer that holds them saves most of the reads.
fn first_bytes(file: File, max: usize, length: u64) -> io::Result<Vec<u8>> {
    let expected = usize::try_from(length).unwrap_or(max).min(max).min(MOST_RESERVED);
    // The byte after the last one is where the end is found.
    let mut bytes = Vec::with_capacity(expected + 1);
    file.take(max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn regular_length(file: &File) -> Result<u64, FileError> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(FileError::Directory);
    }
    if metadata.is_file() { Ok(metadata.len()) } else { Err(FileError::Irregular) }
}

/// How a file is opened: without waiting for the other end of a pipe, and without making a terminal the
/// process's own.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// How a folder on the way to a file is opened.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open(path: &Path) -> Result<File, FileError> {
    Ok(openat(CWD, path, FILE, Mode::empty())?.into())
}

/// Opens a file below `root` one part of its name at a time, so that no part can be a link, also if somebody
/// renames folders meanwhile. `openat2` does the same in one call, but container runtimes filter it.
fn open_beneath(root: &Path, name: &Path) -> Result<File, FileError> {
    let mut parts = Vec::new();
    for part in name.components() {
        match part {
            Component::Normal(part) => parts.push(Path::new(part)),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(FileError::Outside);
            }
        }
    }
    let Some((file, folders)) = parts.split_last() else { return Err(FileError::Directory) };
    let mut folder = openat(CWD, root, FOLDER, Mode::empty())?;
    for part in folders {
        folder = open_in(&folder, part, FOLDER)?;
    }
    Ok(open_in(&folder, file, FILE)?.into())
}

fn open_in(folder: &OwnedFd, part: &Path, flags: OFlags) -> Result<OwnedFd, FileError> {
    openat(folder, part, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|errno| {
        let is_link = statat(folder, part, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink);
        if is_link { FileError::Link } else { errno.into() }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use fs_err as fs;
    use rustix::fs::mkfifoat;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/sub")).unwrap();
        fs::write(dir.path().join("root/sub/a"), "12345").unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        dir
    }

    fn read(dir: &tempfile::TempDir, name: &str) -> Result<Vec<u8>, FileError> {
        read_beneath(&dir.path().join("root"), Path::new(name), 5)
    }

    #[test]
    fn a_file_below_the_root_is_read() {
        let dir = folder();
        assert_eq!(read(&dir, "sub/a").unwrap(), b"12345");
        assert_eq!(read(&dir, "./sub//a").unwrap(), b"12345");
        symlink("root", dir.path().join("link")).unwrap();
        assert!(read_beneath(&dir.path().join("link"), Path::new("sub/a"), 5).is_ok());
    }

    #[test]
    fn d1_links_are_not_followed_wherever_they_lead() {
        let dir = folder();
        let root = dir.path().join("root");
        symlink("../secret", root.join("file")).unwrap();
        symlink("sub/a", root.join("inside")).unwrap();
        symlink("..", root.join("folder")).unwrap();
        symlink("gone", root.join("dangling")).unwrap();
        for name in ["file", "inside", "folder/secret", "folder/root/sub/a", "dangling"] {
            assert_eq!(read(&dir, name), Err(FileError::Link), "{name}");
        }
    }

    #[test]
    fn d1_no_path_leads_out_of_the_root() {
        let dir = folder();
        let absolute = dir.path().join("secret");
        for name in ["../secret", "sub/../../secret", absolute.to_str().unwrap(), "..", "/"] {
            assert_eq!(read(&dir, name), Err(FileError::Outside), "{name}");
        }
        assert_eq!(read(&dir, ""), Err(FileError::Directory));
        assert!(read(&dir, "gone/a").unwrap_err().is_not_found());
        assert_eq!(read(&dir, "sub/a/b"), Err(FileError::Io(io::ErrorKind::NotADirectory)));
    }

    #[test]
    fn d2_only_regular_files_are_read_and_nothing_waits() {
        let dir = folder();
        let root = dir.path().join("root");
        mkfifoat(CWD, root.join("pipe"), Mode::RWXU).unwrap();
        assert_eq!(read(&dir, "pipe"), Err(FileError::Irregular));
        assert_eq!(start_beneath(&root, Path::new("pipe"), 9), Err(FileError::Irregular));
        assert_eq!(read(&dir, "sub"), Err(FileError::Directory));
        assert_eq!(read_regular(Path::new("/dev/zero"), 5), Err(FileError::Irregular));
    }

    #[test]
    fn d2_no_more_than_the_maximum_is_read() {
        let dir = folder();
        let path = dir.path().join("root/sparse");
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&dir, "sparse"), Err(FileError::TooLong(5)));
        assert_eq!(read_regular(&path, 5), Err(FileError::TooLong(5)));
        let start = start_of_regular(&path, 3).unwrap();
        assert_eq!(start, Start { bytes: vec![0; 3], length: 1 << 40 });
    }
}
