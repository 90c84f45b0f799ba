//! The program: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage_verify_task::main(std::env::args_os())
}
