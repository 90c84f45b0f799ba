//! The settings of the program, independent of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use common::ui::Verbosity;

use crate::book::Limits;

/// What to do, and with which ledger.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The folder of the ledger.
    pub(crate) dir: PathBuf,
    pub(crate) verbosity: Verbosity,
    pub(crate) action: Action,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Action {
    /// Serve runs.
    Serve {
        /// Where to listen.
        listen: SocketAddr,
        limits: Limits,
    },
    /// Print the state.
    Status {
        /// As JSON.
        json: bool,
    },
}
