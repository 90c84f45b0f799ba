//! Unpacks answers of a model into task folders, each complete or absent.
//!
//! - [`args`] → [`settings`] → [`run`]: the command line, the settings, the stage.
//! - [`jobs`]: one job for each line of the input, and the folders that tasks go to.
//! - [`unpack`]: validates answers on all cores, builds their folders out of sight, and publishes them in the
//!   order of the input, in batches, since syncing many folders takes as long as syncing one.
//! - [`quarantine`]: moves bad tasks out of their environment.
//! - [`results`]: writes and counts the results.
//!
//! `answer` parses and validates an answer; `common::publish` publishes folders.

mod args;
mod jobs;
mod quarantine;
mod results;
mod run;
mod settings;
mod unpack;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

/// The name of the stage.
const STAGE: &str = "stage-extract";

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the stage with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(arguments);
    common::stage::main(STAGE, || run::run(&args.settings()?))
}
