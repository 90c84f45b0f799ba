//! Checks specs, hooks, verifiers and checklists, and reports what gym-anything's own verification reports.
//!
//! - `args` (the command line) becomes `settings` (plain data), which `run` works from.
//! - `targets`: what the paths on the command line name. `work`: the items to check, in order.
//! - `check`: checks one item. The rules are those of `task_spec::verify`; `lints` adds warnings, which make a
//!   verdict bad only with `--strict`.
//! - `output`: writes the results in the chosen format. `gym_manifests`: the three files that gym-anything's
//!   `verify corpus` writes.

mod args;
mod check;
mod gym_manifests;
mod lints;
mod output;
mod run;
mod settings;
mod targets;
mod work;

use anyhow::Result;
use common::exit::ExitStatus;

pub use self::args::Args;

/// The name of this stage.
pub const STAGE: &str = "stage-verify-spec";

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the stage.
pub fn run(args: Args) -> Result<ExitStatus> {
    let ui = args.stage.ui(STAGE);
    if args.lints {
        run::list_lints(&args.stage.into())?;
        return Ok(ExitStatus::Done);
    }
    run::run(&args.into_settings(&ui)?, &ui)
}
