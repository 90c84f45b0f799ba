//! Exports tasks to where they are used: those whose evidence suffices, and no others.
//!
//! - [`args`] → [`settings`] → [`run`]: the command line, the settings, the stage.
//! - [`evidence`]: what the records say of each task.
//! - [`selection`]: which tasks are exported, and why the others are not.
//! - [`export`], [`exported`], [`folder`]: an export that is a folder; a task in it; a folder that is replaced as a whole.
//! - [`harbor`]: tasks and images that Harbor runs. [`verifiers`], [`grasp`]: Python packages around them.
//! - [`huggingface`]: a dataset of Parquet files, with a card.
//! - [`splits`]: the lists of training and test tasks that gym-anything's benchmark reads.

mod args;
mod evidence;
mod export;
mod exported;
mod folder;
mod grasp;
mod harbor;
mod huggingface;
mod run;
mod selection;
mod settings;
mod splits;
mod verifiers;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

/// The name of the stage.
const STAGE: &str = "stage-export";

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the stage with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(arguments);
    common::stage::main(STAGE, || run::run(&args.settings()?))
}
