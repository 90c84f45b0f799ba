//! One rate limit and one budget for all processes that ask the same provider, on one machine or many.
//!
//! The program `fleet-ledger` holds both. Before each call, a stage takes a [`Ticket`] from it, which reserves the
//! most that the call may cost and one of the calls that the provider accepts at a time. After the call it settles
//! the ticket with the cost. A batch reserves its cost alone, and keeps it when its process ends.
//!
//! A process and not a file, for three reasons. A connection that breaks tells at once that a call has ended with its
//! process. A waiting call needs no polling, and the calls of all runs can be served in turn. And locks of files do
//! not hold on every shared file system.
//!
//! - [`protocol`]: what a stage and the ledger say to each other; [`address`]: how a stage finds the ledger.
//! - [`client`]: the side of the stage.
//! - [`book`]: who may call, and what is spent; [`lane`]: the calls that share a rate limit; [`batches`]: what is set
//!   aside for batches; [`journal`]: the book on disk; [`server`]: the connections.
//! - [`args`] → [`settings`] → [`run`]: the program.
//! - `simulation`: a fleet on a simulated clock, for the tests.

mod address;
mod args;
mod batches;
mod book;
mod client;
mod journal;
mod lane;
mod protocol;
mod run;
mod server;
mod settings;
#[cfg(test)]
mod simulation;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
pub use crate::client::{Ledger, LedgerError, Room, Ticket};
pub use crate::protocol::{Flow, Outcome};

/// The name of the program.
const PROGRAM: &str = "fleet-ledger";

/// The command line, for completions and manuals.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program with these arguments, its name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(arguments);
    common::stage::main(PROGRAM, || run::run(&args.into_settings()?))
}
