//! Asks a model to expand an environment's seed tasks into many more.
//!
//! A plan comes first: a table with one row per task. After that, every README and every set of files is
//! independent of the others, so they are requested in parallel: the files of a row as soon as its README is
//! there. Records are written in the order of the rows while later rows are still in progress.
//!
//! # Where things are
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`], [`settings`] | the command line; the same as plain, checked data |
//! | [`run`] | opens the run directory and the model, selects the passes, sets the exit status |
//! | [`passes`] | one module per pass: `plan`, `readme`, `files`, `snapshot`, `fixtures`, `repair`; `expand` runs `readme` and `files` over the rows of the plan |
//! | [`pipeline`], [`writer`] | parallel work with results in order; where all records are written |
//! | [`ask`] | sends a request again until the answer can be used |
//! | [`prompts`] | templates, the prompt prefixes rendered from them, and the prefixes kept in the run directory |
//! | [`corpus`] | what is gathered for prompts: the environment, examples, occupations, profile, existing tasks |
//! | [`incoming`] | records from standard input or from the run directory |
//! | [`duplicates`], [`words`], [`difficulty`] | nearly equal descriptions; words of a text; difficulty labels |
//! | [`preview`], [`dry_run`], [`estimate`] | prompts without calls: written to files, or priced |
//!
//! # Dependencies
//!
//! A module uses only modules to its right or below it; there are no cycles.
//!
//! ```text
//! args → settings → run → passes → pipeline → ask → prompts → corpus
//!                    │      └────→ incoming → writer              └→ incoming
//!                    └→ dry_run, estimate → preview → prompts
//! settings → difficulty        corpus, passes → words        duplicates → words
//! ```

use anyhow::Result;
use common::exit::ExitStatus;

mod args;
mod ask;
mod corpus;
mod difficulty;
mod dry_run;
mod duplicates;
mod estimate;
mod incoming;
mod passes;
mod pipeline;
mod preview;
mod prompts;
mod run;
mod session;
mod settings;
mod words;
mod writer;

pub use args::Args;

/// The name of the program.
pub const STAGE: &str = "stage-amplify";

/// Runs the stage.
pub fn run(args: Args) -> Result<ExitStatus> {
    let ui = args.stage.ui(STAGE);
    let settings = args.into_settings()?;
    run::run(&settings, &ui)
}
