//! What may be spent, what is reserved for calls in flight, and what was spent. All money of a run passes through
//! one [`Budget`].

use std::collections::HashMap;

use common::record::Usage;

use crate::error::Limit;
use crate::history::History;

/// The length of answers of a kind is known from this number of them on.
const MEASURED: u32 = 3;

/// The money of a run, in US dollars.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// The maximum that may be spent, earlier runs included.
    max: Option<f64>,
    /// What earlier runs have spent, or may have spent on calls without an answer.
    before: f64,
    /// What the answers of this run cost.
    spent: f64,
    /// The most that calls of unknown usage may have cost on top of that.
    lost: f64,
    /// For the calls in flight.
    reserved: f64,
    /// The number of reservations.
    reservations: u32,
    /// The lengths of the answers so far, by the kind of call.
    lengths: HashMap<String, Lengths>,
}

/// What a call costs, depending on the length of its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quote {
    /// The kind of call.
    pub(crate) pass: String,
    /// The most that its input costs, in US dollars.
    pub(crate) input: f64,
    /// The price of an output token, in US dollars.
    pub(crate) output: f64,
    /// The longest possible answer, in tokens.
    pub(crate) longest: u64,
}

impl Quote {
    /// A call whose amount is known, in US dollars.
    pub(crate) fn known(pass: &str, amount: f64) -> Self {
        Self { pass: pass.to_owned(), input: amount, ..Self::default() }
    }

    /// The same call at this share of the price.
    pub(crate) fn times(self, share: f64) -> Self {
        Self { input: self.input * share, output: self.output * share, ..self }
    }

    /// What the call costs with the longest possible answer, in US dollars.
    pub(crate) fn worst(&self) -> f64 {
        self.with_answer_of(self.longest)
    }

    /// What the call costs with an answer of this many tokens, in US dollars.
    fn with_answer_of(&self, tokens: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far fewer tokens than a float can count")]
        let output = self.output * tokens as f64;
        self.input + output
    }
}

/// Money that is set aside for a call in flight. [`Budget::settle`] or [`Budget::release`] ends it.
#[derive(Debug)]
#[must_use = "the money stays reserved"]
pub(crate) struct Reservation(f64);

impl Reservation {
    /// In US dollars.
    pub(crate) fn amount(&self) -> f64 {
        self.0
    }
}

/// What a call may cost did not fit.
#[derive(Debug)]
pub(crate) enum Short {
    /// It may fit when calls in flight turn out cheaper than what is reserved for them.
    Now,
    /// It never will.
    ForGood(Limit),
}

/// The lengths of answers to calls of a kind, in tokens.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    answers: u32,
    longest: u64,
}

impl Budget {
    /// A budget of at most `max`, of which `before` is spent.
    pub(crate) fn new(max: Option<f64>, before: f64) -> Self {
        Self { max, before, ..Self::default() }
    }

    /// Learns the lengths of answers from those of the models that `is_same` accepts.
    pub(crate) fn learn(&mut self, history: &History, is_same: impl Fn(&str) -> bool) {
        for paid in history.answers().iter().filter(|paid| is_same(&paid.model)) {
            self.measure(paid.pass(), &paid.usage);
        }
    }

    /// Sets aside what a call may cost.
    pub(crate) fn reserve(&mut self, quote: &Quote) -> Result<Reservation, Short> {
        let next = self.expect(quote);
        if let Some(max) = self.max {
            let spent = self.committed();
            // Without calls in flight there is nothing to wait for.
            if self.reservations == 0 && spent + next > max {
                return Err(Short::ForGood(Limit::Cost { max, spent, next }));
            }
            if spent + self.reserved + next > max {
                return Err(Short::Now);
            }
        }
        Ok(self.reserve_at_all_events(next))
    }

    /// Sets aside what a call costs that is made already.
    pub(crate) fn reserve_at_all_events(&mut self, amount: f64) -> Reservation {
        self.reservations += 1;
        self.reserved += amount;
        Reservation(amount)
    }

    /// The call was answered, at this cost. Where the cost is unknown, all that was reserved counts.
    pub(crate) fn settle(
        &mut self,
        reservation: Reservation,
        quote: &Quote,
        usage: &Usage,
        cost: Option<f64>,
    ) {
        self.measure(&quote.pass, usage);
        match cost {
            Some(cost) => {
                self.spent += cost;
                self.release(reservation);
            }
            None => self.lose(reservation),
        }
    }

    /// The call has no answer, and may have cost all that was reserved.
    pub(crate) fn lose(&mut self, reservation: Reservation) {
        self.lost += reservation.0;
        self.release(reservation);
    }

    /// The call cost nothing.
    pub(crate) fn release(&mut self, Reservation(amount): Reservation) {
        self.reservations -= 1;
        // Rounding errors would leave a rest.
        self.reserved = if self.reservations == 0 { 0.0 } else { self.reserved - amount };
    }

    /// Whether there is a maximum.
    pub(crate) fn is_limited(&self) -> bool {
        self.max.is_some()
    }

    /// What earlier runs have spent.
    pub(crate) fn before(&self) -> f64 {
        self.before
    }

    /// What the answers of this run cost.
    pub(crate) fn spent(&self) -> f64 {
        self.spent
    }

    /// The most that calls of unknown usage may have cost on top of that.
    pub(crate) fn lost(&self) -> f64 {
        self.lost
    }

    /// The most that may have been spent, earlier runs included.
    fn committed(&self) -> f64 {
        self.before + self.spent + self.lost
    }

    /// What to reserve for a call. Its longest possible answer costs far more than a usual one, and a budget that only
    /// worst cases fit in would be left unspent. So once there are some answers of its kind, half as much again as the
    /// longest of them is reserved. A longer answer may exceed the maximum, by what it costs more.
    fn expect(&self, quote: &Quote) -> f64 {
        let known = self.lengths.get(&quote.pass).filter(|known| known.answers >= MEASURED);
        let expected = known.map(|known| known.longest.saturating_mul(3) / 2);
        quote.with_answer_of(expected.map_or(quote.longest, |expected| expected.min(quote.longest)))
    }

    fn measure(&mut self, pass: &str, usage: &Usage) {
        // Some servers report no usage.
        if usage.output() > 0 {
            let known = self.lengths.entry(pass.to_owned()).or_default();
            known.answers += 1;
            known.longest = known.longest.max(usage.output());
        }
    }
}

#[cfg(test)]
impl Quote {
    /// A call that costs this much, in US dollars.
    pub(crate) fn fixed(cost: f64) -> Self {
        Self { input: cost, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_shrink_to_half_more_than_the_longest_answer() {
        let mut budget = Budget::new(Some(1.0), 0.25);
        let quote = Quote { pass: "files".to_owned(), input: 0.0, output: 0.001, longest: 700 };
        let short = Usage { output_visible: 90, output_reasoning: 10, ..Usage::default() };
        for answers in 0..3 {
            assert!((budget.expect(&quote) - 0.7).abs() < 1e-9, "{answers}");
            let reservation = budget.reserve(&quote).unwrap();
            assert!(matches!(budget.reserve(&quote), Err(Short::Now)));
            budget.settle(reservation, &quote, &short, Some(0.01));
        }
        assert!((budget.expect(&quote) - 0.15).abs() < 1e-9);
        let other = Quote { pass: "readme".to_owned(), ..quote.clone() };
        assert!((budget.expect(&other) - 0.7).abs() < 1e-9);
        let long = Usage { output_visible: 600, ..Usage::default() };
        let reservation = budget.reserve(&quote).unwrap();
        budget.settle(reservation, &quote, &long, Some(0.6));
        let refused = budget.reserve(&quote);
        assert!(matches!(refused, Err(Short::ForGood(Limit::Cost { .. }))), "{refused:?}");
    }
}
