//! The side of the stage: takes a ticket for each call, and settles it.

use std::io::{self, BufReader};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::address::Address;
use crate::protocol::{Ask, Flow, Opening, Outcome, Request, Response, Status, receive, send};

/// How long to look for a ledger that does not answer: it may be starting again.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same at the end of a run, for outcomes that are not reported yet.
const LAST_PATIENCE: Duration = Duration::from_secs(10);
/// The wait between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// How long to wait for a connection, and for an answer that comes at once.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a call that waits for its turn looks whether its run goes on.
const LOOK: Duration = Duration::from_millis(200);

/// Why a call gets no ticket.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum LedgerError {
    /// The call may cost more than is left of the budget of all runs.
    #[error(
        "the budget of all runs is spent: ${spent:.2} of ${max:.2}, and the next call may cost ${next:.2}"
    )]
    Budget {
        /// The budget, in US dollars.
        max: f64,
        /// What is spent.
        spent: f64,
        /// The most that the call may cost.
        next: f64,
    },
    /// The ledger cannot be asked.
    #[error("cannot ask the ledger of {}: {message}", file.display())]
    Unreachable {
        /// The address file.
        file: PathBuf,
        /// What went wrong.
        message: String,
    },
    /// The run has ended while the call waited.
    #[error("the run has ended")]
    Ended,
}

/// The money of all runs, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// The budget.
    pub max: f64,
    /// What is spent.
    pub spent: f64,
    /// The most that calls in flight and batches may cost.
    pub reserved: f64,
}

impl Room {
    /// What is neither spent nor set aside.
    pub fn left(&self) -> f64 {
        self.max - self.spent - self.reserved
    }
}

/// The ledger, for the calls of one run to one model.
#[derive(Debug)]
pub struct Ledger {
    file: PathBuf,
    run: String,
    provider: String,
    /// Outcomes that could not be reported yet.
    unreported: Mutex<Vec<(u64, Outcome)>>,
}

impl Ledger {
    /// The ledger with this address file. `run` says what this process works on, for people; calls of different
    /// processes are served in turn. Those with the same `provider` share a rate limit.
    pub fn new(file: &Path, run: &str, provider: &str) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self {
            file: file.to_owned(),
            run: format!("{run} (process {} on {host})", process::id()),
            provider: provider.to_owned(),
            unreported: Mutex::default(),
        }
    }

    /// Waits until it is the turn of a call that costs at most `worst` US dollars, or until `has_ended` says that the
    /// run has ended.
    pub fn ticket(&self, worst: f64, has_ended: impl Fn() -> bool) -> Result<Ticket<'_>, LedgerError> {
        self.patiently(PATIENCE, &has_ended, || self.try_ticket(worst, &has_ended))?
    }

    /// What is left for batches of the budget of all runs; `None` without a budget.
    pub fn room(&self) -> Result<Option<Room>, LedgerError> {
        let status = match self.request_patiently(&Request::Status)? {
            Response::Status(status) => status,
            other => return Err(self.unreachable(&unexpected(&other))),
        };
        Ok(status.max_cost.map(|max| Room { max, spent: status.spent, reserved: status.reserved }))
    }

    /// Sets money aside for a batch, until it is settled: `worst` US dollars. Returns whether it fits into the budget.
    pub fn reserve_batch(&self, batch: &str, worst: f64) -> Result<bool, LedgerError> {
        let request = Request::ReserveBatch { batch: batch.to_owned(), worst };
        match self.request_patiently(&request)? {
            Response::Reserved => Ok(true),
            Response::Short => Ok(false),
            other => Err(self.unreachable(&unexpected(&other))),
        }
    }

    /// Reports what a batch cost, in US dollars. Only the first report counts, so that it can be repeated.
    pub fn settle_batch(&self, batch: &str, cost: f64) -> Result<(), LedgerError> {
        let request = Request::SettleBatch { batch: batch.to_owned(), cost };
        match self.request_patiently(&request)? {
            Response::Settled => Ok(()),
            other => Err(self.unreachable(&unexpected(&other))),
        }
    }

    /// Reports, at the end of a run, the outcomes that could not be reported before.
    pub fn finish(&self) -> Result<(), LedgerError> {
        self.patiently(LAST_PATIENCE, || false, || self.report_late())
    }

    /// What the ledger says of all runs.
    pub(crate) fn status(file: &Path) -> Result<Status, LedgerError> {
        let ledger = Self::new(file, "", "");
        match ledger.request(&Request::Status) {
            Ok(Response::Status(status)) => Ok(status),
            Ok(other) => Err(ledger.unreachable(&unexpected(&other))),
            Err(error) => Err(ledger.unreachable(&error)),
        }
    }

    /// The outer error may go away.
    fn try_ticket(
        &self,
        worst: f64,
        has_ended: &impl Fn() -> bool,
    ) -> io::Result<Result<Ticket<'_>, LedgerError>> {
        self.report_late()?;
        let ask = Ask { run: self.run.clone(), provider: self.provider.clone(), worst };
        let mut stream = self.open(&Request::Ask(ask))?;
        loop {
            // Nothing is read before there is something to read, so that no part of a line is lost.
            stream.get_ref().set_read_timeout(Some(LOOK))?;
            match stream.get_ref().peek(&mut [0]) {
                Ok(_) => break,
                Err(error) if is_timeout(&error) && has_ended() => return Ok(Err(LedgerError::Ended)),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
        stream.get_ref().set_read_timeout(Some(CONNECT))?;
        match receive(&mut stream)?.ok_or(io::ErrorKind::UnexpectedEof)? {
            Response::Granted { ticket } => {
                Ok(Ok(Ticket { ledger: self, stream, number: ticket, is_settled: false }))
            }
            Response::Refused(refused) => {
                Ok(Err(LedgerError::Budget { max: refused.max, spent: refused.spent, next: refused.next }))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Reports the outcomes of calls whose connections broke.
    fn report_late(&self) -> io::Result<()> {
        let mut unreported = self.unreported.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(ticket, outcome)) = unreported.last() {
            match self.request(&Request::Settle { ticket, outcome })? {
                Response::Settled => unreported.pop(),
                other => return Err(unexpected(&other)),
            };
        }
        Ok(())
    }

    /// A request that can be repeated.
    fn request_patiently(&self, request: &Request) -> Result<Response, LedgerError> {
        self.patiently(PATIENCE, || false, || self.request(request))
    }

    /// Repeats an attempt until the ledger answers: it may be starting again, at another address.
    fn patiently<T>(
        &self,
        patience: Duration,
        has_ended: impl Fn() -> bool,
        attempt: impl Fn() -> io::Result<T>,
    ) -> Result<T, LedgerError> {
        let start = Instant::now();
        loop {
            match attempt() {
                Ok(answer) => return Ok(answer),
                // Without the file, a ledger has never been started.
                Err(error) if start.elapsed() > patience || !self.file.exists() => {
                    return Err(self.unreachable(&error));
                }
                Err(_) => thread::sleep(PAUSE),
            }
            if has_ended() {
                return Err(LedgerError::Ended);
            }
        }
    }

    fn request(&self, request: &Request) -> io::Result<Response> {
        let mut stream = self.open(request)?;
        Ok(receive(&mut stream)?.ok_or(io::ErrorKind::UnexpectedEof)?)
    }

    /// Opens a connection and says what it is for.
    fn open(&self, request: &Request) -> io::Result<BufReader<TcpStream>> {
        let Address { address, token } = Address::read(&self.file)?;
        let found = address.to_socket_addrs()?.next();
        let stream = TcpStream::connect_timeout(&found.ok_or(io::ErrorKind::NotFound)?, CONNECT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(CONNECT))?;
        stream.set_write_timeout(Some(CONNECT))?;
        send(&stream, &Opening { token, request: request.clone() })?;
        Ok(BufReader::new(stream))
    }

    fn unreachable(&self, error: &io::Error) -> LedgerError {
        LedgerError::Unreachable { file: self.file.clone(), message: error.to_string() }
    }
}

/// The right to make one call. If it is dropped before it is settled, the call counts as failed at no cost.
#[derive(Debug)]
pub struct Ticket<'a> {
    ledger: &'a Ledger,
    stream: BufReader<TcpStream>,
    number: u64,
    is_settled: bool,
}

impl Ticket<'_> {
    /// Reports the outcome of the call. If the ledger does not answer, it is reported before the next call,
    /// or by [`Ledger::finish`].
    pub fn settle(mut self, outcome: Outcome) {
        self.report(outcome);
    }

    fn report(&mut self, outcome: Outcome) {
        self.is_settled = true;
        let sent = send(self.stream.get_ref(), &outcome);
        let answer = sent.and_then(|()| receive(&mut self.stream));
        if !matches!(answer, Ok(Some(Response::Settled))) {
            let mut unreported = self.ledger.unreported.lock().unwrap_or_else(PoisonError::into_inner);
            unreported.push((self.number, outcome));
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.report(Outcome { cost: 0.0, flow: Flow::Failed, wait: None });
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn unexpected(response: &Response) -> io::Error {
    match response {
        Response::Denied { message } => io::Error::other(message.clone()),
        other => io::Error::other(format!("it answered {other:?}")),
    }
}
