//! Files of this machine in another one.

use std::path::{Path, PathBuf};

/// A file or folder of this machine that appears in another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Here.
    pub source: PathBuf,
    /// There.
    pub target: String,
    /// Whether it can be written to. What is written stays in the machine.
    pub writable: bool,
}

impl Mount {
    /// A mount that cannot be written to.
    pub fn read_only(source: &Path, target: &str) -> Self {
        Self { source: source.to_owned(), target: target.to_owned(), writable: false }
    }
}
