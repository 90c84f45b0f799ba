//! The Python interpreter that runs programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::SandboxError;

/// An interpreter, and the folders that it needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Interpreter {
    /// The program itself, also where a name or a wrapper script was given.
    pub executable: PathBuf,
    /// The version, such as `3.11.7`.
    pub version: String,
    /// The folders of the interpreter and its packages: outer folders before those inside them.
    pub folders: Vec<PathBuf>,
}

/// Asks an interpreter about itself. Its path and its prefixes may contain links, so both ends are needed.
const QUERY: &str = r#"
import json, os, sys, platform
if sys.version_info < (3, 8):
    sys.exit("it is Python " + platform.python_version() + "; Python 3.8 or newer is required")
folders = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
folders |= {path for path in sys.path if os.path.isdir(path)}
folders |= {os.path.realpath(path) for path in folders}
print(json.dumps({
    "executable": os.path.abspath(sys.executable),
    "version": platform.python_version(),
    "folders": sorted(folder for folder in folders if folder != "/"),
}))
"#;

impl Interpreter {
    /// The interpreter that `python` starts: a path, or a name that is looked up as a shell does.
    pub fn find(python: &Path) -> Result<Self, SandboxError> {
        let output = Command::new(python)
            .args(["-I", "-c", QUERY])
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
