//! Who may call, and what is spent. Plain data: the server feeds it, and carries out what it decides.
//!
//! Calls that share a rate limit share a [`Lane`], which settles at what the provider accepts. The next call comes from
//! the run with the fewest calls in flight: a run with hung calls holds up no other, and a run with many workers gets no
//! more than one with few.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::batches::Batches;
use crate::journal::Past;
use crate::lane::{Lane, Moment, Waiting};
use crate::protocol::{Ask, Outcome, Refused, Status};

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
    /// The tickets whose reservations were given back. Their outcomes may be reported still.
    given_back: BTreeSet<u64>,
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
    start: Moment,
    /// When the connection broke.
    lost: Option<Instant>,
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
            given_back: BTreeSet::new(),
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
        lane.add(&ask.run, Waiting { ticket, worst: ask.worst, who }, self.turn);
        ticket
    }

    /// Decides on the waiting calls that can be decided on now. The caller tells them, in this order.
    pub(crate) fn decide(&mut self, now: Instant) -> Vec<(u64, W, Decision)> {
        let mut decided = Vec::new();
        let providers: Vec<_> = self.lanes.keys().cloned().collect();
        for provider in providers {
            while let Some(decision) = self.decide_one(&provider, now) {
                decided.push(decision);
            }
        }
        decided
    }

    fn decide_one(&mut self, provider: &str, now: Instant) -> Option<(u64, W, Decision)> {
        let left = self.left();
        let others_reserve = left.is_some() && self.reserved() > 0.0;
        let lane = self.lanes.get_mut(provider)?;
        let name = lane.next_run(now)?;
        let Waiting { ticket, worst, who } = lane.take(&name, left, others_reserve)?;
        if left.is_some_and(|left| worst > left) {
            let refused =
                Refused { max: self.limits.max_cost.unwrap_or_default(), spent: self.spent, next: worst };
            return Some((ticket, who, Decision::Refused(refused)));
        }
        let ask = Ask { run: name, provider: provider.to_owned(), worst };
        self.grant(ticket, ask.clone(), now);
        Some((ticket, who, Decision::Granted(ask)))
    }

    fn grant(&mut self, ticket: u64, ask: Ask, now: Instant) {
        self.turn += 1;
        let start = Moment { at: now, turn: self.turn };
        if let Some(lane) = self.lanes.get_mut(&ask.provider) {
            lane.start(&ask.run, start);
        }
        self.granted.insert(ticket, Granted { ask, start, lost: None });
    }

    /// When there will be something to decide, if nothing else happens before: a call waits only for its distance from
    /// others.
    pub(crate) fn opens_after(&self, now: Instant) -> Option<Instant> {
        self.lanes.values().filter_map(|lane| lane.opens_after(now)).min()
    }

    /// Whether the outcome of a call was entered before. A process reports it again if it did not hear the answer.
    pub(crate) fn has_outcome(&self, ticket: u64) -> bool {
        ticket < self.next && !self.granted.contains_key(&ticket) && !self.given_back.contains(&ticket)
    }

    /// Enters the outcome of a call. A call whose reservation was given back counts all the same.
    pub(crate) fn settle(&mut self, ticket: u64, outcome: Outcome, now: Instant) {
        self.spent += outcome.cost;
        self.given_back.remove(&ticket);
        let Some(Granted { ask, start, lost }) = self.granted.remove(&ticket) else { return };
        let now = Moment { at: now, turn: self.turn };
        if lost.is_none()
            && let Some(lane) = self.lanes.get_mut(&ask.provider)
        {
            lane.adapt(start, outcome, now);
            lane.leave(&ask.run);
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
            if let Some(lane) = self.lanes.get_mut(&granted.ask.provider) {
                lane.leave(&granted.ask.run);
            }
            return;
        }
        for lane in self.lanes.values_mut() {
            lane.forget(ticket);
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
        self.given_back.extend(&over);
        over
    }

    /// Continues after what an earlier ledger wrote. The processes of the calls that were in flight may report their
    /// outcomes still.
    pub(crate) fn resume(&mut self, past: Past, now: Instant) {
        self.spent = past.spent;
        self.next = past.last + 1;
        self.batches = past.batches;
        self.given_back = past.given_back;
        let open = past.open.into_iter();
        let lost = |ask| Granted { ask, start: Moment { at: now, turn: 0 }, lost: Some(now) };
        self.granted = open.map(|(ticket, ask)| (ticket, lost(ask))).collect();
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Flow;

    const LIMITS: Limits = Limits { max_cost: None, in_flight: 1000, lease: Duration::from_mins(1) };

    fn ask(run: &str, worst: f64) -> Ask {
        Ask { run: run.to_owned(), provider: "p".to_owned(), worst }
    }

    fn answered(cost: f64) -> Outcome {
        Outcome { cost, flow: Flow::Answered, wait: None }
    }

    /// The tickets that are granted now, with their runs.
    fn granted(book: &mut Book<()>) -> Vec<(u64, String)> {
        let decided = book.decide(Instant::now()).into_iter();
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
            book.settle(ticket, answered(0.0), Instant::now());
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
            book.settle(ticket, answered(0.0), Instant::now());
            book.ask(&ask("live", 0.0), ());
            live.extend(granted(&mut book).into_iter().filter(|(_, run)| run == "live"));
        }
        assert_eq!(live.len(), 4);
        assert_eq!(book.status().providers[0].in_flight, 12, "the window grew by the hung calls");
    }

    #[test]
    fn the_budget_is_never_exceeded_and_refuses_only_when_no_reservation_is_left() {
        let mut book = Book::new(Limits { max_cost: Some(1.0), ..LIMITS });
        let first = book.ask(&ask("a", 0.6), ());
        let second = book.ask(&ask("b", 0.6), ());
        assert_eq!(granted(&mut book), [(first, "a".to_owned())], "the second might exceed it");
        book.settle(first, answered(0.1), Instant::now());
        assert_eq!(granted(&mut book), [(second, "b".to_owned())]);
        book.settle(second, answered(0.6), Instant::now());
        book.ask(&ask("a", 0.6), ());
        let refused = Refused { max: 1.0, spent: 0.7, next: 0.6 };
        assert_eq!(book.decide(Instant::now())[0].2, Decision::Refused(refused));
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
        book.settle(next, answered(0.0), Instant::now());
        assert!(book.decide(Instant::now()).is_empty());
        assert!(book.expire(start + Duration::from_secs(59)).is_empty());
        assert_eq!(book.expire(start + Duration::from_mins(1)), [lost]);
        assert_eq!(granted(&mut book), [(third, "c".to_owned())]);
        assert!(!book.has_outcome(lost));
        book.settle(lost, answered(0.05), Instant::now());
        assert!((book.status().spent - 0.05).abs() < 1e-9, "a late report counts");
        assert!(book.has_outcome(lost) && book.has_outcome(next) && !book.has_outcome(third));
    }

    #[test]
    fn a_batch_reserves_once_and_settles_once() {
        let mut book = Book::new(Limits { max_cost: Some(1.0), ..LIMITS });
        assert!(book.has_room_for("batch", 0.7));
        book.reserve_batch("batch".to_owned(), 0.7);
        book.reserve_batch("batch".to_owned(), 0.7);
        assert!(book.has_room_for("batch", 0.7) && !book.has_room_for("other", 0.7));
        let ticket = book.ask(&ask("a", 0.4), ());
        assert!(book.decide(Instant::now()).is_empty(), "it waits for the batch");
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
        assert!(book.decide(Instant::now()).is_empty());
        assert_eq!(book.status().providers[0].runs, 0);
    }
}
