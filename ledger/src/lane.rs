//! The calls that share a rate limit: how many may be in flight, how closely they follow each other, and whose turn it
//! is.
//!
//! The window, the number of calls that may be in flight, grows with answers and shrinks with rejections. A provider
//! that limits calls per second or minute also rejects calls that come at the same moment, however few are in flight.
//! So in a lane that is not calm, calls start at even distances: a window of calls in the time that a call takes.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::protocol::{Flow, Outcome, ProviderStatus};

/// The calls in flight of a new lane.
const FIRST_WINDOW: f64 = 8.0;
/// An answered call widens the window by this much, a rejection narrows it by [`NARROWING`]. So the window settles where
/// a fifth of the calls are rejected; a rejection takes a provider milliseconds, an idle slot seconds.
const WIDENING: f64 = 0.125;
const NARROWING: f64 = 0.5;
/// After this many answers without a rejection, or a window of them if that is less, the provider accepts far more: the
/// lane is calm.
const CALM: f64 = 32.0;
/// So many times the window may be in flight in a lane that is not calm. The distances limit its calls; calls that hang
/// do not reduce the number of new ones.
const HEADROOM: f64 = 1.25;
/// An answer widens the window if this share of it is in use. The rest may wait for their distance.
const IN_USE: f64 = 0.75;
/// How long a call takes, in seconds, as long as none was answered; and the weight of an answer in the mean of them.
const FIRST_GUESS: f64 = 8.0;
const WEIGHT: f64 = 1.0 / 16.0;
/// The call after a rejection waits for this part of a distance, as the provider has had time meanwhile.
const SOONER: u32 = 8;
/// No wait that a provider asks for holds up all calls for longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The calls that share a rate limit. `W` is what belongs to a waiting call.
#[derive(Debug)]
pub(crate) struct Lane<W> {
    window: f64,
    /// The most calls that may ever be in flight.
    most: f64,
    /// The answers since a call was rejected.
    calm: u32,
    /// How long a call takes, in seconds; `None` before the first answer.
    takes: Option<f64>,
    /// No call starts before, to keep its distance from the last.
    opens: Option<Instant>,
    /// No call starts before, as the provider asked for it.
    resumes: Option<Instant>,
    /// The turn of the last call that was granted before the window was last narrowed.
    narrowed: u64,
    in_flight: u32,
    /// By name.
    runs: BTreeMap<String, Run<W>>,
}

#[derive(Debug)]
struct Run<W> {
    in_flight: u32,
    /// Its last turn; when it came, if it had none.
    last: u64,
    waiting: VecDeque<Waiting<W>>,
}

/// A call that waits for its turn.
#[derive(Debug)]
pub(crate) struct Waiting<W> {
    pub(crate) ticket: u64,
    /// The most that it may cost, in US dollars.
    pub(crate) worst: f64,
    pub(crate) who: W,
}

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    /// The number of calls granted until then; for the start of a call, itself included.
    pub(crate) turn: u64,
}

impl<W> Lane<W> {
    pub(crate) fn new(in_flight: u32) -> Self {
        let most = f64::from(in_flight);
        Self {
            window: FIRST_WINDOW.min(most),
            most,
            calm: u32::MAX,
            takes: None,
            opens: None,
            resumes: None,
            narrowed: 0,
            in_flight: 0,
            runs: BTreeMap::new(),
        }
    }

    /// Adds a waiting call of a run. `turn` is the number of calls granted so far.
    pub(crate) fn add(&mut self, run: &str, waiting: Waiting<W>, turn: u64) {
        let new = || Run { in_flight: 0, last: turn, waiting: VecDeque::new() };
        self.runs.entry(run.to_owned()).or_insert_with(new).waiting.push_back(waiting);
    }

    /// The run whose turn it is, if another call may start: that with the fewest in flight, of several that which has
    /// waited longest.
    pub(crate) fn next_run(&self, now: Instant) -> Option<String> {
        if !self.has_room() || self.closed_until(now).is_some() {
            return None;
        }
        let waiting = self.runs.iter().filter(|(_, run)| !run.waiting.is_empty());
        waiting.min_by_key(|(_, run)| (run.in_flight, run.last)).map(|(name, _)| name.clone())
    }

    /// When a call may start that waits neither for others to end nor for its turn.
    pub(crate) fn opens_after(&self, now: Instant) -> Option<Instant> {
        let opens = self.closed_until(now)?;
        let is_wanted = self.has_room() && self.runs.values().any(|run| !run.waiting.is_empty());
        is_wanted.then_some(opens)
    }

    /// When the next call may start, if that is later than now.
    fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.opens.max(self.resumes).filter(|opens| *opens > now)
    }

    fn has_room(&self) -> bool {
        f64::from(self.in_flight) < self.allowed()
    }

    /// How many calls may be in flight.
    fn allowed(&self) -> f64 {
        let headroom = if self.is_calm() { 1.0 } else { HEADROOM };
        (self.window * headroom).min(self.most).floor()
    }

    /// Takes the next call of a run out of the queue, if it can be decided on: it can be afforded, or will not be
    /// when all calls in flight have ended.
    pub(crate) fn take(&mut self, run: &str, left: Option<f64>, others_reserve: bool) -> Option<Waiting<W>> {
        let waiting = &mut self.runs.get_mut(run)?.waiting;
        let first = waiting.front()?;
        let fits = left.is_none_or(|left| first.worst <= left);
        if fits || !others_reserve { waiting.pop_front() } else { None }
    }

    /// A call of a run starts.
    pub(crate) fn start(&mut self, run: &str, start: Moment) {
        self.in_flight += 1;
        self.opens = start.at.checked_add(self.distance());
        if let Some(run) = self.runs.get_mut(run) {
            run.in_flight += 1;
            run.last = start.turn;
        }
    }

    /// A call of a run has ended.
    pub(crate) fn leave(&mut self, run: &str) {
        self.in_flight -= 1;
        if let Some(run) = self.runs.get_mut(run) {
            run.in_flight -= 1;
        }
        self.forget_idle();
    }

    /// Adapts to the outcome of a call in flight, which ends now.
    pub(crate) fn adapt(&mut self, start: Moment, outcome: Outcome, now: Moment) {
        match outcome.flow {
            Flow::Answered => self.answered(now.at.saturating_duration_since(start.at)),
            Flow::Overloaded => self.rejected(start, outcome.wait, now),
            Flow::Failed => {}
        }
        self.window = self.window.clamp(1.0, self.most);
    }

    /// An answer says nothing of a window that was not used. In a calm lane each counts as one, so that the window
    /// doubles in the time of a call.
    fn answered(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        let mean = self.takes.map_or(took, |mean| (took - mean).mul_add(WEIGHT, mean));
        self.takes = Some(mean);
        self.calm = self.calm.saturating_add(1);
        if f64::from(self.in_flight) >= self.window * IN_USE {
            self.window += if self.is_calm() { 1.0 } else { WIDENING };
        }
    }

    /// Calls that were granted before the window was narrowed are rejected for the same reason, and do not narrow it
    /// again. No call starts before the provider says so.
    fn rejected(&mut self, start: Moment, wait: Option<Duration>, now: Moment) {
        self.calm = 0;
        if start.turn > self.narrowed {
            self.narrowed = now.turn;
            self.window -= NARROWING;
        }
        match wait {
            Some(wait) => {
                self.opens = None;
                self.resumes = self.resumes.max(now.at.checked_add(wait.min(LONGEST_PAUSE)));
            }
            None => self.opens = now.at.checked_add(self.distance() / SOONER),
        }
    }

    fn is_calm(&self) -> bool {
        f64::from(self.calm) > self.window.min(CALM)
    }

    /// The time between two calls.
    fn distance(&self) -> Duration {
        if self.is_calm() {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(self.takes.unwrap_or(FIRST_GUESS) / self.window.max(1.0))
            .unwrap_or_default()
    }

    /// Forgets a waiting call.
    pub(crate) fn forget(&mut self, ticket: u64) {
        for run in self.runs.values_mut() {
            run.waiting.retain(|waiting| waiting.ticket != ticket);
        }
        self.forget_idle();
    }

    /// Forgets runs without calls.
    fn forget_idle(&mut self) {
        self.runs.retain(|_, run| run.in_flight > 0 || !run.waiting.is_empty());
    }

    pub(crate) fn status(&self, name: &str) -> ProviderStatus {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a u32")]
        let limit = self.allowed() as u32;
        let waiting: usize = self.runs.values().map(|run| run.waiting.len()).sum();
        ProviderStatus {
            name: name.to_owned(),
            limit,
            in_flight: self.in_flight,
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            runs: u32::try_from(self.runs.len()).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lane with many waiting calls of one run.
    fn lane() -> Lane<()> {
        let mut lane = Lane::new(1000);
        for ticket in 0..1000 {
            lane.add("run", Waiting { ticket, worst: 0.0, who: () }, 0);
        }
        lane
    }

    fn outcome(flow: Flow, wait: Option<Duration>) -> Outcome {
        Outcome { cost: 0.0, flow, wait }
    }

    /// Starts calls as long as the lane allows it, and returns their starts.
    fn start_all(lane: &mut Lane<()>, turn: u64, at: Instant) -> Vec<Moment> {
        let mut started = Vec::new();
        while let Some(run) = lane.next_run(at) {
            lane.take(&run, None, false).unwrap();
            started.push(Moment { at, turn: turn + 1 + started.len() as u64 });
            lane.start(&run, *started.last().unwrap());
        }
        started
    }

    #[test]
    fn calls_that_are_rejected_together_narrow_the_window_once() {
        let (mut lane, at) = (lane(), Instant::now());
        let first = start_all(&mut lane, 0, at);
        assert_eq!(first.len(), 8);
        for start in first {
            lane.adapt(start, outcome(Flow::Overloaded, None), Moment { at, turn: 8 });
            lane.leave("run");
        }
        assert!((lane.window - 7.5).abs() < 1e-9);
        let later = at + Duration::from_mins(1);
        let next = start_all(&mut lane, 8, later);
        assert_eq!(next.len(), 1, "calls keep a distance after a rejection");
        lane.adapt(next[0], outcome(Flow::Overloaded, None), Moment { at: later, turn: 9 });
        assert!((lane.window - 7.0).abs() < 1e-9);
    }

    #[test]
    fn a_rejection_holds_all_calls_for_as_long_as_the_provider_says_and_at_most_a_minute() {
        for (wait, holds) in [(20, 20), (3600, 60)] {
            let (mut lane, at) = (lane(), Instant::now());
            let first = start_all(&mut lane, 0, at)[0];
            let wait = Duration::from_secs(wait);
            lane.adapt(first, outcome(Flow::Overloaded, Some(wait)), Moment { at, turn: 8 });
            let opens = at + Duration::from_secs(holds);
            assert_eq!(lane.opens_after(at), Some(opens));
            assert_eq!(lane.next_run(at + Duration::from_secs(holds - 1)), None);
            assert!(lane.next_run(opens).is_some());
        }
    }

    #[test]
    fn a_later_rejection_does_not_shorten_the_wait_that_the_provider_asked_for() {
        for later in [None, Some(Duration::from_secs(5))] {
            let (mut lane, at) = (lane(), Instant::now());
            let first = start_all(&mut lane, 0, at);
            for (start, wait) in [(first[0], Some(Duration::from_secs(20))), (first[1], later)] {
                lane.adapt(start, outcome(Flow::Overloaded, wait), Moment { at, turn: 8 });
            }
            assert_eq!(lane.opens_after(at), Some(at + Duration::from_secs(20)));
        }
    }

    #[test]
    fn answers_widen_a_window_that_is_used_and_end_the_distances() {
        let (mut lane, at) = (lane(), Instant::now());
        let first = start_all(&mut lane, 0, at);
        lane.adapt(first[0], outcome(Flow::Overloaded, None), Moment { at, turn: 8 });
        lane.leave("run");
        let end = at + Duration::from_secs(15);
        for start in &first[1..] {
            assert!(!lane.distance().is_zero());
            lane.adapt(*start, outcome(Flow::Answered, None), Moment { at: end, turn: 8 });
            lane.leave("run");
        }
        // Two of the seven answers came when three quarters of the window were in use.
        assert!((lane.window - 7.75).abs() < 1e-9, "{}", lane.window);
        assert!((lane.distance().as_secs_f64() - 15.0 / 7.75).abs() < 1e-3);
        lane.calm = 8;
        assert!(lane.distance().is_zero());
    }
}
