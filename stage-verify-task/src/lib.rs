//! Runs tasks in the real software, in containers.
//!
//! What a spec and a verifier say of a task is said on paper. Whether its set-up works, whether nothing done fails, and
//! whether a solution passes shows only when it runs.
//!
//! - [`args`] → [`settings`] → [`run`]: the command line, the settings, the stage.
//! - [`engine`]: starts machines and runs scripts in them.
//! - [`image`]: the image of an environment, which is built once.
//! - [`task`]: a task and its solutions, as far as running them needs it.
//! - [`episode`]: one run of a task in a machine of its own. [`screen`]: what it shows.
//! - [`trial`]: all episodes of a task. [`evidence`]: what is kept of them for people.
//! - [`compare`], [`issues`]: from episodes to issues.

mod args;
mod compare;
mod engine;
mod episode;
mod evidence;
mod image;
mod issues;
mod run;
mod screen;
mod settings;
mod summary;
mod task;
mod trial;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::settings::Settings;

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the stage with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(status) = sandbox::enter_role(&arguments) {
        return status;
    }
    common::stage::main("stage-verify-task", || run::run(&Settings::from(Args::parse_from(arguments))))
}
