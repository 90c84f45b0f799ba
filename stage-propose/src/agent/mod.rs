//! The agent CLIs, and how each is started.

pub(crate) mod claude;
mod order;
mod program;
mod template;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

pub(crate) use self::order::Order;
pub(crate) use self::program::find_claude;
pub(crate) use self::template::Template;

/// An agent CLI.
pub(crate) enum Agent {
    /// Claude Code.
    Claude { program: PathBuf, model: String },
    /// Any other agent: a shell command.
    Command(Template),
}

impl Agent {
    /// The command that carries out an order.
    pub(crate) fn command(&self, order: &Order<'_>) -> Result<Command> {
        let mut command = match self {
            Self::Claude { program, model } => {
                let mut command = Command::new(program);
                command.args(claude::args(order, model));
                command
            }
            Self::Command(template) => {
                let mut command = Command::new("sh");
                command.args(["-c", &template.fill_in(order)?]);
                command
            }
        };
        command.current_dir(order.workspace).env("PATH", path_with_stages());
        Ok(command)
    }

    /// Whether it writes Claude Code's stream of JSON.
    pub(crate) fn streams_json(&self) -> bool {
        matches!(self, Self::Claude { .. })
    }
}

/// PATH with the folder of this program at its end: the notes tell the agent to check its tasks with the other
/// stages.
fn path_with_stages() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let dirs = std::env::split_paths(&path).chain(here);
    // PATH cannot hold a folder with a colon in its name.
    std::env::join_paths(dirs).unwrap_or(path.clone())
}
