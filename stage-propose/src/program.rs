//! Where Claude Code is, and whether it will work.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The Claude Code program: the one that was `asked` for, else the one that `CLAUDE_BIN` names, else the one
/// in PATH.
pub(crate) fn claude(asked: Option<&Path>) -> Result<PathBuf> {
    let program = match asked.map(Path::to_owned).or_else(named_by_environment) {
        Some(name) => find_in_path(&name).unwrap_or(name),
        None => find_in_path(Path::new("claude")).context(
            "no program claude in PATH; install Claude Code (npm install -g @anthropic-ai/claude-code), or name \
             it with --claude-bin or CLAUDE_BIN",
        )?,
    };
    let shown = program.display();
    ensure!(program.is_file(), "no Claude Code at {shown}; --claude-bin or CLAUDE_BIN names it");
    ensure!(is_executable(&program), "{shown} is not executable; chmod +x makes it so");
    ensure!(
        !rustix::process::geteuid().is_root() || is_sandbox(),
        "Claude Code refuses to work without asking for permissions as root; run this as another user, or set \
         IS_SANDBOX=1 if this machine is a sandbox that holds nothing worth protecting"
    );
    // A relative path would be looked up in the agent's working directory, which is another one.
    Ok(std::path::absolute(program)?)
}

fn named_by_environment() -> Option<PathBuf> {
    std::env::var_os("CLAUDE_BIN").filter(|name| !name.is_empty()).map(PathBuf::from)
}

/// Whether the user says so, in the way that Claude Code looks for.
fn is_sandbox() -> bool {
    std::env::var_os("IS_SANDBOX").is_some_and(|value| value == "1")
}

/// Where the program `name` is found in PATH. A name with folders in it is a path already.
fn find_in_path(name: &Path) -> Option<PathBuf> {
    if name.components().count() != 1 {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    let candidates: Vec<PathBuf> = std::env::split_paths(&path).map(|dir| dir.join(name)).collect();
    let executable = candidates.iter().find(|path| path.is_file() && is_executable(path));
    // One that is there but may not be executed makes for a better message than none.
    executable.or_else(|| candidates.iter().find(|path| path.is_file())).cloned()
}

fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}
