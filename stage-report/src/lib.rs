//! Shows what is known of the tasks of a run: how far each got, what is wrong with it, what it cost.
//!
//! - [`args`] → [`settings`] → [`run`]: the command line, the settings, the stage.
//! - [`source`]: the run directories and manifests to read.
//! - [`gather`]: the records of each task.
//! - [`task`]: what the records say of a task.
//! - [`spending`]: what the answers in the journals cost.
//! - [`progress`]: how far the stages of a run are.
//! - [`figures`]: counts over all tasks.
//! - [`report`]: all of it, as `--json` writes it.
//! - [`neighbours`]: tasks that resemble one another.
//! - [`summary`], [`table`], [`page`]: a few lines of text; a table over several runs; the page.

mod args;
mod figures;
mod gather;
mod neighbours;
mod page;
mod progress;
mod report;
mod run;
mod settings;
mod source;
mod spending;
mod summary;
mod table;
mod task;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the stage with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    common::stage::main("stage-report", || run::run(&Args::parse_from(arguments).settings()?))
}
