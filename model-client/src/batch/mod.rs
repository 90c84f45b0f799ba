//! Batches: requests that a provider answers within a day, at half the price.
//!
//! While a [`Batches`] collects, a request that is not in the journal is not sent but written to the file of a batch,
//! and its call ends with [`AskError::Deferred`]. [`Desk::settle`] submits these files, waits until the provider has
//! answered, and puts the answers into the journal, where the same calls then find them.
//!
//! | module | purpose |
//! |---|---|
//! | [`service`] | what a provider's batches are to the others |
//! | [`log`] | what was submitted and what was fetched, on disk |
//! | [`spool`] | the file of a batch that is being filled |
//! | [`desk`] | submits, waits and fetches |
//! | [`fetch`] | results into the journal |

mod desk;
mod fetch;
mod log;
mod service;
mod spool;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::log::{Item, Log, Open};
use self::spool::Spool;
use crate::budget::{Quote, Reservation, Short};
use crate::error::AskError;
use crate::history::pass;
use crate::limiter::Limiter;
use crate::model::{CallError, Fault};
use crate::request::Request;

pub(crate) use self::desk::Desk;
pub use self::service::{BatchLimits, BatchService, Found, Framing, Order, Progress, Search};

/// The number of batches that a request goes into before it fails.
const ATTEMPTS: u32 = 3;
/// The file with the log of batches, in the run directory.
const LOG: &str = "batches.jsonl";

/// How batches are used.
#[derive(Clone, Copy, Debug)]
pub struct BatchSettings {
    /// The time between two looks at the batches in progress.
    pub poll: Duration,
    /// Whether requests that a batch has not answered are asked live.
    pub then_live: bool,
}

/// The batches of a run directory.
pub struct Batches {
    service: Arc<dyn BatchService>,
    dir: PathBuf,
    log: Log,
    settings: BatchSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_collecting: bool,
    /// The batches that were submitted, or may have been.
    open: Vec<Open>,
    /// The files of batches that are not submitted. Only the last is not full.
    spools: Vec<Spool>,
    /// The requests in one of these, by their fingerprints, and what is reserved for them.
    waiting: HashMap<String, Held>,
    /// Requests that batches have not answered: how often, and why the last time.
    failed: HashMap<String, (u32, CallError)>,
    /// Requests whose answers were fetched and not used yet.
    fetched: HashSet<String>,
    /// Why a request is in none of them: what it may cost does not fit under the cost limit.
    short: Option<Short>,
}

/// What is reserved for a request in a batch.
struct Held {
    quote: Quote,
    reservation: Reservation,
}

/// What happened to a batch, for people.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchNews {
    /// It was submitted.
    Submitted {
        /// The number of its requests.
        requests: usize,
        /// The length of its file, in bytes.
        bytes: u64,
    },
    /// An earlier run has submitted it.
    Resumed {
        /// The number of its requests.
        requests: usize,
    },
    /// It has ended, and its answers are in the journal.
    Fetched {
        /// The number of answers.
        answers: u64,
        /// The number of requests without an answer.
        failed: u64,
        /// What the answers cost, in US dollars.
        cost: f64,
        /// Why one of the others has none.
        why: Option<String>,
    },
}

impl fmt::Display for BatchNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submitted { requests, bytes } => {
                let megabytes = bytes.div_ceil(1_000_000);
                write!(f, "submitted a batch of {requests} requests, {megabytes} MB")
            }
            Self::Resumed { requests } => {
                write!(f, "waiting for a batch of {requests} requests, submitted before")
            }
            Self::Fetched { answers, failed, cost, why } => {
                write!(f, "a batch has ended: {answers} answers for ${cost:.2}, at the price of batches")?;
                match why {
                    Some(why) => write!(f, "; {failed} requests without an answer, such as: {why}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Batches {
    /// The batches of the run directory `dir`. `name` is the name of the model that `service` asks. Those that an
    /// earlier run has left open are waited for.
    pub fn open(
        dir: &Path,
        name: &str,
        service: Arc<dyn BatchService>,
        settings: BatchSettings,
    ) -> io::Result<Self> {
        let (log, open) = Log::open(&dir.join(LOG))?;
        if let Some(other) = open.iter().find(|open| open.intent.model != name) {
            let model = &other.intent.model;
            return Err(io::Error::other(format!(
                "a batch of {model} is not fetched yet: run the command with --model {model} and --batch first"
            )));
        }
        let state = Mutex::new(State { open, ..State::default() });
        Ok(Self { service, dir: dir.to_owned(), log, settings, state })
    }

    /// The number of requests in batches of the run directory `dir` that are not fetched.
    pub fn unfetched(dir: &Path) -> io::Result<usize> {
        let path = dir.join(LOG);
        if !path.exists() {
            return Ok(0);
        }
        let (_, open) = Log::open(&path)?;
        Ok(open.iter().map(|open| open.intent.requests.len()).sum())
    }

    /// Starts or ends the collection of requests.
    pub(crate) fn collect(&self, is_collecting: bool) {
        self.state().is_collecting = is_collecting;
    }

    /// Reserves what open batches may cost.
    pub(crate) fn reserve(&self, limiter: &Limiter) {
        let mut state = self.state();
        let State { open, waiting, .. } = &mut *state;
        for item in open.iter().flat_map(|open| &open.intent.requests) {
            let quote = Quote::known(pass(&item.label), item.reserved);
            let reservation = limiter.reserve_at_all_events(item.reserved);
            waiting.insert(item.request.clone(), Held { quote, reservation });
        }
    }

    /// Whether the answer to this request was counted when this run fetched it, or will be counted later.
    pub(crate) fn is_counted(&self, fingerprint: &str) -> bool {
        let mut state = self.state();
        state.is_collecting || state.fetched.remove(fingerprint)
    }

    /// Puts a request into a batch, which is an error of its call; `Ok` if it is to be asked live.
    pub(crate) fn put_off(
        &self,
        request: &Request,
        fingerprint: &str,
        quote: Quote,
        limiter: &Limiter,
    ) -> Result<(), AskError> {
        let mut state = self.state();
        match state.failed.get(fingerprint) {
            Some((_, error)) if self.settings.then_live && !is_final(error) => return Ok(()),
            Some((attempts, error)) if is_final(error) || *attempts >= ATTEMPTS => {
                return Err(gave_up(error, *attempts));
            }
            _ => {}
        }
        if !state.is_collecting {
            return Ok(());
        }
        if !state.waiting.contains_key(fingerprint) {
            match limiter.try_reserve(&quote) {
                Ok(reservation) => {
                    let item = Item {
                        request: fingerprint.to_owned(),
                        question: request.question(),
                        label: request.label.clone(),
                        sample: request.sample,
                        reserved: reservation.amount(),
                    };
                    state.waiting.insert(fingerprint.to_owned(), Held { quote, reservation });
                    let written = self.write(&mut state, request, item);
                    written.map_err(|error| limiter.end(cannot_write(&error)))?;
                }
                Err(short) => state.short = Some(short),
            }
        }
        Err(AskError::Deferred)
    }

    fn write(&self, state: &mut State, request: &Request, item: Item) -> io::Result<()> {
        let is_full = match state.spools.last_mut() {
            Some(spool) if !spool.is_full => spool.add(&*self.service, request, item)?,
            _ => {
                let mut spool = Spool::new(&self.dir, self.service.framing())?;
                let is_full = spool.add(&*self.service, request, item)?;
                state.spools.push(spool);
                is_full
            }
        };
        if let Some(spool) = state.spools.last_mut() {
            spool.is_full = is_full;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether another attempt would fail the same way.
fn is_final(error: &CallError) -> bool {
    matches!(error.fault, Fault::Permanent | Fault::NonRetryable | Fault::Rejected)
}

fn gave_up(error: &CallError, attempts: u32) -> AskError {
    let CallError { code, message, hint, .. } = error.clone();
    AskError::GaveUp { code, message, hint, attempts }
}

fn cannot_write(error: &io::Error) -> AskError {
    AskError::Stopped { message: format!("cannot write the file of a batch: {error}"), hint: None }
}
