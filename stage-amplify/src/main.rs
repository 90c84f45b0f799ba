//! Asks a model to expand seed tasks into many more.

use std::process::ExitCode;

use clap::Parser;
use common::stage;
use stage_amplify::{Args, STAGE};

fn main() -> ExitCode {
    let args = Args::parse();
    stage::main(STAGE, || stage_amplify::run(args))
}
