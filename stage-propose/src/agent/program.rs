//! Finds Claude Code, and checks that it can run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

const DEFAULT: &str = "claude";

/// The Claude Code program: the one named on the command line, else the one in `CLAUDE_BIN`, else `claude` in PATH.
pub(crate) fn find_claude(named: Option<&Path>) -> Result<PathBuf> {
    let program = match named.map(Path::to_owned).or_else(named_by_environment) {
        Some(name) => find(&name)?,
        None => which::which(DEFAULT).ok().context(
            "no program claude in PATH; install Claude Code (npm install -g @anthropic-ai/claude-code), or set \
             --claude-bin or CLAUDE_BIN",
        )?,
    };
    ensure!(
        !rustix::process::geteuid().is_root() || is_sandbox(),
        "Claude Code refuses to work without asking for permissions as root; run this as another user, or set \
         IS_SANDBOX=1 if this machine is a sandbox that contains nothing worth protecting"
    );
    // The agent's working directory is another one.
    Ok(std::path::absolute(program)?)
}

fn named_by_environment() -> Option<PathBuf> {
    std::env::var_os("CLAUDE_BIN").filter(|name| !name.is_empty()).map(PathBuf::from)
}

/// Finds a program by its path, or by its name in PATH.
fn find(name: &Path) -> Result<PathBuf> {
    let shown = name.display();
    match which::which(name) {
        Ok(program) => Ok(program),
        Err(_) if name.is_file() => bail!("{shown} is not executable; run chmod +x on it"),
        Err(_) => bail!("no Claude Code at {shown}; check --claude-bin or CLAUDE_BIN"),
    }
}

/// Whether the user declares this machine a sandbox, in the way that Claude Code expects.
fn is_sandbox() -> bool {
    std::env::var_os("IS_SANDBOX").is_some_and(|value| value == "1")
}
