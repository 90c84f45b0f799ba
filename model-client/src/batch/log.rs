//! The log of batches, `batches.jsonl`: what was about to be submitted, what was submitted, and what was fetched.
//!
//! Each line is synced before the next step is taken. So a crash at any moment leaves either no trace at the
//! provider, or a line here by which the batch is found again.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use fs_err::{File, OpenOptions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use crate::request::Request;

/// A line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    /// A batch is about to be submitted.
    Intent(Intent),
    /// The provider has accepted it, under this name.
    Submitted { batch: String, id: String },
    /// The provider has not accepted it.
    NotSubmitted { batch: String },
    /// Its answers are in the journal.
    Fetched { batch: String, answers: u64, failed: u64 },
}

/// A batch that is about to be submitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    /// Our own name for it.
    pub(super) batch: String,
    /// When.
    pub(super) time: Timestamp,
    /// The model that is asked.
    pub(super) model: String,
    pub(super) requests: Vec<Item>,
}

/// A request of a batch. What its answer's line in the journal needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Item {
    /// The fingerprint of the request.
    pub(super) request: String,
    /// [What is asked](Request::question), whichever model is.
    pub(super) question: String,
    pub(super) label: String,
    #[serde(default)]
    pub(super) sample: u32,
    /// What is reserved for its answer, in US dollars.
    pub(super) reserved: f64,
}

/// A batch whose answers are not in the journal yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) intent: Intent,
    /// The provider's name for it, if that is known.
    pub(super) id: Option<String>,
}

/// The log, open to be written.
pub(super) struct Log {
    file: File,
}

impl Log {
    /// Opens the log at `path`. Returns the batches that are not fetched, in the order of their submission. An
    /// incomplete last line is removed: nothing was done after it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Open>)> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut open = BTreeMap::new();
        let mut input = BufReader::new(&file);
        let (mut line, mut end) = (Vec::new(), 0);
        for number in 0.. {
            line.clear();
            let length = input.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                break;
            }
            let event = serde_json::from_slice(&line).map_err(|error| {
                let message = format!("{}:{}: not a batch: {error}", path.display(), number + 1);
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            apply(&mut open, number, event);
            end += length as u64;
        }
        if file.metadata()?.len() > end {
            file.set_len(end)?;
        }
        Ok((Self { file }, open.into_values().collect()))
    }

    /// Appends a line and waits until it is on disk.
    pub(super) fn append(&self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        (&self.file).write_all(&line)?;
        self.file.sync_data()
    }
}

/// Changes the open batches, which are kept by the number of their line, as the event says.
fn apply(open: &mut BTreeMap<usize, Open>, line: usize, event: Event) {
    let find = |open: &BTreeMap<usize, Open>, batch: &str| {
        open.iter().find(|(_, one)| one.intent.batch == batch).map(|(&line, _)| line)
    };
    match event {
        Event::Intent(intent) => {
            open.insert(line, Open { intent, id: None });
        }
        Event::Submitted { batch, id } => {
            if let Some(one) = find(open, &batch).and_then(|line| open.get_mut(&line)) {
                one.id = Some(id);
            }
        }
        Event::NotSubmitted { batch } | Event::Fetched { batch, .. } => {
            find(open, &batch).and_then(|line| open.remove(&line));
        }
    }
}
