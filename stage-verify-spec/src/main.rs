//! The command line of stage-verify-spec.

use std::process::ExitCode;

use clap::Parser;
use stage_verify_spec::{Args, STAGE, run};

fn main() -> ExitCode {
    let args = Args::parse();
    common::stage::main(STAGE, || run(args))
}
