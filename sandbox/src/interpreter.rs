//! The Python interpreter that runs programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::SandboxError;

/// Describes the interpreter that executes it.
const QUERY: &str = include_str!("interpreter.py");

/// An interpreter and its files.
#[derive(Clone, Debug, Deserialize)]
pub struct Interpreter {
    /// The program itself, also where a name or a wrapper script was given.
    pub executable: PathBuf,
    /// The version, such as `3.11.7`.
    pub version: String,
    /// The files and folders that programs can read: the interpreter, its standard library, its packages and
    /// native libraries, and whatever was asked for. Outer folders come before those inside them.
    pub visible: Vec<PathBuf>,
    /// Folders that the interpreter imports from, but that are outside its own prefix: the checkout of an
    /// editable installation, for example. Programs cannot read them.
    pub hidden: Vec<PathBuf>,
    /// The folders of `LD_LIBRARY_PATH` that it needs.
    pub(crate) library_path: Vec<PathBuf>,
    /// Additional folders to import from.
    pub(crate) extra_path: Vec<PathBuf>,
}

impl Interpreter {
    /// The interpreter that `python` starts: a path, or a name that is looked up as a shell does. Programs can
    /// also import from the folders in `extra`.
    pub fn find(python: &Path, extra: &[PathBuf]) -> Result<Self, SandboxError> {
        let output = Command::new(python)
            .args(["-I", "-c", QUERY])
            .args(extra)
            .output()
            .map_err(|source| SandboxError::NoInterpreter { python: python.to_owned(), source })?;
        if !output.status.success() {
            return Err(unusable(python, String::from_utf8_lossy(&output.stderr).trim()));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| unusable(python, &format!("it does not describe itself: {error}")))
    }
}

fn unusable(python: &Path, reason: &str) -> SandboxError {
    SandboxError::BadInterpreter { python: python.to_owned(), reason: reason.to_owned() }
}
