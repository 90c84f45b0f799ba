//! Limits what all calls of a run do together: how many are in flight, what they may cost (by a [`Budget`]), and when
//! the run ends.
//!
//! All calls of a run share one [`Limiter`]. A call waits for a [`Permit`], and reports its result to it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::record::Usage;

use crate::budget::{Budget, Quote, Reservation, Short};
use crate::error::{AskError, Limit};
use crate::request::Prefix;
use crate::settings::CallSettings;

/// A prompt cache drops what was not used for this long.
const CACHE_LIFE: Duration = Duration::from_mins(5);
/// A successful call widens the window by this much; one that is rejected for overload, or times out, narrows
/// it by `NARROWING`. So the window settles where a fifth of the calls fail like that, and a burst of
/// rejections halves it.
const WIDENING: f64 = 0.125;
const NARROWING: f64 = 0.5;

/// The counts and the cost of a run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Answers that came from the model.
    pub answers: u64,
    /// Answers that were in the journal.
    pub journalled: u64,
    /// Those of them that another model gave, or this one with other options.
    pub of_another_model: u64,
    /// Calls in flight.
    pub in_flight: u32,
    /// Calls that broke off after the provider may have started to charge for them.
    pub lost: u64,
    /// Failed calls in a row.
    pub failures: u32,
    /// Tokens of the answers that came from the model.
    pub usage: Usage,
    /// What they cost, in US dollars, as far as prices are known.
    pub spent: f64,
    /// What earlier runs have spent, or may have spent, in US dollars.
    pub before: f64,
    /// Answers of the model that are not in `spent`, as its price is unknown.
    pub unpriced: u64,
    /// The most that calls of unknown usage may have cost on top of that, in US dollars.
    pub lost_at_most: f64,
    /// Whether a server ever responded.
    pub(crate) reached: bool,
}

impl Totals {
    /// What the answers cost, for people.
    pub fn cost(&self) -> String {
        match self.unpriced {
            0 => format!("${:.2}", self.spent),
            unpriced if unpriced == self.answers => "price unknown".to_owned(),
            unpriced => format!("${:.2} and {unpriced} answers of unknown price", self.spent),
        }
    }

    /// What the answers cost, those of earlier runs included, for people.
    pub fn cost_so_far(&self) -> String {
        Self { spent: self.before + self.spent, ..*self }.cost()
    }

    /// The most that may have been spent, in US dollars, earlier runs included.
    pub fn committed(&self) -> f64 {
        self.before + self.spent + self.lost_at_most
    }
}

/// What all calls of a run share.
pub(crate) struct Limiter {
    /// The maximum number of calls in flight, whatever the server accepts.
    workers: f64,
    deadline: Option<Instant>,
    /// The longest wait for the first call to warm the cache.
    warm_up: Duration,
    state: Mutex<State>,
    /// Something changed for the calls that wait for a permit.
    room: Condvar,
    /// A cache was warmed.
    warmed: Condvar,
    /// The run has ended.
    ended: Condvar,
}

struct State {
    /// The current limit of calls in flight. Changes by fractions.
    window: f64,
    in_flight: u32,
    /// The money; it is not in `totals`.
    budget: Budget,
    totals: Totals,
    /// The state of the provider's cache for each prefix, by its id.
    caches: HashMap<u64, Cache>,
    end: Option<AskError>,
}

/// The state of the provider's cache for a prefix.
#[derive(Clone, Copy)]
enum Cache {
    /// A call in flight will fill it; the start of that call.
    Filling(Instant),
    /// It is filled; its last use.
    Warm(Instant),
}

impl Cache {
    /// Whether another call should wait for the one in flight.
    fn is_filling(self, warm_up: Duration) -> bool {
        matches!(self, Self::Filling(since) if since.elapsed() < warm_up)
    }

    fn is_cold(self) -> bool {
        matches!(self, Self::Warm(used) if used.elapsed() >= CACHE_LIFE)
    }
}

/// The right to have one call in flight. Returned when dropped.
pub(crate) struct Permit<'a> {
    limiter: &'a Limiter,
    quote: Quote,
    /// What is reserved for the call; none after an attempt that may have cost it.
    reservation: Option<Reservation>,
    /// The prefix whose cache this call fills.
    fills: Option<u64>,
}

impl Limiter {
    pub(crate) fn new(settings: &CallSettings, budget: Budget) -> Self {
        let workers = f64::from(u32::try_from(settings.workers.max(1)).unwrap_or(u32::MAX));
        Self {
            workers,
            deadline: settings.deadline.and_then(|limit| Instant::now().checked_add(limit)),
            warm_up: settings.warm_up,
            state: Mutex::new(State {
                window: workers,
                in_flight: 0,
                budget,
                totals: Totals::default(),
                caches: HashMap::new(),
                end: None,
            }),
            room: Condvar::new(),
            warmed: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    /// Waits for a permit for a call that costs this, and has this prefix if the provider caches it.
    pub(crate) fn acquire(&self, quote: Quote, cached: Option<&Prefix>) -> Result<Permit<'_>, AskError> {
        let mut state = self.state();
        loop {
            self.check(&mut state)?;
            let cache = cached.and_then(|prefix| state.caches.get(&prefix.id()).copied());
            if cache.is_some_and(|cache| cache.is_filling(self.warm_up)) {
                // This call may have been woken for a permit that another one can use.
                self.room.notify_one();
                state = self.wait(&self.warmed, state, self.warm_up);
                continue;
            }
            if f64::from(state.in_flight) < state.window.floor()
                && let Some(reservation) = self.reserve(&mut state, &quote)?
            {
                let fills = cached.filter(|_| cache.is_none_or(Cache::is_cold)).map(Prefix::id);
                state.in_flight += 1;
                state.caches.extend(fills.map(|prefix| (prefix, Cache::Filling(Instant::now()))));
                return Ok(Permit { limiter: self, quote, reservation: Some(reservation), fills });
            }
            state = self.wait(&self.room, state, Duration::MAX);
        }
    }

    /// Reserves what a call may cost, if that fits now. The run ends if it never will.
    fn reserve(&self, state: &mut State, quote: &Quote) -> Result<Option<Reservation>, AskError> {
        match state.budget.reserve(quote) {
            Ok(reservation) => Ok(Some(reservation)),
            Err(Short::Now) => Ok(None),
            Err(Short::ForGood(limit)) => Err(self.end_with(state, AskError::Limit(limit))),
        }
    }

    /// Reserves what a request in a batch may cost, if that fits now.
    pub(crate) fn try_reserve(&self, quote: &Quote) -> Result<Reservation, Short> {
        self.state().budget.reserve(quote)
    }

    /// Reserves what a request may cost that is in a batch already, in US dollars.
    pub(crate) fn reserve_at_all_events(&self, amount: f64) -> Reservation {
        self.state().budget.reserve_at_all_events(amount)
    }

    /// A request of a batch was answered. `cost` is in US dollars; where it is unknown, what was reserved counts.
    pub(crate) fn settle(&self, reservation: Reservation, quote: &Quote, usage: Usage, cost: Option<f64>) {
        let mut state = self.state();
        state.totals.answers += 1;
        state.totals.usage += usage;
        state.budget.settle(reservation, quote, &usage, cost);
    }

    /// A request of a batch was not answered, and cost nothing.
    pub(crate) fn release(&self, reservation: Reservation) {
        self.state().budget.release(reservation);
    }

    /// Sleeps for this long, unless the run ends.
    pub(crate) fn pause(&self, duration: Duration) -> Result<(), AskError> {
        let mut state = self.state();
        let wake = Instant::now().checked_add(duration);
        loop {
            self.check(&mut state)?;
            let left = match wake {
                Some(wake) => wake.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                return Ok(());
            }
            state = self.wait(&self.ended, state, left);
        }
    }

    /// Ends the run: no further call is started, those in flight may finish. The first reason counts and is
    /// returned.
    pub(crate) fn end(&self, reason: AskError) -> AskError {
        self.end_with(&mut self.state(), reason)
    }

    fn end_with(&self, state: &mut State, reason: AskError) -> AskError {
        let reason = state.end.get_or_insert(reason).clone();
        self.room.notify_all();
        self.warmed.notify_all();
        self.ended.notify_all();
        reason
    }

    /// Why the run has ended, if it has.
    pub(crate) fn ended(&self) -> Option<AskError> {
        self.check(&mut self.state()).err()
    }

    pub(crate) fn totals(&self) -> Totals {
        let state = self.state();
        Totals {
            in_flight: state.in_flight,
            before: state.budget.before(),
            spent: state.budget.spent(),
            lost_at_most: state.budget.lost(),
            ..state.totals
        }
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Totals)) {
        change(&mut self.state().totals);
    }

    fn check(&self, state: &mut State) -> Result<(), AskError> {
        if let Some(reason) = &state.end {
            return Err(reason.clone());
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(self.end_with(state, AskError::Limit(Limit::Deadline)));
        }
        Ok(())
    }

    /// Waits for a signal, no longer than `limit` or the deadline.
    fn wait<'a>(
        &self,
        signal: &Condvar,
        state: MutexGuard<'a, State>,
        limit: Duration,
    ) -> MutexGuard<'a, State> {
        let deadline = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        if limit == Duration::MAX {
            return signal.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (state, _) = signal.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner);
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes calls that wait for one of this many free permits. With a cost limit, waiting calls differ in
    /// what they need, so all of them have to check.
    fn wake(&self, is_limited: bool, permits: usize) {
        if is_limited {
            self.room.notify_all();
        } else {
            (0..permits).for_each(|_| self.room.notify_one());
        }
    }
}

impl Permit<'_> {
    /// The worst-case cost of the call, in US dollars.
    pub(crate) fn worst(&self) -> f64 {
        self.quote.worst()
    }

    /// The answer starts to arrive: the provider's cache now holds the prefix.
    pub(crate) fn started(&mut self) {
        if let Some(prefix) = self.fills.take() {
            let mut state = self.limiter.state();
            state.caches.insert(prefix, Cache::Warm(Instant::now()));
            self.limiter.warmed.notify_all();
        }
    }

    /// The server is overloaded: fewer calls may be in flight. The permit is kept for another attempt.
    pub(crate) fn narrow(&mut self) {
        let mut state = self.limiter.state();
        state.window = (state.window - NARROWING).max(1.0);
    }

    /// The call broke off after the provider may have started to charge for it: what was reserved is spent.
    /// The permit is kept.
    pub(crate) fn lost(&mut self) {
        let mut state = self.limiter.state();
        state.totals.lost += 1;
        if let Some(reservation) = self.reservation.take() {
            state.budget.lose(reservation);
        }
        self.limiter.wake(state.budget.is_limited(), 0);
    }

    /// Waits until another attempt can be afforded.
    pub(crate) fn reserve_again(&mut self) -> Result<(), AskError> {
        let mut state = self.limiter.state();
        while self.reservation.is_none() {
            self.limiter.check(&mut state)?;
            self.reservation = self.limiter.reserve(&mut state, &self.quote)?;
            if self.reservation.is_none() {
                state = self.limiter.wait(&self.limiter.room, state, Duration::MAX);
            }
        }
        Ok(())
    }

    /// The answer arrived. `cost` is in US dollars; where it is unknown, what was reserved counts.
    pub(crate) fn answered(mut self, usage: Usage, cost: Option<f64>, cached: Option<&Prefix>) {
        self.started();
        let mut state = self.limiter.state();
        if let Some(Cache::Warm(used)) = cached.and_then(|prefix| state.caches.get_mut(&prefix.id())) {
            *used = Instant::now();
        }
        state.totals.answers += 1;
        state.totals.usage += usage;
        if let Some(reservation) = self.reservation.take() {
            state.budget.settle(reservation, &self.quote, &usage, cost);
        }
        let before = state.window.floor();
        state.window = (state.window + WIDENING).min(self.limiter.workers);
        if state.window.floor() > before {
            self.limiter.wake(state.budget.is_limited(), 1);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let limiter = self.limiter;
        let mut state = limiter.state();
        state.in_flight -= 1;
        if let Some(reservation) = self.reservation.take() {
            state.budget.release(reservation);
        }
        if let Some(prefix) = self.fills.take() {
            state.caches.remove(&prefix);
            self.limiter.warmed.notify_all();
        }
        let is_limited = state.budget.is_limited();
        drop(state);
        limiter.wake(is_limited, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM_UP: Duration = Duration::from_secs(30);

    fn limited_to(max_cost: Option<f64>) -> Limiter {
        Limiter::new(&CallSettings::default(), Budget::new(max_cost, 0.0))
    }

    /// Whether a call gets a permit at once, and if so, whether it fills the cache that has this state.
    fn fills_cache(known: Option<Cache>) -> Option<bool> {
        // The deadline ends a call that would wait.
        let settings = CallSettings {
            deadline: Some(Duration::from_millis(500)),
            warm_up: WARM_UP,
            ..CallSettings::default()
        };
        let limiter = Limiter::new(&settings, Budget::default());
        let prefix = Prefix::from("prefix");
        limiter.state().caches.extend(known.map(|cache| (prefix.id(), cache)));
        limiter.acquire(Quote::default(), Some(&prefix)).ok().map(|permit| permit.fills.is_some())
    }

    #[test]
    fn calls_wait_for_a_cache_that_is_being_filled_but_not_indefinitely() {
        let ago = |age: Duration| Instant::now().checked_sub(age).unwrap();
        assert_eq!(fills_cache(None), Some(true));
        assert_eq!(fills_cache(Some(Cache::Filling(Instant::now()))), None);
        assert_eq!(fills_cache(Some(Cache::Filling(ago(WARM_UP)))), Some(false));
        assert_eq!(fills_cache(Some(Cache::Warm(Instant::now()))), Some(false));
        assert_eq!(fills_cache(Some(Cache::Warm(ago(CACHE_LIFE)))), Some(true));
    }

    #[test]
    fn overload_narrows_the_window_and_answers_widen_it() {
        let limiter = limited_to(None);
        let mut permit = limiter.acquire(Quote::default(), None).unwrap();
        (0..8).for_each(|_| permit.narrow());
        assert!((limiter.state().window - 4.0).abs() < 1e-9);
        (0..100).for_each(|_| permit.narrow());
        assert!((limiter.state().window - 1.0).abs() < 1e-9, "one call is always allowed");
        drop(permit);
        for _ in 0..100 {
            limiter.acquire(Quote::default(), None).unwrap().answered(Usage::default(), None, None);
        }
        assert!((limiter.state().window - 8.0).abs() < 1e-9);
        assert_eq!(limiter.totals().in_flight, 0);
    }

    #[test]
    fn a_reservation_is_released_or_spent() {
        let limiter = limited_to(Some(10.0));
        let mut first = limiter.acquire(Quote::fixed(6.0), None).unwrap();
        first.lost();
        assert!((limiter.totals().committed() - 6.0).abs() < 1e-9);
        assert!(matches!(first.reserve_again(), Err(AskError::Limit(Limit::Cost { .. }))));
        drop(first);
        assert!(!format!("{:?}", limiter.state().budget).contains("reservations: 1"));

        let limiter = limited_to(Some(10.0));
        limiter.acquire(Quote::fixed(6.0), None).unwrap().answered(Usage::default(), Some(1.0), None);
        limiter.acquire(Quote::fixed(6.0), None).unwrap().answered(Usage::default(), None, None);
        assert!((limiter.totals().committed() - 7.0).abs() < 1e-9);
        assert!(limiter.acquire(Quote::fixed(6.0), None).is_err());
    }
}
