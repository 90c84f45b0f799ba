//! The files of a task folder.

use std::io::{self, Read};
use std::path::Path;

use fs_err::os::unix::fs::OpenOptionsExt;
use fs_err::{File, OpenOptions};
use rustix::fs::OFlags;

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
    /// The system refused.
    #[error("{0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// Reads a regular file of at most `max` bytes. Anything else is an error, since what a task folder holds is
/// not trusted: reading a pipe, for example, could wait forever.
pub fn read_regular(path: &Path, max: usize) -> Result<Vec<u8>, FileError> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(FileError::Directory);
    }
    if !metadata.is_file() {
        return Err(FileError::Irregular);
    }
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if length > max {
        return Err(FileError::TooLong(max));
    }
    let mut bytes = Vec::with_capacity(length + 1);
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max { Err(FileError::TooLong(max)) } else { Ok(bytes) }
}

/// Reads the first bytes of a file.
pub(crate) fn read_start(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file for reading, without waiting for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}
