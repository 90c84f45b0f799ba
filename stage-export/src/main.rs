//! The program: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage_export::main(std::env::args_os())
}
