//! The file by which stages find the ledger.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use common::read::read_regular;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde::{Deserialize, Serialize};

/// The maximum size of the file in bytes.
const MAX_BYTES: usize = 4096;

/// Where the ledger listens, and the secret that shows that a process may read the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    /// Host and port.
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Address {
    /// The address for others of a ledger that listens at `bound`: the name of this machine where it listens on all
    /// of its addresses.
    pub(crate) fn new(bound: SocketAddr, token: String) -> Self {
        let host = match bound.ip() {
            ip if ip.is_unspecified() => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self { address: format!("{host}:{}", bound.port()), token }
    }

    /// Reads the file.
    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        let bytes = read_regular(file, MAX_BYTES).map_err(io::Error::other)?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Writes the file, complete or not at all. Only its owner can read it.
    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        let unfinished = file.with_extension("unfinished");
        let mut out =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        fs::rename(unfinished, file)
    }
}
