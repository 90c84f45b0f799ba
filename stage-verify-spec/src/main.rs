//! The command line of stage-verify-spec.

use std::process::ExitCode;

use clap::Parser;
use stage_verify_spec::{Args, STAGE, run};

/// Building the syntax trees of verifiers means many small allocations on every thread: mimalloc saves a fifth of
/// the run time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    common::stage::main(STAGE, || run(args))
}
