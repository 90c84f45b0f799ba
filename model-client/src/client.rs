//! Answers a request: from the journal if it is there, else by a call whose answer is journalled.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::clock;
use common::interrupt::{Interrupt, Urgency};
use common::record::ModelAnswer;

use crate::activity::{Activity, Board, Note, Retry};
use crate::batch::{BatchNews, Batches, Desk};
use crate::budget::Budget;
use crate::error::{AskError, Limit};
use crate::facts::is_same_model;
use crate::history::Paid;
use crate::journal::Journal;
use crate::limiter::{Limiter, Permit, Totals};
use crate::model::{CallError, Fault, Model, Reply};
use crate::request::Request;
use crate::settings::CallSettings;
use crate::turns::{Turn, Turns, tells_overload};

/// The longest wait between two attempts, where the server names none.
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// The number of attempts at a server that was never reached, and the time after which none follows.
const ATTEMPTS_TO_REACH: u32 = 3;
const TIME_TO_REACH: Duration = Duration::from_secs(4);

/// Asks a model, from any number of threads.
pub struct Client {
    model: Arc<dyn Model>,
    journal: Journal,
    settings: CallSettings,
    limiter: Arc<Limiter>,
    turns: Turns,
    board: Board,
    on_retry: Box<dyn Fn(&Retry<'_>) + Send + Sync>,
    batches: Option<Batches>,
    on_batch: Box<dyn Fn(&BatchNews) + Send + Sync>,
}

/// Shows what the calls of a [`Client`] are doing, also beside it.
#[derive(Clone)]
pub struct Watch {
    limiter: Arc<Limiter>,
    board: Board,
}

impl Watch {
    /// The counts and the cost of the run so far.
    pub fn totals(&self) -> Totals {
        self.limiter.totals()
    }

    /// What the calls are doing at this moment.
    pub fn activity(&self) -> Activity {
        self.board.activity()
    }
}

impl Client {
    /// A client that asks `model` and keeps the answers in `journal`. `interrupt` ends the run.
    pub fn new(
        model: Arc<dyn Model>,
        journal: Journal,
        settings: CallSettings,
        interrupt: &Interrupt,
    ) -> Self {
        let limiter = Arc::new(Limiter::new(&settings, budget(&*model, &journal, &settings)));
        interrupt.listen({
            let (limiter, model) = (Arc::clone(&limiter), Arc::clone(&model));
            move |urgency| {
                limiter.end(AskError::Interrupted);
                if urgency == Urgency::Stop {
                    model.abort();
                }
            }
        });
        let turns = Turns::new(&settings, model.name());
        let board = Board::default();
        Self {
            model,
            journal,
            settings,
            limiter,
            turns,
            board,
            on_retry: Box::new(|_| {}),
            batches: None,
            on_batch: Box::new(|_| {}),
        }
    }

    /// The same client. It calls `report` whenever it will make another attempt.
    #[must_use]
    pub fn on_retry(self, report: impl Fn(&Retry<'_>) + Send + Sync + 'static) -> Self {
        Self { on_retry: Box::new(report), ..self }
    }

    /// The same client, with batches. It calls `report` for each that is submitted or fetched.
    #[must_use]
    pub fn with_batches(self, batches: Batches, report: impl Fn(&BatchNews) + Send + Sync + 'static) -> Self {
        batches.reserve(&self.limiter);
        Self { batches: Some(batches), on_batch: Box::new(report), ..self }
    }

    /// Answers the requests of `ask` in batches: calls it again and again, each time with the answers of the batches
    /// before. Its calls of [`Client::ask`] end with [`AskError::Deferred`] until their answer is there. Without
    /// batches, nothing happens.
    ///
    /// Where this ends early, the run has ended, and further calls say why.
    pub fn ask_in_batches(&self, mut ask: impl FnMut()) {
        let Some(batches) = &self.batches else { return };
        let desk = self.desk(batches);
        loop {
            batches.collect(true);
            ask();
            batches.collect(false);
            // An error has ended the run.
            if !desk.settle().unwrap_or(false) {
                return;
            }
        }
    }

    /// Cancels the batches that are open, and fetches what they have answered until then.
    pub fn cancel_batches(&self) -> Result<(), AskError> {
        self.batches.as_ref().map_or(Ok(()), |batches| self.desk(batches).cancel())
    }

    /// Tells the ledger, at the end of the run, what calls cost whose cost it does not know yet.
    pub fn finish(&self) -> Result<(), AskError> {
        Ok(self.turns.finish()?)
    }

    fn desk<'a>(&'a self, batches: &'a Batches) -> Desk<'a> {
        Desk {
            batches,
            journal: &self.journal,
            limiter: &self.limiter,
            turns: &self.turns,
            facts: self.model.facts(),
            board: &self.board,
            settings: &self.settings,
            model: self.model.name(),
            report: &*self.on_batch,
        }
    }

    /// Shows what its calls are doing.
    pub fn watch(&self) -> Watch {
        Watch { limiter: Arc::clone(&self.limiter), board: self.board.clone() }
    }

    /// The answer to a request: from the journal if it is there, whichever model gave it, else from the model. Waits
    /// for a permit, retries where that helps, and returns when the answer is in the journal and on disk.
    ///
    /// The first call with a prefix goes alone until its answer starts to arrive; the others wait for the
    /// provider's cache that it fills.
    pub fn ask(&self, request: &Request) -> Result<ModelAnswer, AskError> {
        let (fingerprint, question) = (self.model.fingerprint(request), request.question());
        let journalled = self.journalled(&fingerprint, &question);
        if let Some(answer) = journalled.map_err(|error| self.cannot_journal(&error))? {
            return Ok(answer);
        }
        let facts = self.model.facts();
        if let Some(batches) = &self.batches {
            batches.put_off(request, &fingerprint, facts.batch_quote(request), &self.limiter)?;
        }
        let cached = Some(&request.prefix).filter(|prefix| facts.is_cached(prefix));
        let mut permit = self.limiter.acquire(facts.quote(request), cached)?;
        let room = self.journal.reserve(facts.answer_bytes(request)).map_err(|error| self.no_room(&error))?;
        let reply = self.call_until_answered(request, &mut permit)?;
        let cost = facts.cost(&reply.usage);
        let answer = ModelAnswer {
            label: request.label.clone(),
            request: fingerprint,
            question,
            model: reply.model,
            text: reply.text,
            stop: reply.stop,
            usage: reply.usage,
            seconds: reply.seconds,
            cost,
            at: clock::now(),
            sample: request.sample,
        };
        room.fill(&answer).map_err(|error| self.cannot_journal(&error))?;
        if facts.price.is_none() {
            self.limiter.count(|totals| totals.unpriced += 1);
        }
        permit.answered(answer.usage, cost, cached);
        Ok(answer)
    }

    /// Whether the journal has any answer.
    pub fn has_answers(&self) -> bool {
        !self.journal.is_empty()
    }

    /// The counts and the cost of the run so far.
    pub fn totals(&self) -> Totals {
        self.limiter.totals()
    }

    /// Whether the journal has an answer to this request, so that it will not be sent.
    pub fn has_answer(&self, request: &Request) -> bool {
        let is_there = |answer: io::Result<Option<_>>| matches!(answer, Ok(Some(_)));
        is_there(self.journal.get(&self.model.fingerprint(request)))
            || (!self.settings.fresh && is_there(self.journal.answer_to(&request.question())))
    }

    /// The answer in the journal, if there is one.
    fn journalled(&self, fingerprint: &str, question: &str) -> io::Result<Option<ModelAnswer>> {
        let mut answer = self.journal.get(fingerprint)?;
        let is_of_another = answer.is_none();
        if is_of_another && !self.settings.fresh {
            answer = self.journal.answer_to(question)?;
        }
        // What this run has fetched in a batch was counted then, and what is asked for while collecting is asked again.
        let is_counted = |answer: &ModelAnswer| {
            self.batches.as_ref().is_some_and(|batches| batches.is_counted(&answer.request))
        };
        if answer.as_ref().is_some_and(|answer| !is_counted(answer)) {
            self.limiter.count(|totals| {
                totals.journalled += 1;
                totals.of_another_model += u64::from(is_of_another);
            });
        }
        Ok(answer)
    }

    fn call_until_answered(&self, request: &Request, permit: &mut Permit<'_>) -> Result<Reply, AskError> {
        let mut attempts = Attempts { since: Instant::now(), all: 0, broken: 0 };
        let note = self.board.note(&request.label);
        loop {
            let turn = self.wait_for_turn(permit, &mut attempts, &note)?;
            let result = self.call(request, permit, &note);
            turn.end(&result, permit.worst(), self.model.facts());
            let error = match result {
                Ok(reply) => {
                    self.limiter.count(|totals| (totals.reached, totals.failures) = (true, 0));
                    return Ok(reply);
                }
                Err(error) => error,
            };
            self.record_failure(&error, permit, &mut attempts);
            if let Some(ended) = self.limiter.ended() {
                return Err(ended);
            }
            let wait = self.wait_before_next(&error, &attempts)?;
            note.retries(wait, &error);
            (self.on_retry)(&Retry { label: &request.label, attempt: attempts.all, error: &error, wait });
            self.limiter.pause(wait)?;
            permit.reserve_again()?;
        }
    }

    fn call(&self, request: &Request, permit: &mut Permit<'_>, note: &Note<'_>) -> Result<Reply, CallError> {
        note.sent();
        self.model.ask(request, &mut || {
            note.heard();
            permit.started();
        })
    }

    /// Waits until it is this call's turn among those of all runs.
    fn wait_for_turn(
        &self,
        permit: &Permit<'_>,
        attempts: &mut Attempts,
        note: &Note<'_>,
    ) -> Result<Turn<'_>, AskError> {
        note.queued();
        let start = Instant::now();
        let turn = self.turns.wait(permit.worst(), || self.limiter.ended().is_some());
        // The wait for other runs does not count against the patience with the provider.
        attempts.since += start.elapsed();
        turn.map_err(|error| self.limiter.end(error))
    }

    /// Records what a failed attempt means for this call and the others.
    fn record_failure(&self, error: &CallError, permit: &mut Permit<'_>, attempts: &mut Attempts) {
        let overloaded = error.fault == Fault::Overload;
        attempts.all += 1;
        attempts.broken += u32::from(!overloaded);
        if error.charged {
            permit.lost();
        }
        if !self.turns.are_shared() && tells_overload(error.fault) {
            permit.narrow();
        }
        self.limiter.count(|totals| totals.reached |= error.fault != Fault::Unreachable);
    }

    /// How long to wait before the next attempt, or why there is none.
    fn wait_before_next(&self, error: &CallError, attempts: &Attempts) -> Result<Duration, AskError> {
        let requested = error.wait.unwrap_or_default();
        let wait = requested.max(self.backoff(attempts.all));
        let retry = match error.fault {
            Fault::Permanent => return Err(self.stop(error)),
            Fault::Rejected if !self.was_answered() => return Err(self.stop(error)),
            Fault::NonRetryable | Fault::Rejected => false,
            Fault::Overload if requested > self.settings.patience => return Err(self.stop(error)),
            Fault::Overload => attempts.since.elapsed() + wait < self.settings.patience,
            Fault::Unreachable if attempts.are_in_vain() && !self.limiter.totals().reached => {
                return Err(self.stop(error));
            }
            Fault::Unreachable | Fault::Slow | Fault::Transient => attempts.broken < self.settings.attempts,
        };
        if retry { Ok(wait) } else { Err(self.give_up(error, attempts.all)) }
    }

    /// Whether any request of the run was answered.
    fn was_answered(&self) -> bool {
        let totals = self.limiter.totals();
        totals.answers + totals.journalled > 0
    }

    /// Ends the run, as every other call would fail the same way.
    fn stop(&self, error: &CallError) -> AskError {
        self.limiter.end(AskError::Stopped { message: error.message.clone(), hint: error.hint.clone() })
    }

    /// Ends this call; after too many failures in a row, the run.
    fn give_up(&self, error: &CallError, attempts: u32) -> AskError {
        self.limiter.count(|totals| totals.failures += 1);
        let failures = self.limiter.totals().failures;
        if failures >= self.settings.max_failures && error.fault != Fault::NonRetryable {
            return self.limiter.end(AskError::Limit(Limit::Failures(failures)));
        }
        let CallError { code, message, hint, .. } = error.clone();
        AskError::GaveUp { code, message, hint, attempts }
    }

    /// A random time between half of and the whole of a time that doubles with each attempt, so that calls
    /// that failed together do not retry together.
    fn backoff(&self, attempts: u32) -> Duration {
        let doubled = self.settings.backoff.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let random = RandomState::new().build_hasher().finish() % 1000;
        doubled.min(MAX_BACKOFF).mul_f64(f64::from(u32::try_from(random).unwrap_or(0)).mul_add(0.0005, 0.5))
    }

    /// Ends the run, as further answers could not be kept. The room for those in flight is reserved.
    fn no_room(&self, error: &io::Error) -> AskError {
        let message = format!("there is no room in the journal for another answer: {error}");
        let hint = "free some space, and run the same command again to resume".to_owned();
        self.limiter.end(AskError::Stopped { message, hint: Some(hint) })
    }

    /// Ends the run after a paid answer could not be kept, as going on would only lose more.
    fn cannot_journal(&self, error: &io::Error) -> AskError {
        let message = format!("cannot keep an answer in the journal: {error}");
        self.limiter.end(AskError::Stopped { message, hint: None })
    }
}

/// The budget of a run, with what the answers in the journal cost and how long they are. The price of an answer that
/// was journalled without one is that of today.
fn budget(model: &dyn Model, journal: &Journal, settings: &CallSettings) -> Budget {
    let history = journal.history();
    let is_same = |name: &str| is_same_model(model.name(), name);
    let cost =
        |paid: &Paid| paid.cost.or_else(|| model.facts().cost(&paid.usage).filter(|_| is_same(&paid.model)));
    let spent: f64 = history.answers().iter().filter_map(cost).sum();
    let mut budget = Budget::new(settings.max_cost, spent + settings.lost_before);
    budget.learn(history, is_same);
    budget
}

/// The attempts at a call so far.
struct Attempts {
    since: Instant,
    all: u32,
    /// Those that failed otherwise than by overload.
    broken: u32,
}

impl Attempts {
    /// Whether a server that did not answer them will answer none.
    fn are_in_vain(&self) -> bool {
        self.broken >= ATTEMPTS_TO_REACH || self.since.elapsed() >= TIME_TO_REACH
    }
}
