//! Whose turn it is: how many calls may be out, what they may cost, and whether the run goes on at all.
//!
//! All calls of a run share one [`Flow`]. A call enters, which may take a while, and leaves with what
//! became of it.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
use super::client::{AskError, Limit, Totals};
use super::settings::Settings;
use common::record::Usage;

/// A prompt cache forgets what was not used for so long.
const CACHE_LIFE: Duration = Duration::from_mins(5);
/// A call that succeeds allows so much of another one; one that is turned away, or not answered in time,
/// takes `BACK_OFF`. So the number of calls in flight settles where a fifth of them fares like that, and a
/// burst of refusals halves it.
const ADVANCE: f64 = 0.125;
const BACK_OFF: f64 = 0.5;

/// What all calls of a run share.
pub(super) struct Flow {
    /// The most calls that may be out, whatever the server puts up with.
    workers: f64,
    /// The most that may be spent, in US dollars.
    max_cost: Option<f64>,
    deadline: Option<Instant>,
    /// How long calls wait, at most, for the first one to warm the cache.
    warm_up: Duration,
    state: Mutex<State>,
    /// Something changed for those who wait to enter.
    room: Condvar,
    /// A cache got warm.
    warmed: Condvar,
    /// The run has ended.
    ended: Condvar,
}

struct State {
    /// How many calls may be out. Its fraction counts.
    window: f64,
    in_flight: u32,
    /// What the calls in flight cost at worst, of those that have money reserved.
    reserved: f64,
    /// How many these are.
    reservations: u32,
    totals: Totals,
    /// What is known of the cache for each shared beginning, by its id.
    caches: HashMap<u64, Cache>,
    end: Option<AskError>,
}

/// What is known of the vendor's cache for a shared beginning.
#[derive(Clone, Copy)]
enum Cache {
    /// A call is out that will fill it; since then.
    Filling(Instant),
    /// It was used then.
    Warm(Instant),
}

impl Cache {
    /// Whether another call should wait for the one that is out.
    fn is_filling(self, warm_up: Duration) -> bool {
        matches!(self, Self::Filling(since) if since.elapsed() < warm_up)
    }

    fn is_cold(self) -> bool {
        matches!(self, Self::Warm(used) if used.elapsed() >= CACHE_LIFE)
    }
}

impl State {
    fn reserve(&mut self, worst: f64) {
        self.reservations += 1;
        self.reserved += worst;
    }

    fn release(&mut self, worst: f64) {
        self.reservations -= 1;
        // Sums of fractions do not come out even.
        self.reserved = if self.reservations == 0 { 0.0 } else { self.reserved - worst };
    }
}

/// A call's place among those in flight. Leaves when dropped.
pub(super) struct Turn<'a> {
    flow: &'a Flow,
    /// What the call costs at worst, in US dollars.
    worst: f64,
    /// Whether that much is reserved.
    reserved: bool,
    /// The beginning whose cache this call fills.
    fills: Option<u64>,
}

impl Flow {
    pub(super) fn new(settings: &Settings) -> Self {
        let workers = f64::from(u32::try_from(settings.workers.max(1)).unwrap_or(u32::MAX));
        Self {
            workers,
            max_cost: settings.max_cost,
            deadline: settings.deadline.and_then(|limit| Instant::now().checked_add(limit)),
            warm_up: settings.warm_up,
            state: Mutex::new(State {
                window: workers,
                in_flight: 0,
                reserved: 0.0,
                reservations: 0,
                totals: Totals::default(),
                caches: HashMap::new(),
                end: None,
            }),
            room: Condvar::new(),
            warmed: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    /// Waits until another call may go out: one that costs so much at worst, and whose beginning is worth
    /// caching if it is given.
    pub(super) fn enter(&self, worst: f64, cached: Option<&Shared>) -> Result<Turn<'_>, AskError> {
        let mut state = self.state();
        loop {
            self.check(&mut state)?;
            let cache = cached.and_then(|shared| state.caches.get(&shared.id()).copied());
            if cache.is_some_and(|cache| cache.is_filling(self.warm_up)) {
                // It may have been woken to take a place that another call can use.
                self.room.notify_one();
                state = self.wait(&self.warmed, state, self.warm_up);
                continue;
            }
            if self.has_room(&mut state, worst)? {
                let fills = cached.filter(|_| cache.is_none_or(Cache::is_cold)).map(Shared::id);
                return Ok(self.admit(&mut state, worst, fills));
            }
            state = self.wait(&self.room, state, Duration::MAX);
        }
    }

    fn has_room(&self, state: &mut State, worst: f64) -> Result<bool, AskError> {
        Ok(f64::from(state.in_flight) < state.window.floor() && self.can_afford(state, worst)?)
    }

    /// Whether another call that costs so much at worst fits under the ceiling.
    fn can_afford(&self, state: &mut State, worst: f64) -> Result<bool, AskError> {
        let Some(max) = self.max_cost else { return Ok(true) };
        let spent = state.totals.committed();
        if spent + state.reserved + worst <= max {
            return Ok(true);
        }
        if state.reservations > 0 {
            // What is out may turn out cheaper than the worst.
            return Ok(false);
        }
        Err(self.end_with(state, AskError::Limit(Limit::Cost { max, spent, next: worst })))
    }

    fn admit(&self, state: &mut State, worst: f64, fills: Option<u64>) -> Turn<'_> {
        state.in_flight += 1;
        state.reserve(worst);
        if let Some(shared) = fills {
            state.caches.insert(shared, Cache::Filling(Instant::now()));
        }
        Turn { flow: self, worst, reserved: true, fills }
    }

    /// Sleeps so long, unless the run ends.
    pub(super) fn pause(&self, duration: Duration) -> Result<(), AskError> {
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

    /// Ends the run: no further call goes out, those that are out are waited for. The first reason counts,
    /// and is returned.
    pub(super) fn end(&self, reason: AskError) -> AskError {
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
    pub(super) fn ended(&self) -> Option<AskError> {
        self.state().end.clone()
    }

    pub(super) fn totals(&self) -> Totals {
        let state = self.state();
        Totals { in_flight: state.in_flight, ..state.totals }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Totals)) {
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

    /// Waits for news, no longer than `limit` or the deadline.
    fn wait<'a>(
        &self,
        news: &Condvar,
        state: MutexGuard<'a, State>,
        limit: Duration,
    ) -> MutexGuard<'a, State> {
        let deadline = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        if limit == Duration::MAX {
            return news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (state, _) = news.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner);
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes as many of those who wait to enter as may now enter. Where money is counted, those who wait
    /// differ in what they need, so all of them have to look.
    fn wake(&self, places: usize) {
        if self.max_cost.is_some() {
            self.room.notify_all();
        } else {
            (0..places).for_each(|_| self.room.notify_one());
        }
    }
}

impl Turn<'_> {
    /// The answer begins to come: the vendor's cache now holds the shared beginning.
    pub(super) fn begun(&mut self) {
        if let Some(shared) = self.fills.take() {
            let mut state = self.flow.state();
            state.caches.insert(shared, Cache::Warm(Instant::now()));
            self.flow.warmed.notify_all();
        }
    }

    /// The server has too much to do: fewer calls shall be out. The turn is kept for another try.
    pub(super) fn narrow(&mut self) {
        let mut state = self.flow.state();
        state.window = (state.window - BACK_OFF).max(1.0);
    }

    /// The call broke off after the server may have begun to charge for it: what was reserved is spent. The
    /// turn is kept.
    pub(super) fn lost(&mut self) {
        let mut state = self.flow.state();
        state.totals.lost += 1;
        state.totals.lost_at_most += self.worst;
        self.release(&mut state);
    }

    /// Waits until another try can be afforded.
    pub(super) fn reserve_again(&mut self) -> Result<(), AskError> {
        let mut state = self.flow.state();
        while !self.reserved {
            self.flow.check(&mut state)?;
            if self.flow.can_afford(&mut state, self.worst)? {
                state.reserve(self.worst);
                self.reserved = true;
            } else {
                state = self.flow.wait(&self.flow.room, state, Duration::MAX);
            }
        }
        Ok(())
    }

    fn release(&mut self, state: &mut State) {
        if std::mem::take(&mut self.reserved) {
            state.release(self.worst);
            self.flow.wake(0);
        }
    }

    /// The answer came, and cost so much in US dollars, or at most the worst where that is not known.
    pub(super) fn answered(mut self, usage: Usage, cost: Option<f64>, cached: Option<&Shared>) {
        self.begun();
        let mut state = self.flow.state();
        if let Some(Cache::Warm(used)) = cached.and_then(|shared| state.caches.get_mut(&shared.id())) {
            *used = Instant::now();
        }
        state.totals.answers += 1;
        state.totals.usage += usage;
        match cost {
            Some(cost) => state.totals.spent += cost,
            None => state.totals.lost_at_most += self.worst,
        }
        let before = state.window.floor();
        state.window = (state.window + ADVANCE).min(self.flow.workers);
        if state.window.floor() > before {
            self.flow.wake(1);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let flow = self.flow;
        let mut state = flow.state();
        state.in_flight -= 1;
        self.release(&mut state);
        if let Some(shared) = self.fills.take() {
            state.caches.remove(&shared);
            self.flow.warmed.notify_all();
        }
        drop(state);
        flow.wake(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM_UP: Duration = Duration::from_secs(30);

    /// Whether a call enters at once, and whether it then fills the cache that this is known of.
    fn enters(known: Option<Cache>) -> Option<bool> {
        // The deadline ends what would wait.
        let flow = Flow::new(&Settings {
            deadline: Some(Duration::from_millis(500)),
            warm_up: WARM_UP,
            ..Settings::default()
        });
        let shared = Shared::from("beginning");
        flow.state().caches.extend(known.map(|cache| (shared.id(), cache)));
        flow.enter(0.0, Some(&shared)).ok().map(|turn| turn.fills.is_some())
    }

    #[test]
    fn calls_wait_for_a_cache_that_is_being_filled_but_not_for_ever() {
        let ago = |age: Duration| Instant::now().checked_sub(age).unwrap();
        assert_eq!(enters(None), Some(true));
        assert_eq!(enters(Some(Cache::Filling(Instant::now()))), None);
        assert_eq!(enters(Some(Cache::Filling(ago(WARM_UP)))), Some(false));
        assert_eq!(enters(Some(Cache::Warm(Instant::now()))), Some(false));
        assert_eq!(enters(Some(Cache::Warm(ago(CACHE_LIFE)))), Some(true));
    }

    #[test]
    fn refusals_narrow_the_window_and_answers_widen_it() {
        let flow = Flow::new(&Settings::default());
        let mut turn = flow.enter(0.0, None).unwrap();
        (0..8).for_each(|_| turn.narrow());
        assert!((flow.state().window - 4.0).abs() < 1e-9);
        (0..100).for_each(|_| turn.narrow());
        assert!((flow.state().window - 1.0).abs() < 1e-9, "one call can always go out");
        drop(turn);
        for _ in 0..100 {
            flow.enter(0.0, None).unwrap().answered(Usage::default(), None, None);
        }
        assert!((flow.state().window - 8.0).abs() < 1e-9);
        assert_eq!(flow.totals().in_flight, 0);
    }

    #[test]
    fn what_was_reserved_is_given_back_or_spent() {
        let flow = Flow::new(&Settings { max_cost: Some(10.0), ..Settings::default() });
        let mut first = flow.enter(6.0, None).unwrap();
        first.lost();
        assert!((flow.totals().committed() - 6.0).abs() < 1e-9);
        assert!(matches!(first.reserve_again(), Err(AskError::Limit(Limit::Cost { .. }))));
        drop(first);
        assert!(flow.state().reserved.abs() < 1e-9);

        let flow = Flow::new(&Settings { max_cost: Some(10.0), ..Settings::default() });
        flow.enter(6.0, None).unwrap().answered(Usage::default(), Some(1.0), None);
        flow.enter(6.0, None).unwrap().answered(Usage::default(), None, None);
        assert!((flow.totals().committed() - 7.0).abs() < 1e-9);
        assert!(flow.enter(6.0, None).is_err());
    }
}
