//! The book on disk: `ledger.jsonl`, one line for each call that was granted, settled or given back, and for each batch
//! that was reserved or settled.
//!
//! A line is written before it takes effect, so that a ledger that is killed and started again knows every call that
//! may be in flight. Lines are not synced: a crash of the machine may lose the last of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::batches::Batches;
use crate::protocol::Ask;

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A call was granted.
    Granted {
        ticket: u64,
        #[serde(flatten)]
        ask: Ask,
    },
    /// A call ended.
    Settled {
        ticket: u64,
        /// In US dollars.
        cost: f64,
    },
    /// The reservation of a call that ended with its process was given back.
    GivenBack { ticket: u64 },
    /// Money was set aside for a batch.
    BatchReserved {
        batch: String,
        /// In US dollars.
        worst: f64,
    },
    /// A batch has ended.
    BatchSettled {
        batch: String,
        /// In US dollars.
        cost: f64,
    },
}

/// What a journal says.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// What was spent, in US dollars.
    pub(crate) spent: f64,
    /// The calls that were granted and not settled.
    pub(crate) open: BTreeMap<u64, Ask>,
    /// Those of the others whose reservations were given back and that were not settled since.
    pub(crate) given_back: BTreeSet<u64>,
    /// The greatest number of a ticket.
    pub(crate) last: u64,
    pub(crate) batches: Batches,
}

/// The open journal.
#[derive(Debug)]
pub(crate) struct Journal(fs::File);

impl Journal {
    /// Opens the journal, and reads what it says.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Past)> {
        let file = fs::OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let mut past = Past::default();
        let mut whole = 0;
        let mut lines = BufReader::new(&file);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let entry = serde_json::from_slice(&line)
                .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
            past.add(entry);
            whole += line.len() as u64;
            line.clear();
        }
        // What a killed process left of its last line.
        file.set_len(whole)?;
        Ok((Self(file), past))
    }

    /// Appends an entry, in one write.
    pub(crate) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

impl Past {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Granted { ticket, ask } => {
                self.last = self.last.max(ticket);
                self.open.insert(ticket, ask);
            }
            Entry::Settled { ticket, cost } => {
                self.spent += cost;
                self.open.remove(&ticket);
                self.given_back.remove(&ticket);
            }
            Entry::GivenBack { ticket } => {
                self.open.remove(&ticket);
                self.given_back.insert(ticket);
            }
            Entry::BatchReserved { batch, worst } => self.batches.reserve(batch, worst),
            Entry::BatchSettled { batch, cost } => {
                self.spent += cost;
                self.batches.settle(batch);
            }
        }
    }
}
