//! Runs verifiers in a sandbox against states whose verdict is known.
//!
//! A spec check can tell that a verifier exists and parses. Whether it passes when nothing was done, or raises
//! when the result is missing, shows only when it runs. That needs no virtual machine: a verifier reads its
//! environment through `copy_from_env` alone, and the files that it delivers can be constructed.
//!
//! - [`args`] → [`settings`] → [`run`]: the command line, the settings, the stage.
//! - [`states`]: the states, and the verdict that a valid verifier gives in each.
//! - [`untouched`]: the result that a task's export script writes when nothing was done.
//! - [`mutants`]: golden results with one field made wrong.
//! - [`variants`]: golden results with irrelevant changes.
//! - [`prober`]: runs a verifier in its states.
//! - [`issues`]: from the outcomes in all states to issues.

mod args;
mod issues;
mod mutants;
mod prober;
mod run;
mod settings;
mod states;
mod summary;
mod untouched;
mod variants;

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
    common::stage::main("stage-probe", || run::run(&Settings::from(Args::parse_from(arguments))))
}
