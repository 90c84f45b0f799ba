//! The program: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    stage_report::main(std::env::args_os())
}
