//! Who may call, and what is spent. Plain data: the server feeds it, and carries out what it decides.
//!
//! Calls that share a rate limit share a lane. The number of calls in flight in a lane grows with answers and shrinks
//! with rejections, so that it settles at what the provider accepts. When a call ends, the next one comes from the run
//! with the fewest calls in flight: a run with hung calls holds up no other, and a run with many workers gets no more
//! than one with few.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::batches::Batches;
use crate::journal::Past;
use crate::protocol::{Ask, Flow, Outcome, ProviderStatus, Refused, Status};

/// The calls in flight of a new lane.
const FIRST_WINDOW: f64 = 8.0;
/// An answered call widens the window by this much, one that is rejected narrows it by [`NARROWING`]. So the window
/// settles where a fifth of the calls are rejected; a rejection takes a provider milliseconds, an idle slot seconds.
const WIDENING: f64 = 0.125;
const NARROWING: f64 = 0.5;

/// Sums of costs are rounded; this much, in US dollars, does not count.
const ROUNDING: f64 = 1e-9;

/// The limits of all calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The budget, in US dollars.
    pub(crate) max_cost: Option<f64>,
    /// The maximum number of calls in flight to a provider and model.
    pub(crate) in_flight: u32,
    /// How long the reservation of a call is kept that ended with its process.
    pub(crate) lease: Duration,
}

/// All calls, waiting and in flight. `W` is what belongs to a waiting call: its connection.
#[derive(Debug)]
pub(crate) struct Book<W> {
    limits: Limits,
    spent: f64,
    /// The calls that were granted, by the number of their ticket, until they are settled.
    granted: BTreeMap<u64, Granted>,
    lanes: BTreeMap<String, Lane<W>>,
    batches: Batches,
    /// The number of the next ticket.
    next: u64,
    /// The number of calls granted so far.
    turn: u64,
}

#[derive(Debug)]
struct Granted {
    ask: Ask,
    /// When the connection broke.
    lost: Option<Instant>,
}

#[derive(Debug)]
struct Lane<W> {
    window: f64,
    /// The answers since a call was rejected.
    calm: u32,
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

#[derive(Debug)]
struct Waiting<W> {
    ticket: u64,
    worst: f64,
    who: W,
}

/// A decision on a waiting call.
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    /// It may start.
    Granted(Ask),
    /// The budget is spent.
    Refused(Refused),
}

impl<W> Book<W> {
    /// An empty book.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            spent: 0.0,
            granted: BTreeMap::new(),
            lanes: BTreeMap::new(),
            batches: Batches::default(),
            next: 1,
            turn: 0,
        }
    }

    /// Adds a waiting call. Returns the number of its ticket.
    pub(crate) fn ask(&mut self, ask: &Ask, who: W) -> u64 {
        let ticket = self.next;
        self.next += 1;
        let lane = self.lanes.entry(ask.provider.clone()).or_insert_with(|| Lane::new(self.limits.in_flight));
        let run = lane.runs.entry(ask.run.clone()).or_insert_with(|| Run::new(self.turn));
        run.waiting.push_back(Waiting { ticket, worst: ask.worst, who });
        ticket
    }

    /// Decides on the waiting calls that can be decided on now. The caller tells them, in this order.
    pub(crate) fn decide(&mut self) -> Vec<(u64, W, Decision)> {
        let mut decided = Vec::new();
        let providers: Vec<_> = self.lanes.keys().cloned().collect();
        for provider in providers {
            while let Some(decision) = self.decide_one(&provider) {
                decided.push(decision);
            }
        }
        decided
    }

    fn decide_one(&mut self, provider: &str) -> Option<(u64, W, Decision)> {
        let (reserved, left) = (self.reserved(), self.left());
        let lane = self.lanes.get_mut(provider)?;
        let name = lane.next_run()?;
        let Waiting { ticket, worst, who } = lane.take(&name, left, reserved > 0.0)?;
        if left.is_some_and(|left| worst > left) {
            let refused =
                Refused { max: self.limits.max_cost.unwrap_or_default(), spent: self.spent, next: worst };
            return Some((ticket, who, Decision::Refused(refused)));
        }
        let ask = Ask { run: name, provider: provider.to_owned(), worst };
        self.grant(ticket, ask.clone());
        Some((ticket, who, Decision::Granted(ask)))
    }

    fn grant(&mut self, ticket: u64, ask: Ask) {
        self.turn += 1;
        if let Some(lane) = self.lanes.get_mut(&ask.provider) {
            lane.in_flight += 1;
            if let Some(run) = lane.runs.get_mut(&ask.run) {
                run.in_flight += 1;
                run.last = self.turn;
            }
        }
        self.granted.insert(ticket, Granted { ask, lost: None });
    }

    /// Enters the outcome of a call. A call whose reservation was given back counts all the same.
    pub(crate) fn settle(&mut self, ticket: u64, outcome: Outcome) {
        self.spent += outcome.cost;
        let Some(granted) = self.granted.remove(&ticket) else { return };
        if granted.lost.is_none() {
            if let Some(lane) = self.lanes.get_mut(&granted.ask.provider) {
                lane.adapt(outcome.flow, self.limits.in_flight);
            }
            self.leave(&granted.ask);
        }
    }

    /// Whether `worst` US dollars can be set aside for a batch now, or are already.
    pub(crate) fn has_room_for(&self, batch: &str, worst: f64) -> bool {
        self.batches.know(batch) || self.left().is_none_or(|left| worst <= left)
    }

    /// Sets money aside for a batch, until it is settled.
    pub(crate) fn reserve_batch(&mut self, batch: String, worst: f64) {
        self.batches.reserve(batch, worst);
    }

    /// Whether a batch was settled before.
    pub(crate) fn has_settled(&self, batch: &str) -> bool {
        self.batches.has_settled(batch)
    }

    /// Enters what a batch cost, in US dollars. One for which nothing was set aside counts all the same.
    pub(crate) fn settle_batch(&mut self, batch: String, cost: f64) {
        self.spent += cost;
        self.batches.settle(batch);
    }

    /// The connection of a call broke. If it was waiting, it is forgotten; if it was in flight, its reservation is
    /// kept for a time, as the provider may charge for it.
    pub(crate) fn lose(&mut self, ticket: u64, now: Instant) {
        if let Some(granted) = self.granted.get_mut(&ticket) {
            granted.lost = Some(now);
            let ask = granted.ask.clone();
            self.leave(&ask);
            return;
        }
        for lane in self.lanes.values_mut() {
            for run in lane.runs.values_mut() {
                run.waiting.retain(|waiting| waiting.ticket != ticket);
            }
            lane.forget_idle();
        }
    }

    /// Gives back the reservations that were kept long enough, and returns their tickets.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<u64> {
        let lease = self.limits.lease;
        let is_over = |granted: &Granted| granted.lost.is_some_and(|lost| now.duration_since(lost) >= lease);
        let over: Vec<u64> =
            self.granted.iter().filter(|(_, granted)| is_over(granted)).map(|(ticket, _)| *ticket).collect();
        for ticket in &over {
            self.granted.remove(ticket);
        }
        over
    }

    /// Continues after what an earlier ledger wrote. The processes of the calls that were in flight may report their
    /// outcomes still.
    pub(crate) fn resume(&mut self, past: Past, now: Instant) {
        self.spent = past.spent;
        self.next = past.last + 1;
        self.batches = past.batches;
        let open = past.open.into_iter();
        self.granted = open.map(|(ticket, ask)| (ticket, Granted { ask, lost: Some(now) })).collect();
    }

    /// The state, for people and programs.
    pub(crate) fn status(&self) -> Status {
        Status {
            max_cost: self.limits.max_cost,
            spent: self.spent,
            reserved: self.reserved(),
            batches: u32::try_from(self.batches.reserved().count()).unwrap_or(u32::MAX),
            providers: self.lanes.iter().map(|(name, lane)| lane.status(name)).collect(),
        }
    }

    fn reserved(&self) -> f64 {
        let calls = self.granted.values().map(|granted| granted.ask.worst);
        // The sum of nothing would be -0.
        calls.chain(self.batches.reserved()).fold(0.0, |sum, worst| sum + worst)
    }

    /// What is neither spent nor set aside; `None` without a budget.
    fn left(&self) -> Option<f64> {
        self.limits.max_cost.map(|max| max - self.spent - self.reserved() + ROUNDING)
    }

    /// A call of `ask` has ended.
    fn leave(&mut self, ask: &Ask) {
        let Some(lane) = self.lanes.get_mut(&ask.provider) else { return };
        lane.in_flight -= 1;
        if let Some(run) = lane.runs.get_mut(&ask.run) {
            run.in_flight -= 1;
        }
        lane.forget_idle();
    }
}

impl<W> Lane<W> {
    fn new(in_flight: u32) -> Self {
        Self {
            window: FIRST_WINDOW.min(f64::from(in_flight)),
            calm: u32::MAX,
            in_flight: 0,
            runs: BTreeMap::new(),
        }
    }

    /// The run whose turn it is, if another call may be in flight: that with the fewest in flight, of several that
    /// which has waited longest.
    fn next_run(&self) -> Option<String> {
        if f64::from(self.in_flight) >= self.window.floor() {
            return None;
        }
        let waiting = self.runs.iter().filter(|(_, run)| !run.waiting.is_empty());
        waiting.min_by_key(|(_, run)| (run.in_flight, run.last)).map(|(name, _)| name.clone())
    }

    /// Takes the next call of a run out of the queue, if it can be decided on: it can be afforded, or will not be
    /// when all calls in flight have ended.
    fn take(&mut self, run: &str, left: Option<f64>, others_reserve: bool) -> Option<Waiting<W>> {
        let waiting = &mut self.runs.get_mut(run)?.waiting;
        let first = waiting.front()?;
        let fits = left.is_none_or(|left| first.worst <= left);
        if fits || !others_reserve { waiting.pop_front() } else { None }
    }

    /// Adapts the window to a call in flight that ends. An answer says nothing of a window that was not used. Where a whole
    /// window of calls was answered and none rejected, the provider accepts far more: then each answer counts as one, so
    /// that the window doubles in the time of a call.
    fn adapt(&mut self, flow: Flow, most: u32) {
        match flow {
            Flow::Answered => {
                self.calm = self.calm.saturating_add(1);
                if f64::from(self.in_flight) >= self.window.floor() {
                    self.window += if f64::from(self.calm) > self.window { 1.0 } else { WIDENING };
                }
            }
            Flow::Overloaded => {
                self.calm = 0;
                self.window -= NARROWING;
            }
            Flow::Failed => {}
        }
        self.window = self.window.clamp(1.0, f64::from(most));
    }

    /// Forgets runs without calls.
    fn forget_idle(&mut self) {
        self.runs.retain(|_, run| run.in_flight > 0 || !run.waiting.is_empty());
    }

    fn status(&self, name: &str) -> ProviderStatus {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a u32")]
        let limit = self.window as u32;
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

impl<W> Run<W> {
    fn new(turn: u64) -> Self {
        Self { in_flight: 0, last: turn, waiting: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_cost: None, in_flight: 1000, lease: Duration::from_mins(1) };

    fn ask(run: &str, worst: f64) -> Ask {
        Ask { run: run.to_owned(), provider: "p".to_owned(), worst }
    }

    fn answered(cost: f64) -> Outcome {
        Outcome { cost, flow: Flow::Answered }
    }

    /// The tickets that are granted now, with their runs.
    fn granted(book: &mut Book<()>) -> Vec<(u64, String)> {
        let decided = book.decide().into_iter();
        decided
            .map(|(ticket, (), decision)| match decision {
                Decision::Granted(ask) => (ticket, ask.run),
                Decision::Refused(refused) => panic!("{refused:?}"),
            })
            .collect()
    }

    #[test]
    fn runs_get_the_same_share_whatever_they_ask_for() {
        let mut book = Book::new(Limits { in_flight: 8, ..LIMITS });
        for _ in 0..100 {
            book.ask(&ask("greedy", 0.0), ());
        }
        for _ in 0..4 {
            book.ask(&ask("modest", 0.0), ());
        }
        let first = granted(&mut book);
        assert_eq!(first.iter().filter(|(_, run)| run == "modest").count(), 4);
        assert_eq!(first.len(), 8);
    }

    #[test]
    fn a_run_that_asks_for_one_call_at_a_time_waits_behind_those_that_came_before() {
        let mut book = Book::new(Limits { in_flight: 1, ..LIMITS });
        let mut turns = Vec::new();
        for run in ["a", "b", "c"] {
            book.ask(&ask(run, 0.0), ());
        }
        for _ in 0..9 {
            let (ticket, run) = granted(&mut book).remove(0);
            book.settle(ticket, answered(0.0));
            book.ask(&ask(&run, 0.0), ());
            turns.push(run);
        }
        assert_eq!(turns.concat(), "abcabcabc");
    }

    #[test]
    fn hung_calls_hold_up_their_own_run_only() {
        let mut book = Book::new(LIMITS);
        for _ in 0..8 {
            book.ask(&ask("hung", 0.0), ());
        }
        // Four of the eight slots of a new lane go to each.
        for _ in 0..4 {
            book.ask(&ask("live", 0.0), ());
        }
        let first = granted(&mut book);
        let mut live: Vec<_> = first.into_iter().filter(|(_, run)| run == "live").collect();
        for _ in 0..100 {
            let (ticket, _) = live.remove(0);
            book.settle(ticket, answered(0.0));
            book.ask(&ask("live", 0.0), ());
            live.extend(granted(&mut book).into_iter().filter(|(_, run)| run == "live"));
        }
        assert_eq!(live.len(), 4);
        assert_eq!(book.status().providers[0].in_flight, 12, "the window grew by the hung calls");
    }

    #[test]
    fn rejections_narrow_the_window_and_answers_widen_it_if_it_was_used() {
        let mut book = Book::new(LIMITS);
        let limit = |book: &Book<()>| book.status().providers[0].limit;
        let ticket = book.ask(&ask("a", 0.0), ());
        granted(&mut book);
        book.settle(ticket, answered(0.0));
        assert_eq!(limit(&book), 8, "one call of eight does not fill the window");
        for _ in 0..40 {
            book.ask(&ask("a", 0.0), ());
            for (ticket, _) in granted(&mut book) {
                book.settle(ticket, Outcome { cost: 0.0, flow: Flow::Overloaded });
            }
        }
        assert_eq!(limit(&book), 1);
    }

    #[test]
    fn the_budget_is_never_exceeded_and_refuses_only_when_no_reservation_is_left() {
        let mut book = Book::new(Limits { max_cost: Some(1.0), ..LIMITS });
        let first = book.ask(&ask("a", 0.6), ());
        let second = book.ask(&ask("b", 0.6), ());
        assert_eq!(granted(&mut book), [(first, "a".to_owned())], "the second might exceed it");
        book.settle(first, answered(0.1));
        assert_eq!(granted(&mut book), [(second, "b".to_owned())]);
        book.settle(second, answered(0.6));
        book.ask(&ask("a", 0.6), ());
        let refused = Refused { max: 1.0, spent: 0.7, next: 0.6 };
        assert_eq!(book.decide()[0].2, Decision::Refused(refused));
    }

    #[test]
    fn the_reservation_of_a_lost_call_is_kept_for_a_time_but_its_slot_is_not() {
        let start = Instant::now();
        let mut book = Book::new(Limits { max_cost: Some(1.0), in_flight: 1, ..LIMITS });
        let lost = book.ask(&ask("a", 0.9), ());
        let next = book.ask(&ask("b", 0.1), ());
        let third = book.ask(&ask("c", 0.9), ());
        assert_eq!(granted(&mut book), [(lost, "a".to_owned())]);
        book.lose(lost, start);
        assert_eq!(granted(&mut book), [(next, "b".to_owned())]);
        book.settle(next, answered(0.0));
        assert!(book.decide().is_empty());
        assert!(book.expire(start + Duration::from_secs(59)).is_empty());
        assert_eq!(book.expire(start + Duration::from_mins(1)), [lost]);
        assert_eq!(granted(&mut book), [(third, "c".to_owned())]);
        book.settle(lost, answered(0.05));
        assert!((book.status().spent - 0.05).abs() < 1e-9, "a late report counts");
    }

    /// Plays calls against a provider that takes at most `accepts` at a time: eight runs with 16 workers each, whose
    /// calls take 8 to 12 ticks, but for every fiftieth, which hangs. Returns the answers of each run and the mean
    /// number of calls that the provider worked on.
    fn play(accepts: usize, ticks: u32) -> (BTreeMap<String, u32>, f64) {
        let mut book = Book::new(LIMITS);
        let (mut answers, mut worked) = (BTreeMap::new(), 0);
        // By the tick at which they end.
        let mut ends: BTreeMap<u32, Vec<(u64, String)>> = BTreeMap::new();
        let (mut busy, mut calls) = (0_usize, 0_u32);
        for run in 0..8 {
            for _ in 0..16 {
                book.ask(&ask(&run.to_string(), 0.0), ());
            }
        }
        for tick in 0..ticks {
            for (ticket, run) in ends.remove(&tick).unwrap_or_default() {
                busy -= 1;
                book.settle(ticket, answered(0.0));
                *answers.entry(run.clone()).or_default() += 1;
                book.ask(&ask(&run, 0.0), ());
            }
            for (ticket, run) in granted(&mut book) {
                calls += 1;
                if busy < accepts {
                    busy += 1;
                    let takes = if calls.is_multiple_of(50) { 200 } else { 8 + calls % 5 };
                    ends.entry(tick + takes).or_default().push((ticket, run));
                } else {
                    book.settle(ticket, Outcome { cost: 0.0, flow: Flow::Overloaded });
                    book.ask(&ask(&run, 0.0), ());
                }
            }
            worked += busy;
        }
        (answers, f64::from(u32::try_from(worked).unwrap()) / f64::from(ticks))
    }

    #[test]
    fn eight_runs_use_what_the_provider_accepts_and_share_it() {
        for accepts in [4, 20, 60] {
            let (answers, busy) = play(accepts, 5000);
            let accepts = f64::from(u32::try_from(accepts).unwrap());
            assert!(busy >= 0.9 * accepts, "{busy} of {accepts}");
            let all: u32 = answers.values().sum();
            assert!(answers.len() == 8 && answers.values().all(|run| run * 16 >= all), "{answers:?}");
        }
    }

    #[test]
    fn a_batch_reserves_once_and_settles_once() {
        let mut book = Book::new(Limits { max_cost: Some(1.0), ..LIMITS });
        assert!(book.has_room_for("batch", 0.7));
        book.reserve_batch("batch".to_owned(), 0.7);
        book.reserve_batch("batch".to_owned(), 0.7);
        assert!(book.has_room_for("batch", 0.7) && !book.has_room_for("other", 0.7));
        let ticket = book.ask(&ask("a", 0.4), ());
        assert!(book.decide().is_empty(), "it waits for the batch");
        book.settle_batch("batch".to_owned(), 0.2);
        assert!(book.has_settled("batch") && !book.has_settled("other"));
        assert_eq!(granted(&mut book), [(ticket, "a".to_owned())]);
        assert!((book.status().spent - 0.2).abs() < 1e-9);
    }

    #[test]
    fn a_waiting_call_whose_process_ended_is_forgotten() {
        let mut book = Book::new(LIMITS);
        let ticket = book.ask(&ask("a", 0.0), ());
        book.lose(ticket, Instant::now());
        assert!(book.decide().is_empty());
        assert_eq!(book.status().providers[0].runs, 0);
    }
}
