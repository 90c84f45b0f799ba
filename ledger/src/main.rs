//! The program: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ledger::main(std::env::args_os())
}
