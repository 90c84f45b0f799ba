//! The journal of paid answers, `answers.jsonl`.
//!
//! An answer is appended as one line and synced before anything is done with it, so what was paid for
//! survives a crash and a `kill -9`. A request that is found here is never sent again. Texts stay on disk; memory
//! holds only the position of each answer, and what the answers of earlier runs took.
//!
//! A disk may become full while an answer is on its way. So room for it is [reserved](Journal::reserve) on the disk
//! before the call: blocks behind the end of the file, which the file system gives to nothing else.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::record::ModelAnswer;
use fs_err::{File, OpenOptions};
use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;
use serde::Deserialize;
use thiserror::Error;

use crate::history::{History, Paid};

/// An open journal. Any number of threads may use it, but one process at a time, which the lock of the run
/// directory ensures.
pub struct Journal {
    path: PathBuf,
    file: File,
    state: Mutex<State>,
    /// The length of the file that is known to be on disk. Locked while syncing, so that one sync serves all
    /// threads that wait for it.
    synced: Mutex<u64>,
    damage: Vec<Damage>,
    history: History,
}

#[derive(Default)]
struct State {
    /// The position of the answer to each request.
    index: HashMap<String, LineRange>,
    /// The position of the last answer to each question.
    questions: HashMap<String, LineRange>,
    /// The end of the last whole line.
    end: u64,
    /// The sum of all reservations, in bytes.
    reserved: u64,
    /// Up to here, the file has blocks on the disk.
    allocated: u64,
}

/// Room on the disk for an answer that was not received yet. It is given back when this is dropped.
#[must_use = "the room is given back when this is dropped"]
pub struct Room<'a> {
    journal: &'a Journal,
    /// In bytes.
    bytes: u64,
}

/// The position of a line in a journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineRange {
    offset: u64,
    length: usize,
}

/// Damage found in a journal when it was opened.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Damage {
    /// The last line was incomplete and was removed.
    #[error("{}:{line}: removed an incomplete last line", path.display())]
    Torn {
        /// The journal.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
    },
    /// A line is not an answer and is skipped.
    #[error("{}:{line}: not an answer: {reason}", path.display())]
    BadLine {
        /// The journal.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The fields that an answer is found by; the text is not kept.
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(flatten)]
    pub(crate) paid: Paid,
    #[serde(default)]
    pub(crate) request: String,
    #[serde(default)]
    question: String,
    #[serde(default)]
    pub(crate) sample: u32,
    #[serde(rename = "text")]
    _text: serde::de::IgnoredAny,
}

impl Journal {
    /// Opens the journal at `path`, creating it if it does not exist. An incomplete last line, as a crash
    /// leaves it, is removed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut state = State::default();
        let mut history = History::default();
        let scan = scan(path, &mut BufReader::new(&file), |head, range| {
            state.insert(head.request, head.question, range);
            history.add(head.paid);
        })?;
        state.end = scan.end;
        let journal = Self {
            path: path.to_owned(),
            file,
            synced: Mutex::new(state.end),
            state: Mutex::new(state),
            damage: scan.damage,
            history,
        };
        journal.repair(&scan.tail)?;
        Ok(journal)
    }

    /// What the answers took that are in the journal at `path`, which is only read: a process may be writing to it.
    /// Nothing if it does not exist.
    pub fn history_at(path: &Path) -> io::Result<History> {
        let mut history = History::default();
        match File::open(path) {
            Ok(file) => {
                scan(path, &mut BufReader::new(&file), |head, _| history.add(head.paid))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(history)
    }

    /// What the answers took that were there when the journal was opened.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The damage found when the journal was opened.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The number of requests with an answer.
    pub fn len(&self) -> usize {
        self.state().index.len()
    }

    /// Whether the journal has no answer yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The answer to this request, if there is one.
    pub fn get(&self, request: &str) -> io::Result<Option<ModelAnswer>> {
        let range = self.state().index.get(request).copied();
        range.map(|range| read_at(&self.path, &self.file, range)).transpose()
    }

    /// The last answer to this [question](crate::Request::question), whichever model gave it.
    pub fn answer_to(&self, question: &str) -> io::Result<Option<ModelAnswer>> {
        let range = self.state().questions.get(question).copied();
        range.map(|range| read_at(&self.path, &self.file, range)).transpose()
    }

    /// Reserves room on the disk for an answer of about this many bytes. Fails if the disk is full.
    ///
    /// On a file system that cannot reserve, only the free space is compared with all reservations.
    pub fn reserve(&self, bytes: u64) -> io::Result<Room<'_>> {
        let mut room = Room { journal: self, bytes: 0 };
        room.widen(bytes)?;
        Ok(room)
    }

    /// Appends an answer and waits until it is on disk. After an error, the file contains nothing of it that
    /// could be taken for an answer.
    pub fn append(&self, answer: &ModelAnswer) -> io::Result<()> {
        self.reserve(0)?.fill(answer)
    }

    /// Appends an answer that can be had again for nothing until [`Self::sync_all`].
    pub(crate) fn append_unsynced(&self, answer: &ModelAnswer) -> io::Result<()> {
        self.reserve(0)?.write(answer).map(drop)
    }

    /// Waits until all answers are on disk.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        let end = self.state().end;
        self.sync(end)
    }

    /// Gives the file blocks for all reservations.
    fn allocate(&self, state: &mut State) -> io::Result<()> {
        let needed = state.end.saturating_add(state.reserved);
        let start = state.allocated.max(state.end);
        let Some(missing) = needed.checked_sub(start).filter(|&missing| missing > 0) else { return Ok(()) };
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, start, missing) {
            Ok(()) => state.allocated = needed,
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let disk = fstatvfs(&self.file)?;
                if disk.f_bavail.saturating_mul(disk.f_frsize) < missing {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Writes a whole line, or nothing, and returns the new end of the file.
    fn write(&self, answer: &ModelAnswer, line: &[u8]) -> io::Result<u64> {
        let mut state = self.state();
        let offset = state.end;
        if let Err(error) = (&self.file).write_all(line) {
            // Part of the line may be written. If truncating fails as well, the next `open` repairs it. It also
            // frees the room of others, who try to get it back.
            drop(self.file.set_len(offset));
            state.allocated = offset;
            drop(self.allocate(&mut state));
            return Err(error);
        }
        state.end = offset + line.len() as u64;
        let range = LineRange { offset, length: line.len() };
        state.insert(answer.request.clone(), answer.question.clone(), range);
        Ok(state.end)
    }

    /// Waits until the file is on disk up to `end`. A thread that comes while another one syncs waits, and
    /// then either finds its line synced or syncs for all threads that came meanwhile.
    fn sync(&self, end: u64) -> io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if *synced < end {
            let written = self.state().end;
            self.file.sync_data()?;
            *synced = written;
        }
        Ok(())
    }

    /// Removes an incomplete last line; completes one that lacks only its line feed.
    fn repair(&self, tail: &Tail) -> io::Result<()> {
        match tail {
            Tail::Whole => return Ok(()),
            Tail::NoLineFeed => (&self.file).write_all(b"\n")?,
            Tail::Torn => self.file.set_len(self.state().end)?,
        }
        let mut state = self.state();
        state.end = self.file.metadata()?.len();
        drop(state);
        self.file.sync_data()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds an answer. Those written by hand name no request, and old ones no question.
    fn insert(&mut self, request: String, question: String, range: LineRange) {
        if !request.is_empty() {
            self.index.insert(request, range);
        }
        if !question.is_empty() {
            self.questions.insert(question, range);
        }
    }
}

impl Room<'_> {
    /// Appends an answer and waits until it is on disk. After an error, the file contains nothing of it that
    /// could be taken for an answer.
    pub fn fill(self, answer: &ModelAnswer) -> io::Result<()> {
        let journal = self.journal;
        let end = self.write(answer)?;
        journal.sync(end)
    }

    /// Appends an answer, and returns the new end of the file.
    fn write(mut self, answer: &ModelAnswer) -> io::Result<u64> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        // A longer answer must not take the room of others.
        self.widen(line.len() as u64)?;
        self.journal.write(answer, &line)
    }

    /// Makes the room at least this large.
    fn widen(&mut self, bytes: u64) -> io::Result<()> {
        let more = bytes.saturating_sub(self.bytes);
        let mut state = self.journal.state();
        state.reserved += more;
        self.journal.allocate(&mut state).inspect_err(|_| state.reserved -= more)?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.journal.state().reserved -= self.bytes;
    }
}

impl Drop for Journal {
    /// Frees the blocks behind the end of the file, unless someone else has written to it.
    fn drop(&mut self) {
        let end = self.state().end;
        if self.file.metadata().is_ok_and(|file| file.len() == end) {
            drop(self.file.set_len(end));
        }
    }
}

/// How a journal ends.
enum Tail {
    Whole,
    /// The last line is an answer without a line feed: the file was edited.
    NoLineFeed,
    Torn,
}

struct Scan {
    /// The end of the last whole line.
    end: u64,
    tail: Tail,
    damage: Vec<Damage>,
}

/// Reads a journal from its start and calls `found` with each answer and its position.
fn scan(path: &Path, input: &mut impl BufRead, mut found: impl FnMut(Head, LineRange)) -> io::Result<Scan> {
    let mut scan = Scan { end: 0, tail: Tail::Whole, damage: Vec::new() };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let whole = line.ends_with(b"\n");
        let range = LineRange { offset: scan.end, length: line.len() };
        match serde_json::from_slice::<Head>(&line) {
            Ok(head) => {
                found(head, range);
                scan.tail = if whole { Tail::Whole } else { Tail::NoLineFeed };
            }
            Err(_) if !whole => {
                scan.tail = Tail::Torn;
                scan.damage.push(Damage::Torn { path: path.to_owned(), line: number });
                break;
            }
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(error) => scan.damage.push(Damage::BadLine {
                path: path.to_owned(),
                line: number,
                reason: error.to_string(),
            }),
        }
        scan.end += line.len() as u64;
    }
    Ok(scan)
}

fn read_at(path: &Path, file: &File, range: LineRange) -> io::Result<ModelAnswer> {
    let mut line = vec![0; range.length];
    file.file().read_exact_at(&mut line, range.offset)?;
    serde_json::from_slice(&line).map_err(|error| {
        let at = format!("{}: the answer at byte {}: {error}", path.display(), range.offset);
        io::Error::new(io::ErrorKind::InvalidData, at)
    })
}

/// A read-only journal whose answers are found by label and sample number.
pub(crate) struct ByLabel {
    path: PathBuf,
    file: File,
    ranges: HashMap<(String, u32), LineRange>,
}

impl ByLabel {
    /// Opens the journal at `path`, which must exist. Lines that are not answers are skipped.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut ranges = HashMap::new();
        scan(path, &mut BufReader::new(&file), |head, range| {
            ranges.insert((head.paid.label, head.sample), range);
        })?;
        Ok(Self { path: path.to_owned(), file, ranges })
    }

    /// The last answer with this label and sample number.
    pub(crate) fn get(&self, label: &str, sample: u32) -> io::Result<Option<ModelAnswer>> {
        let range = self.ranges.get(&(label.to_owned(), sample)).copied();
        range.map(|range| read_at(&self.path, &self.file, range)).transpose()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
