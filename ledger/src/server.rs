//! The connections: each has a thread, which reads; what is decided on a call is written by whichever thread caused
//! the decision.

use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::ui::Ui;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl};

use crate::book::{Book, Decision};
use crate::journal::{Entry, Journal};
use crate::protocol::{Ask, Flow, Opening, Outcome, Request, Response, receive, send};

/// How long a new connection may take to say what it wants.
const OPENING: Duration = Duration::from_secs(10);
/// How often it is asked whether the machine at the other end still runs, and how often without an answer.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVES: u32 = 4;
/// How often reservations are looked at that may be given back.
const TICK: Duration = Duration::from_secs(1);
/// The stack of a thread, which only waits and parses short lines.
const STACK: usize = 256 << 10;

/// What all connections share.
pub(crate) struct Shared {
    token: String,
    state: Mutex<State>,
    /// A call waits for its distance from others.
    sooner: Condvar,
    ui: Ui,
}

struct State {
    book: Book<TcpStream>,
    journal: Journal,
}

impl Shared {
    pub(crate) fn new(token: String, book: Book<TcpStream>, journal: Journal, ui: Ui) -> Arc<Self> {
        Arc::new(Self { token, state: Mutex::new(State { book, journal }), sooner: Condvar::new(), ui })
    }

    /// Serves connections for as long as the process lives.
    pub(crate) fn serve(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let served = stream.and_then(|stream| self.start(stream));
            if let Err(error) = served {
                self.ui.warn(format_args!("cannot serve a connection: {error}"));
                // Most likely there are too many open files or threads, for now.
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn start(self: &Arc<Self>, stream: TcpStream) -> io::Result<()> {
        let shared = Arc::clone(self);
        thread::Builder::new().stack_size(STACK).spawn(move || {
            if let Err(error) = shared.converse(&stream) {
                shared.ui.debug(format_args!("a connection failed: {error}"));
            }
        })?;
        Ok(())
    }

    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(OPENING))?;
        stream.set_write_timeout(Some(OPENING))?;
        let mut lines = BufReader::new(stream);
        let Some(Opening { token, request }) = receive(&mut lines)? else { return Ok(()) };
        if token != self.token {
            let message = "the token is wrong: read the address file of the ledger again".to_owned();
            return send(stream, &Response::Denied { message });
        }
        match request {
            Request::Ask(ask) => self.follow(&ask, stream, lines),
            Request::Settle { ticket, outcome } => {
                self.settle(ticket, outcome);
                send(stream, &Response::Settled)
            }
            Request::ReserveBatch { batch, worst } => send(stream, &self.reserve_batch(batch, worst)),
            Request::SettleBatch { batch, cost } => send(stream, &self.settle_batch(batch, cost)),
            Request::Status => send(stream, &Response::Status(self.state().book.status())),
        }
    }

    /// Follows a call from its request to its end.
    fn follow(&self, ask: &Ask, stream: &TcpStream, mut lines: BufReader<&TcpStream>) -> io::Result<()> {
        // A call may wait for hours, and take long. Only a machine that is gone ends it.
        stream.set_read_timeout(None)?;
        set_socket_keepalive(stream, true)?;
        set_tcp_keepidle(stream, KEEPALIVE)?;
        set_tcp_keepintvl(stream, KEEPALIVE)?;
        set_tcp_keepcnt(stream, KEEPALIVES)?;
        let who = stream.try_clone()?;
        let ticket = self.state().book.ask(ask, who);
        self.decide();
        if let Ok(Some(outcome)) = receive::<Outcome>(&mut lines) {
            self.settle(ticket, outcome);
            return send(stream, &Response::Settled);
        }
        self.state().book.lose(ticket, Instant::now());
        self.decide();
        Ok(())
    }

    fn settle(&self, ticket: u64, outcome: Outcome) {
        let mut state = self.state();
        if state.book.has_outcome(ticket) {
            return;
        }
        let written = state.journal.append(&Entry::Settled { ticket, cost: outcome.cost });
        state.book.settle(ticket, outcome, Instant::now());
        drop(state);
        self.warn_unless(&written);
        self.decide();
    }

    fn reserve_batch(&self, batch: String, worst: f64) -> Response {
        let State { book, journal } = &mut *self.state();
        if !book.has_room_for(&batch, worst) {
            return Response::Short;
        }
        if let Err(error) = journal.append(&Entry::BatchReserved { batch: batch.clone(), worst }) {
            return denied(&error);
        }
        book.reserve_batch(batch, worst);
        Response::Reserved
    }

    fn settle_batch(&self, batch: String, cost: f64) -> Response {
        let mut state = self.state();
        if !state.book.has_settled(&batch) {
            let written = state.journal.append(&Entry::BatchSettled { batch: batch.clone(), cost });
            if let Err(error) = written {
                return denied(&error);
            }
            state.book.settle_batch(batch, cost);
        }
        drop(state);
        self.decide();
        Response::Settled
    }

    /// Decides on calls that wait for their distance from others when it is there, and gives back the reservations of
    /// calls that ended with their process, every second.
    pub(crate) fn keep_time(&self) {
        loop {
            self.expire();
            self.decide();
            let state = self.state();
            let opens = state.book.opens_after(Instant::now());
            let wait = opens.map_or(TICK, |opens| opens.saturating_duration_since(Instant::now()).min(TICK));
            drop(self.sooner.wait_timeout(state, wait));
        }
    }

    fn expire(&self) {
        let State { book, journal } = &mut *self.state();
        for ticket in book.expire(Instant::now()) {
            self.warn_unless(&journal.append(&Entry::GivenBack { ticket }));
        }
    }

    /// Tells the waiting calls that can be decided on. A call that cannot be told has ended, as its own thread will
    /// notice.
    fn decide(&self) {
        let State { book, journal } = &mut *self.state();
        let now = Instant::now();
        for (ticket, who, decision) in book.decide(now) {
            let response = match decision {
                Decision::Granted(ask) => match journal.append(&Entry::Granted { ticket, ask }) {
                    Ok(()) => Response::Granted { ticket },
                    Err(error) => {
                        let outcome = Outcome { cost: 0.0, flow: Flow::Failed, wait: None };
                        book.settle(ticket, outcome, now);
                        denied(&error)
                    }
                },
                Decision::Refused(refused) => Response::Refused(refused),
            };
            if let Err(error) = send(&who, &response) {
                self.ui.debug(format_args!("a waiting call has ended: {error}"));
            }
        }
        if book.opens_after(now).is_some() {
            self.sooner.notify_one();
        }
    }

    fn warn_unless(&self, written: &io::Result<()>) {
        if let Err(error) = written {
            self.ui.warn(format_args!("cannot write the journal: {error}"));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn denied(error: &io::Error) -> Response {
    Response::Denied { message: format!("cannot write its journal: {error}") }
}
