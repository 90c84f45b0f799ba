//! Writes seed tasks into an environment, or adopts those that are there.

use std::process::ExitCode;

use clap::Parser;
use stage_propose::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    common::stage::main(stage_propose::NAME, || stage_propose::run(args))
}
