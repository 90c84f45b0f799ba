//! The output of a command, line by line, as it arrives.

use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use common::interrupt::Interrupt;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::end::EndCause;

/// How often to check for an interrupt while nothing else happens.
const TICK: Duration = Duration::from_millis(100);

/// A longer line is passed on in parts, so that a command cannot fill the memory.
const MAX_LINE_BYTES: u64 = 32 << 20;

/// An output of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// What happens while a command runs.
pub(super) enum Event {
    Line(Stream, Vec<u8>),
    Exited,
}

/// The events of a command, and the function that gets its output.
pub(super) struct Output<F> {
    events: Receiver<Event>,
    on_line: F,
}

impl<F: FnMut(Stream, &[u8]) -> ControlFlow<()>> Output<F> {
    pub(super) fn new(events: Receiver<Event>, on_line: F) -> Self {
        Self { events, on_line }
    }

    /// Passes on the output until the command exits (`None`) or must be ended.
    pub(super) fn follow(&mut self, deadline: Option<Instant>, interrupt: &Interrupt) -> Option<EndCause> {
        loop {
            if interrupt.urgency().is_some() {
                return Some(EndCause::Interrupted);
            }
            let left = deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Some(EndCause::TimedOut);
            }
            match self.events.recv_timeout(left.min(TICK)) {
                Ok(Event::Line(stream, line)) => {
                    if (self.on_line)(stream, &line).is_break() {
                        return Some(EndCause::CutOff);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Exited) | Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Passes on the output for this long, so that no process blocks on a full pipe.
    pub(super) fn drain(&mut self, time: Duration) {
        let until = Instant::now() + time;
        if !self.drain_until(until) {
            // No process can write any more. Wait all the same: the caller polls at this interval.
            thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Passes on the output until the pipes are closed or the time is up. Returns whether they are still open.
    pub(super) fn drain_until(&mut self, until: Instant) -> bool {
        while Instant::now() < until {
            match self.events.recv_deadline(until) {
                Ok(Event::Line(stream, line)) => {
                    // The command is being ended already.
                    let _ = (self.on_line)(stream, &line);
                }
                Ok(Event::Exited) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }
}

/// Sends each line of an output until its end. A read error counts as the end.
pub(super) fn send_lines(stream: Stream, output: impl Read, events: &Sender<Event>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        let read = output.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) || events.send(Event::Line(stream, line)).is_err() {
            return;
        }
    }
}
