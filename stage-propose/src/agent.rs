//! The agent CLIs that can be sent, and how each is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::child::Command;
use anyhow::{Context, Result, ensure};

use crate::claude;

/// An agent CLI.
pub(crate) enum Agent {
    /// Claude Code.
    Claude { program: PathBuf, model: String },
    /// Any other: a shell command with [placeholders](PLACEHOLDERS) in it.
    Command { template: String },
}

/// What one phase asks of the agent.
pub(crate) struct Order<'a> {
    pub(crate) prompt: &'a str,
    /// A file that holds the prompt.
    pub(crate) prompt_file: &'a Path,
    pub(crate) session: &'a str,
    /// Whether the session is there already, and is to be gone on with.
    pub(crate) resume: bool,
    /// The working directory.
    pub(crate) workspace: &'a Path,
    pub(crate) env_dir: &'a Path,
}

/// What may stand in `--agent-cmd`.
const PLACEHOLDERS: [&str; 4] = ["{prompt_file}", "{session_id}", "{env_dir}", "{workspace}"];

impl Agent {
    /// The agent that a shell command starts.
    pub(crate) fn from_template(template: &str) -> Result<Self> {
        ensure!(
            template.contains("{prompt_file}"),
            "--agent-cmd has no {{prompt_file}}, so the agent would not know what to do; it may hold {}",
            PLACEHOLDERS.join(", ")
        );
        Ok(Self::Command { template: template.to_owned() })
    }

    /// The command that carries out an order.
    pub(crate) fn command(&self, order: &Order<'_>) -> Result<Command> {
        let command = match self {
            Self::Claude { program, model } => Command::new(program).args(claude::args(order, model)),
            Self::Command { template } => Command::new("sh").args(["-c", &fill_in(template, order)?]),
        };
        Ok(command.current_dir(order.workspace).env("PATH", path_with_stages()))
    }

    /// Whether it tells of its work in Claude Code's stream of JSON.
    pub(crate) fn streams_json(&self) -> bool {
        matches!(self, Self::Claude { .. })
    }
}

/// PATH, and at its end the folder of this program: the notes tell the agent to check its tasks with the
/// stages beside it.
fn path_with_stages() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let dirs = std::env::split_paths(&path).chain(here);
    // A folder with a colon in its name cannot be in PATH.
    std::env::join_paths(dirs).unwrap_or(path.clone())
}

/// The template with every placeholder replaced, each value as one word of the shell.
fn fill_in(template: &str, order: &Order<'_>) -> Result<String> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let values =
        [path(order.prompt_file), order.session.to_owned(), path(order.env_dir), path(order.workspace)];
    let mut command = template.to_owned();
    for (placeholder, value) in PLACEHOLDERS.iter().zip(values) {
        let word = shlex::try_quote(&value).with_context(|| format!("cannot pass on {value:?}"))?;
        command = command.replace(placeholder, &word);
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_one_word_of_the_shell() {
        let order = Order {
            prompt: "",
            prompt_file: Path::new("/a b/it's.md"),
            session: "u",
            resume: false,
            workspace: Path::new("/w"),
            env_dir: Path::new("/w/e"),
        };
        let command = fill_in("go {prompt_file} --in {env_dir} ${HOME} {other}", &order).unwrap();
        assert_eq!(command, r#"go "/a b/it's.md" --in /w/e ${HOME} {other}"#);
    }

    #[test]
    fn a_command_that_gives_the_agent_nothing_to_do_is_refused() {
        assert!(Agent::from_template("go {workspace}").is_err());
    }
}
