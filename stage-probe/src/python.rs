//! The Python that runs verifiers.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// An interpreter, and the folders without which it does not run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Interpreter {
    /// The program itself, where a name or a wrapper script was asked for.
    pub(crate) executable: PathBuf,
    /// The version, such as `3.11.7`.
    pub(crate) version: String,
    /// Where it and its packages are: outer folders before those inside them.
    pub(crate) folders: Vec<PathBuf>,
}

/// Asks an interpreter who it is. Its path and prefixes may lead through links, so both ends are needed.
const WHO: &str = r#"
import json, os, sys, platform
if sys.version_info < (3, 8):
    sys.exit("it is Python " + platform.python_version() + ", and has to be 3.8 or newer")
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
    /// The interpreter that `asked` starts: a path, or a name to look up as a shell does.
    pub(crate) fn find(asked: &Path) -> Result<Self> {
        let name = asked.display();
        let output = Command::new(asked)
            .args(["-I", "-c", WHO])
            .output()
            .with_context(|| format!("cannot start {name}; give --python a Python 3.8 or newer"))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name} does not work: {}", complaint.trim());
        serde_json::from_slice(&output.stdout).with_context(|| format!("{name} does not say who it is"))
    }
}
