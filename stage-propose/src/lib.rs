//! The first stage: a few hard, realistic tasks for the next one to learn from.
//!
//! Either the tasks that an environment already has are adopted, or an agent CLI (Claude Code, or any other)
//! is sent to write new ones into it, or to rework one. What an agent says of its work is not believed: the
//! environment's files are compared before and after each of its [phases](phase), every new task is checked
//! like any other, and what was written where it should not have been is named.

mod adopt;
mod agent;
mod args;
mod child;
mod claude;
mod drive;
mod log;
mod notes;
mod outcome;
mod phase;
mod program;
mod prompt;
mod report;
mod seeds;
mod session;
mod settings;
mod tree;
mod watcher;
mod writes;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use args::Args;
use clap::Parser;
use common::exit::ExitStatus;
use settings::{Settings, Work};

/// The stage's name.
const NAME: &str = "stage-propose";

/// Runs the stage with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let [_, role, run] = arguments.as_slice()
        && role == watcher::ROLE
    {
        return watcher::main(run);
    }
    let args = Args::parse_from(arguments);
    common::stage::main(NAME, || run(args))
}

fn run(args: Args) -> Result<ExitStatus> {
    let ui = args.stage.ui(NAME);
    let settings = Settings::resolve(args, &ui)?;
    match &settings.work {
        Work::Adopt { count } => adopt::run(&settings.place, *count, &ui),
        Work::Drive(drive) => drive::run(&settings.place, drive, &ui),
    }
}
