//! Paths as gym-anything's Python takes them.

use std::io;
use std::path::{Path, PathBuf};

/// A path as `pathlib` keeps it: without `.`, doubled slashes and a slash at the end, which to the system
/// make a difference.
pub(super) fn pure(path: &str) -> PathBuf {
    Path::new(path).components().collect()
}

/// Whether a path leads to something, links followed. If the system does not say, it does not.
pub(super) fn exists(path: &Path) -> bool {
    path.try_exists().unwrap_or(false)
}

/// Whether a path leads to something, or may do so: without permission to look, it may.
pub(super) fn may_exist(path: &Path) -> bool {
    path.try_exists().unwrap_or_else(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
