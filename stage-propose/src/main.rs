//! The program: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage_propose::main(std::env::args_os())
}
