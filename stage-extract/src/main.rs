//! The command line of stage-extract.

use std::process::ExitCode;

use clap::Parser;
use stage_extract::{Args, STAGE, run};

/// Every verifier is a syntax tree of thousands of small pieces, built on one thread after the other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    common::stage::main(STAGE, || run(args))
}
