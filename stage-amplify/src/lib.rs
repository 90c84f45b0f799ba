//! Has a model expand an environment's seed tasks into many more.
//!
//! A [plan](planner) comes first: a table with a row for each task. Then every README and every set of files
//! is independent of all others, and they are [made](maker) in parallel: a row's files as soon as its README
//! is there. What comes of it goes out [in the order of the rows](work), while later rows are still being
//! worked on.

use anyhow::Result;
use common::exit::ExitStatus;

use crate::settings::Settings;

mod args;
mod context;
mod duplicates;
mod examples;
mod fixtures;
mod incoming;
mod judge;
mod maker;
mod making;
mod occupations;
mod planner;
mod profile;
mod prompt_data;
mod prompts;
mod readme;
mod repair;
mod report;
mod rows;
mod run;
mod settings;
mod sink;
mod task_files;
mod task_text;
mod tasks;
mod work;

pub use args::Args;

/// The stage's short name.
pub const STAGE: &str = "stage-amplify";

/// Runs the stage.
pub fn run(args: Args) -> Result<ExitStatus> {
    let ui = args.stage().ui(STAGE);
    let settings = Settings::resolve(args)?;
    run::run(&settings, &ui)
}
