//! The program: see the library.

use std::process::ExitCode;

/// Faster for syntax trees of thousands of small nodes, which are built on one thread after the other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stage_extract::main(std::env::args_os())
}
