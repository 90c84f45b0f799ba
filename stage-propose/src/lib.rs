//! The first stage: a few hard, realistic seed tasks, from which the next stage derives others.
//!
//! It adopts the tasks of an environment, or starts an agent CLI (Claude Code or another) that writes new ones, or
//! reworks one. The agent's own report is not trusted: the environment's files are compared before and after each
//! [phase], every new task is checked like any other, and files written in other places are reported.
//!
//! - `args` (the command line) becomes `settings` (plain data), which `run` works from: `adopt` or `drive`.
//! - `agent`: the agent CLIs. `process`: runs one, and ends all its processes. `watcher`: ends them if this process
//!   is killed.
//! - `prompts`, `notes`: what the agent reads. `phase`, `session`, `phase_log`, `monitor`: what is kept of its work.
//! - `changes`: the files that it wrote. `checks`: the tasks that it wrote. `output`: the records.

mod adopt;
mod agent;
mod args;
mod changes;
mod checks;
mod drive;
mod monitor;
mod notes;
mod output;
mod phase;
mod phase_log;
mod process;
mod prompts;
mod run;
mod session;
mod settings;
mod watcher;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Args;
use clap::Parser;

/// The stage's name.
const NAME: &str = "stage-propose";

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the stage with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let [_, role, run] = arguments.as_slice()
        && role == watcher::ROLE
    {
        return watcher::main(run);
    }
    let args = Args::parse_from(arguments);
    common::stage::main(NAME, || {
        let ui = args.stage.ui(NAME);
        run::run(&args.into_settings(&ui)?, &ui)
    })
}
