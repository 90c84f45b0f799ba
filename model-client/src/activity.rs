//! What the calls of a run are doing at this moment, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{CallError, Fault};

/// What the calls of a run are doing at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// Calls that were sent and are not answered yet.
    pub in_flight: usize,
    /// The call in flight of which nothing came for the longest time: its label, and that time.
    pub silent: Option<(String, Duration)>,
    /// Calls that wait for their turn among those of other runs.
    pub queued: usize,
    /// Calls that failed and wait for their next attempt.
    pub retrying: usize,
    /// The time until the first of these attempts.
    pub next_attempt: Option<Duration>,
    /// How many of them the server has rejected because of its load or a rate limit.
    pub throttled: usize,
    /// Why the last of them failed.
    pub last_error: Option<String>,
    /// A number that grows whenever a piece of an answer arrives.
    pub pieces: u64,
    /// The number of requests in open batches that are done, and of all requests in them.
    pub batches: Option<(u64, u64)>,
}

/// A failed attempt that another one follows.
#[derive(Clone, Debug)]
pub struct Retry<'a> {
    /// The label of the request.
    pub label: &'a str,
    /// The number of the attempt that failed; the first is 1.
    pub attempt: u32,
    /// Why it failed.
    pub error: &'a CallError,
    /// The time until the next attempt.
    pub wait: Duration,
}

impl fmt::Display for Retry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, attempt, error, wait } = self;
        write!(
            f,
            "{label}: attempt {attempt} failed: {error}; the next one follows in {:.1} s",
            wait.as_secs_f64()
        )
    }
}

/// Where calls note what they are doing. Clones share their notes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    /// Calls by their number.
    calls: BTreeMap<u64, Doing>,
    /// The number of calls and of failed attempts so far.
    count: u64,
    pieces: u64,
    batches: Option<(u64, u64)>,
}

#[derive(Debug)]
enum Doing {
    /// It waits for its turn among the calls of other runs.
    Queued,
    /// It was sent; something last came at this time.
    InFlight { label: String, heard: Instant },
    /// It waits for its next attempt.
    Retrying { failure: u64, since: Instant, wait: Duration, error: String, is_throttled: bool },
}

/// What one call notes. Its note disappears when it is dropped.
#[derive(Debug)]
pub(crate) struct Note<'a> {
    board: &'a Board,
    number: u64,
    label: &'a str,
}

impl Board {
    /// The note of a call, which says nothing yet.
    pub(crate) fn note<'a>(&'a self, label: &'a str) -> Note<'a> {
        Note { board: self, number: self.notes().count(), label }
    }

    /// Notes how many requests in open batches are done, and how many there are.
    pub(crate) fn batches(&self, requests: Option<(u64, u64)>) {
        self.notes().batches = requests;
    }

    pub(crate) fn activity(&self) -> Activity {
        let (notes, now) = (self.notes(), Instant::now());
        let mut activity = Activity { pieces: notes.pieces, batches: notes.batches, ..Activity::default() };
        let mut last_failure = 0;
        for doing in notes.calls.values() {
            match doing {
                Doing::Queued => activity.queued += 1,
                Doing::InFlight { label, heard } => {
                    activity.in_flight += 1;
                    let silence = now.saturating_duration_since(*heard);
                    if activity.silent.as_ref().is_none_or(|(_, longest)| silence > *longest) {
                        activity.silent = Some((label.clone(), silence));
                    }
                }
                Doing::Retrying { failure, since, wait, error, is_throttled } => {
                    activity.retrying += 1;
                    activity.throttled += usize::from(*is_throttled);
                    let wait = wait.saturating_sub(now.saturating_duration_since(*since));
                    activity.next_attempt = Some(activity.next_attempt.map_or(wait, |first| first.min(wait)));
                    if *failure > last_failure {
                        last_failure = *failure;
                        activity.last_error = Some(error.clone());
                    }
                }
            }
        }
        activity
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

impl Note<'_> {
    /// The call waits for its turn among those of other runs.
    pub(crate) fn queued(&self) {
        self.board.notes().calls.insert(self.number, Doing::Queued);
    }

    /// The call is sent, for the first time or again.
    pub(crate) fn sent(&self) {
        let doing = Doing::InFlight { label: self.label.to_owned(), heard: Instant::now() };
        self.board.notes().calls.insert(self.number, doing);
    }

    /// A piece of the answer came.
    pub(crate) fn heard(&self) {
        let mut notes = self.board.notes();
        notes.pieces += 1;
        if let Some(Doing::InFlight { heard, .. }) = notes.calls.get_mut(&self.number) {
            *heard = Instant::now();
        }
    }

    /// The call failed, and is sent again after this wait.
    pub(crate) fn retries(&self, wait: Duration, error: &CallError) {
        let mut notes = self.board.notes();
        let doing = Doing::Retrying {
            failure: notes.count(),
            since: Instant::now(),
            wait,
            error: error.message.clone(),
            is_throttled: error.fault == Fault::Overload,
        };
        notes.calls.insert(self.number, doing);
    }
}

impl Drop for Note<'_> {
    fn drop(&mut self) {
        self.board.notes().calls.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activity_is_what_the_calls_do_now() {
        let board = Board::default();
        assert_eq!(board.activity(), Activity::default());
        let notes = ["a", "b", "c", "d"].map(|label| board.note(label));
        notes.iter().for_each(Note::sent);
        let [first, second, third, fourth] = notes;
        fourth.queued();
        second.heard();
        let overload = CallError::new(Fault::Overload, "rate_limited", "slow down");
        third.retries(Duration::from_mins(1), &overload);
        first.retries(Duration::from_hours(1), &CallError::new(Fault::Transient, "cut_off", "cut off"));

        let activity = board.activity();
        assert_eq!((activity.in_flight, activity.retrying, activity.throttled), (1, 2, 1));
        assert_eq!(activity.queued, 1);
        assert_eq!(activity.silent.as_ref().map(|(label, _)| label.as_str()), Some("b"));
        assert_eq!(activity.last_error.as_deref(), Some("cut off"));
        assert!(activity.next_attempt.is_some_and(|wait| wait <= Duration::from_mins(1)));
        assert_eq!(activity.pieces, 1);

        first.sent();
        drop((second, third));
        let activity = board.activity();
        assert_eq!((activity.in_flight, activity.retrying, activity.last_error), (1, 0, None));
    }
}
