//! The one way to ask: journal first, else a call, then the journal.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::limiter::{Flow, Turn};
use super::{Answer, CallError, Fault, Model, Reply, Request, Settings};
use crate::journal::Journal;
use common::interrupt::{Interrupt, Urgency};
use common::record::Usage;

/// The longest wait between two tries, where the server names none.
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// A server that was never there is tried so often.
const ATTEMPTS_TO_REACH: u32 = 3;

/// How often a call was tried.
struct Tries {
    since: Instant,
    all: u32,
    /// Those that the server did not simply turn away.
    broken: u32,
}

/// Asks a model, from any number of threads.
pub struct Client {
    model: Arc<dyn Model>,
    journal: Journal,
    settings: Settings,
    flow: Arc<Flow>,
}

/// Why there is no answer.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AskError {
    /// The run cannot go on: no other call would fare better. Exit status 2.
    #[error("{0}")]
    Stopped(String),
    /// The run has reached a limit that somebody set. Exit status 3.
    #[error("{0}")]
    Limit(Limit),
    /// Somebody interrupted the run. Exit status 130.
    #[error("interrupted")]
    Interrupted,
    /// This call failed, others may not. Worth a `failure` record.
    #[error("{message}")]
    GaveUp {
        /// A stable name in `snake_case`, for programs.
        code: &'static str,
        /// What went wrong, for people.
        message: String,
        /// How often it was tried.
        attempts: u32,
    },
}

/// A limit that stops a run.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum Limit {
    /// The next call might cost more than is left.
    #[error(
        "stopped at ${spent:.2} of ${max:.2}: the next call may cost ${next:.2}; go on with a higher --max-cost"
    )]
    Cost {
        /// The ceiling, in US dollars.
        max: f64,
        /// What was spent, or may have been.
        spent: f64,
        /// What the next call costs at worst.
        next: f64,
    },
    /// The time was up.
    #[error("stopped at the deadline")]
    Deadline,
    /// Too many calls in a row were given up.
    #[error("stopped after {0} calls in a row had failed")]
    Failures(u32),
}

impl AskError {
    /// Whether every later call ends the same way.
    pub fn ends_run(&self) -> bool {
        !matches!(self, Self::GaveUp { .. })
    }
}

/// What has been done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Answers that came from the model.
    pub answers: u64,
    /// Answers that were in the journal.
    pub journalled: u64,
    /// Calls that are out.
    pub in_flight: u32,
    /// How often a server had too much to do.
    pub turned_away: u64,
    /// Calls that broke off after the vendor may have begun to charge for them.
    pub lost: u64,
    /// Calls in a row that were given up.
    pub failures: u32,
    /// Tokens of the answers that came from the model.
    pub usage: Usage,
    /// What they cost, in US dollars, as far as prices are known.
    pub spent: f64,
    /// What calls may have cost beyond that whose usage is not known, at most, in US dollars.
    pub lost_at_most: f64,
    /// Whether any server ever answered anything.
    pub(super) reached: bool,
}

impl Totals {
    /// What may have been spent, at most, in US dollars.
    pub fn committed(&self) -> f64 {
        self.spent + self.lost_at_most
    }
}

impl Client {
    /// A client that asks `model` and keeps the answers in `journal`. `interrupt` ends it.
    pub fn new(model: Arc<dyn Model>, journal: Journal, settings: Settings, interrupt: &Interrupt) -> Self {
        let flow = Arc::new(Flow::new(&settings));
        interrupt.listen({
            let (flow, model) = (Arc::clone(&flow), Arc::clone(&model));
            move |urgency| {
                flow.end(AskError::Interrupted);
                if urgency == Urgency::Stop {
                    model.abandon();
                }
            }
        });
        Self { model, journal, settings, flow }
    }

    /// The answer to a request: from the journal if it is there, else from the model. Waits its turn, tries
    /// again where that helps, and returns when the answer is in the journal and on disk.
    ///
    /// The first call with a shared beginning goes alone until its answer begins to come; the others wait for
    /// the cache that it fills.
    pub fn ask(&self, request: &Request) -> Result<Answer, AskError> {
        let fingerprint = self.model.fingerprint(request);
        if let Some(answer) = self.journal.get(&fingerprint).map_err(|error| self.cannot_journal(&error))? {
            self.flow.count(|totals| totals.journalled += 1);
            return Ok(answer);
        }
        let facts = self.model.facts();
        let cached = Some(&request.shared).filter(|shared| facts.is_cached(shared));
        let mut turn = self.flow.enter(facts.worst_cost(request).unwrap_or(0.0), cached)?;
        let reply = self.try_until_answered(request, &mut turn)?;
        let answer = Answer {
            label: request.label.clone(),
            request: fingerprint,
            model: reply.model,
            text: reply.text,
            stop: reply.stop,
            usage: reply.usage,
            seconds: reply.seconds,
            sample: request.sample,
        };
        self.journal.append(&answer).map_err(|error| self.cannot_journal(&error))?;
        // Servers that tell no usage charge all the same.
        let told = answer.usage != Usage::default();
        let cost = facts.price.as_ref().filter(|_| told).map(|price| price.cost(&answer.usage));
        turn.answered(answer.usage, cost, cached);
        Ok(answer)
    }

    /// What has been done so far.
    pub fn totals(&self) -> Totals {
        self.flow.totals()
    }

    fn try_until_answered(&self, request: &Request, turn: &mut Turn<'_>) -> Result<Reply, AskError> {
        let mut tries = Tries { since: Instant::now(), all: 0, broken: 0 };
        loop {
            let error = match self.model.ask(request, &mut || turn.begun()) {
                Ok(reply) => {
                    self.flow.count(|totals| (totals.reached, totals.failures) = (true, 0));
                    return Ok(reply);
                }
                Err(error) => error,
            };
            self.take_note(&error, turn, &mut tries);
            if let Some(ended) = self.flow.ended() {
                return Err(ended);
            }
            let wait = self.wait_before_next(&error, &tries)?;
            self.flow.pause(wait)?;
            turn.reserve_again()?;
        }
    }

    /// What a failed try means for this call and the others.
    fn take_note(&self, error: &CallError, turn: &mut Turn<'_>, tries: &mut Tries) {
        let turned_away = error.fault == Fault::Overload;
        tries.all += 1;
        tries.broken += u32::from(!turned_away);
        if error.charged {
            turn.lost();
        }
        if turned_away || error.fault == Fault::Slow {
            turn.narrow();
        }
        self.flow.count(|totals| {
            totals.turned_away += u64::from(turned_away);
            totals.reached |= error.fault != Fault::Unreachable;
        });
    }

    /// How long to wait before the call is tried again, or why it is not.
    fn wait_before_next(&self, error: &CallError, tries: &Tries) -> Result<Duration, AskError> {
        let Settings { patience, attempts, .. } = self.settings;
        let stop = || Err(self.flow.end(AskError::Stopped(error.message.clone())));
        let asked = error.wait.unwrap_or_default();
        let wait = asked.max(self.backoff(tries.all));
        let again = match error.fault {
            Fault::Permanent => return stop(),
            Fault::Hopeless => false,
            Fault::Overload if asked > patience => return stop(),
            Fault::Overload => tries.since.elapsed() + wait < patience,
            Fault::Unreachable if tries.broken >= ATTEMPTS_TO_REACH && !self.flow.totals().reached => {
                return stop();
            }
            Fault::Unreachable | Fault::Slow | Fault::Passing => tries.broken < attempts,
        };
        if again { Ok(wait) } else { Err(self.give_up(error, tries.all)) }
    }

    fn give_up(&self, error: &CallError, attempts: u32) -> AskError {
        self.flow.count(|totals| totals.failures += 1);
        let failures = self.flow.totals().failures;
        if failures >= self.settings.max_failures && error.fault != Fault::Hopeless {
            return self.flow.end(AskError::Limit(Limit::Failures(failures)));
        }
        AskError::GaveUp { code: error.code, message: error.message.clone(), attempts }
    }

    /// Between half of and the whole of a time that doubles from try to try: calls that failed together
    /// shall not come again together.
    fn backoff(&self, attempts: u32) -> Duration {
        let doubled = self.settings.backoff.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let random = RandomState::new().build_hasher().finish() % 1000;
        doubled.min(MAX_BACKOFF).mul_f64(f64::from(u32::try_from(random).unwrap_or(0)).mul_add(0.0005, 0.5))
    }

    /// A paid answer that cannot be kept is the last one: going on would only lose more.
    fn cannot_journal(&self, error: &std::io::Error) -> AskError {
        self.flow.end(AskError::Stopped(format!("cannot keep an answer in the journal: {error}")))
    }
}
