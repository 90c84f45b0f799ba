//! Asks a model to expand an environment's seed tasks into many more.
//!
//! A plan comes first: a table with one row per task. After that, every README and every set of files is
//! independent of the others, so they are requested in parallel: the files of a row as soon as its README is
//! there. Records are written in the order of the rows while later rows are still in progress.
//!
//! # Where things are
//!
//! A module uses only modules in the rows below its own; without cycles.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line, and what it means |
//! | [`mod@run`] | opens the run directory and the model, starts the selected passes, sets the exit status |
//! | [`dry_run`], [`estimate`] | prompts without calls: written to files, or priced |
//! | [`preview`] | the first prompt of each pass |
//! | [`passes`] | one module per pass: `plan`, `readme`, `files`, `checklist`, `snapshot`, `fixtures`, `solution`, `agreement`, `repair`; `expand` runs `readme` and `files` over the rows of the plan |
//! | [`pipeline`] | parallel work, with the records written in order |
//! | [`session`] | what every pass works with |
//! | [`progress`] | what a person sees of the passes while they run |
//! | [`ask`] | sends a request again until the answer can be used |
//! | [`prompts`] | the templates, the prefixes rendered from them, and the prefixes kept in the run directory |
//! | [`corpus`] | what is gathered for prompts: the environment's files, examples, occupations, profile, existing tasks |
//! | [`incoming`] | records from the input or from the run directory |
//! | [`settings`], [`writer`] | what to do, as plain data; where all records are written |
//! | [`difficulty`] | difficulty labels |

use anyhow::Result;
use common::exit::ExitStatus;

mod args;
mod ask;
mod corpus;
mod difficulty;
mod dry_run;
mod estimate;
mod incoming;
mod passes;
mod pipeline;
mod preview;
mod progress;
mod prompts;
mod run;
mod session;
mod settings;
mod writer;

pub use args::Args;

/// The name of the program.
pub const STAGE: &str = "stage-amplify";

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the stage.
pub fn run(args: Args) -> Result<ExitStatus> {
    let ui = args.stage.ui(STAGE);
    let settings = args.into_settings()?;
    run::run(&settings, &ui)
}
