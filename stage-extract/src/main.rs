//! The command line of stage-extract.

use std::process::ExitCode;

use clap::Parser;
use stage_extract::{Args, STAGE, run};

fn main() -> ExitCode {
    let args = Args::parse();
    common::stage::main(STAGE, || run(args))
}
