//! Paths and files as gym-anything's Python takes them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt;
use fs_err::{File, OpenOptions};
use rustix::fs::OFlags;

/// The longest spec that is read, in bytes. The longest one of the published benchmark has 77 KB.
pub(super) const MAX_SPEC_BYTES: usize = 16 << 20;

/// A path as `pathlib` keeps it: without `.`, doubled slashes and a slash at the end, which to the system
/// make a difference.
pub(super) fn pure(path: &str) -> PathBuf {
    Path::new(path).components().collect()
}

/// Whether something is there, links followed. What cannot be looked at is taken not to be there.
pub(super) fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}

/// Whether something is there, or may be: what may not be looked at is not to be passed over.
pub(super) fn may_exist(path: &Path) -> bool {
    path.try_exists().unwrap_or_else(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Why a file is not read. Says nothing of where it is, for messages that are the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A directory was found.
    #[error("it is a directory")]
    Directory,
    /// A pipe, a socket or a device was found.
    #[error("it is not a regular file")]
    Irregular,
    /// It has more than this many bytes.
    #[error("it is longer than the {0} bytes that are read")]
    TooLong(usize),
    /// The system refused.
    #[error("{0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// Reads a regular file of at most `max` bytes. Anything else (a pipe, say, which nobody may ever write to)
/// is an error: what a task folder holds is not to be trusted.
pub fn read_regular(path: &Path, max: usize) -> Result<Vec<u8>, ReadError> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ReadError::Directory);
    }
    if !metadata.is_file() {
        return Err(ReadError::Irregular);
    }
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if length > max {
        return Err(ReadError::TooLong(max));
    }
    let mut bytes = Vec::with_capacity(length + 1);
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max { Err(ReadError::TooLong(max)) } else { Ok(bytes) }
}

/// The first bytes of a file.
pub(super) fn read_start(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file to read it, without waiting for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}
