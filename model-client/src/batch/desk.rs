//! Submits batches, waits for them, and has their results fetched.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::fetch::Fetch;
use super::log::{Event, Intent, Item, Open};
use super::service::{Found, Order, Progress, Search};
use super::spool::Spool;
use super::{BatchNews, Batches, is_final};
use crate::activity::Board;
use crate::budget::Short;
use crate::error::{AskError, Limit};
use crate::facts::ModelFacts;
use crate::journal::Journal;
use crate::limiter::Limiter;
use crate::model::{CallError, Fault};
use crate::settings::CallSettings;
use crate::turns::Turns;

/// How often a list of batches is read before what it does not show counts as not submitted. A batch may appear in it
/// a moment after it was accepted.
const LOOKS: u32 = 3;

/// What it takes to settle batches.
pub(crate) struct Desk<'a> {
    pub(crate) batches: &'a Batches,
    pub(crate) journal: &'a Journal,
    pub(crate) limiter: &'a Limiter,
    pub(crate) turns: &'a Turns,
    pub(crate) facts: &'a ModelFacts,
    pub(crate) board: &'a Board,
    pub(crate) settings: &'a CallSettings,
    pub(crate) model: &'a str,
    pub(crate) report: &'a (dyn Fn(&BatchNews) + Send + Sync),
}

impl Desk<'_> {
    /// Submits what was collected, and waits until no batch is open. Returns whether there was one. An interrupt ends
    /// the waiting; the batches go on.
    pub(crate) fn settle(&self) -> Result<bool, AskError> {
        let (spools, mut open, short) = {
            let mut state = self.batches.state();
            let state = &mut *state;
            (mem::take(&mut state.spools), mem::take(&mut state.open), state.short.take())
        };
        for one in &open {
            (self.report)(&BatchNews::Resumed { requests: one.intent.requests.len() });
        }
        let mut is_put_back = false;
        for spool in spools {
            let submitted = self.submit(spool, !open.is_empty())?;
            is_put_back |= submitted.is_none();
            open.extend(submitted);
        }
        if open.is_empty() {
            return match short {
                Some(Short::ForGood(limit)) => Err(self.limiter.end(AskError::Limit(limit))),
                // Live calls may turn out cheaper than what is reserved for them.
                Some(Short::Now) => Ok(true),
                None => Ok(is_put_back),
            };
        }
        let result = self.wait(&mut open);
        self.board.batches(None);
        // Those that are still open are waited for again.
        self.batches.state().open = open;
        result.map(|()| true)
    }

    /// Has the provider cancel the open batches, and fetches what they have answered until then.
    pub(crate) fn cancel(&self) -> Result<(), AskError> {
        let mut open = mem::take(&mut self.batches.state().open);
        let result = self.cancel_each(&mut open).and_then(|()| self.wait(&mut open));
        self.board.batches(None);
        self.batches.state().open = open;
        result
    }

    fn cancel_each(&self, open: &mut Vec<Open>) -> Result<(), AskError> {
        let mut done = vec![0; open.len()];
        let mut index = 0;
        while let Some(one) = open.get(index) {
            let Some(id) = one.id.clone() else {
                self.resolve(open, &mut done, index)?;
                continue;
            };
            self.until_answered(|| match self.batches.service.cancel(&id) {
                // It has ended already.
                Err(error) if matches!(error.fault, Fault::Rejected | Fault::NonRetryable) => Ok(()),
                result => result,
            })?;
            index += 1;
        }
        Ok(())
    }

    /// Submits one batch, as far as the budget of all runs permits. `None` if its requests are to be collected again.
    fn submit(&self, mut spool: Spool, has_open: bool) -> Result<Option<Open>, AskError> {
        if let Some(ended) = self.limiter.ended() {
            return Err(ended);
        }
        if !self.fit(&mut spool, has_open)? {
            return Ok(None);
        }
        let reserved = spool.reserved();
        let (file, bytes, requests) = spool.finish().map_err(|error| self.cannot_write(&error))?;
        let batch = format!("propose-amplify-{}", uuid::Uuid::new_v4().simple());
        let model = self.model.to_owned();
        let intent = Intent { batch, time: Timestamp::now(), model, requests };
        self.append(&Event::Intent(intent.clone()))?;
        if !self.reserve(&intent, reserved)? {
            return Ok(None);
        }
        let mut open = Open { intent, id: None };
        let order = Order { name: &open.intent.batch, file: &file, bytes };
        let patience = Patience::new(self);
        let id = loop {
            let error = match self.batches.service.create(&order) {
                Ok(id) => break Some(id),
                Err(error) => error,
            };
            if error.charged
                && let Some(id) = self.look_up(&open.intent, &[])?
            {
                break Some(id);
            }
            if is_final(&error) {
                break self.not_submitted(&open.intent, &error)?;
            }
            patience.wait(&error)?;
        };
        let Some(id) = id else { return Ok(None) };
        self.submitted(&mut open, id)?;
        (self.report)(&BatchNews::Submitted { requests: open.intent.requests.len(), bytes });
        Ok(Some(open))
    }

    /// Leaves as many requests in a batch as the budget of all runs permits now. Where that is none, waits for other runs,
    /// or for the batches of this one: then none is left, and this returns `false`.
    fn fit(&self, spool: &mut Spool, has_open: bool) -> Result<bool, AskError> {
        loop {
            let room = self.turns.room().map_err(|error| self.limiter.end(error))?;
            let Some(room) = room else { return Ok(true) };
            let affordable = spool.affordable(room.left());
            if affordable > 0 || has_open {
                let others = spool.keep(affordable).map_err(|error| self.cannot_write(&error))?;
                self.release(&others);
                return Ok(affordable > 0);
            }
            if room.reserved <= 0.0 {
                let next = spool.items.first().map_or(0.0, |item| item.reserved);
                let limit = Limit::Budget { max: room.max, spent: room.spent, next };
                return Err(self.limiter.end(AskError::Limit(limit)));
            }
            self.limiter.pause(self.batches.settings.poll)?;
        }
    }

    /// Sets money aside for a batch that is about to be submitted. Another run may have been faster; then the requests
    /// are free again.
    fn reserve(&self, intent: &Intent, amount: f64) -> Result<bool, AskError> {
        let fits =
            self.turns.reserve_batch(&intent.batch, amount).map_err(|error| self.limiter.end(error))?;
        if !fits {
            self.append(&Event::NotSubmitted { batch: intent.batch.clone() })?;
            self.release(&intent.requests);
        }
        Ok(fits)
    }

    /// Reports to all runs what a batch cost, in US dollars.
    fn settle_among_runs(&self, intent: &Intent, cost: f64) -> Result<(), AskError> {
        self.turns.settle_batch(&intent.batch, cost).map_err(|error| self.limiter.end(error))
    }

    fn submitted(&self, open: &mut Open, id: String) -> Result<(), AskError> {
        self.append(&Event::Submitted { batch: open.intent.batch.clone(), id: id.clone() })?;
        open.id = Some(id);
        Ok(())
    }

    /// The provider refuses the batch, which ends the run: it would refuse the next one too.
    fn not_submitted(&self, intent: &Intent, error: &CallError) -> Result<Option<String>, AskError> {
        self.forget(intent)?;
        Err(self.stop(error))
    }

    /// The provider's name for a batch that it may have accepted; `None` if it has not.
    fn look_up(&self, intent: &Intent, claimed: &[String]) -> Result<Option<String>, AskError> {
        let search = Search { name: &intent.batch, since: intent.time, requests: intent.requests.len() };
        for look in 1..=LOOKS {
            match self.until_answered(|| self.batches.service.find(&search))? {
                Found::Named(id) => return Ok(Some(id)),
                Found::Similar(ids) => {
                    for id in ids.iter().filter(|id| !claimed.contains(id)) {
                        if self.is_ours(id, intent)? {
                            return Ok(Some(id.clone()));
                        }
                    }
                }
            }
            if look < LOOKS {
                self.limiter.pause(self.batches.settings.poll)?;
            }
        }
        Ok(None)
    }

    /// Whether the first result of a batch is that of one of our requests. Waits until the batch has ended.
    fn is_ours(&self, id: &str, intent: &Intent) -> Result<bool, AskError> {
        let files = loop {
            match self.until_answered(|| self.batches.service.poll(id))? {
                Progress::Running(_) => self.limiter.pause(self.batches.settings.poll)?,
                Progress::Ended { files, .. } => break files,
            }
        };
        let mut is_ours = false;
        for file in files {
            self.until_answered(|| {
                let mut has_line = false;
                let read = self.batches.service.read(&file, 0, &mut |line| {
                    let mark = self.batches.service.result(line).map(|(mark, _)| mark);
                    is_ours |=
                        mark.is_some_and(|mark| intent.requests.iter().any(|item| item.request == mark));
                    has_line = true;
                    // One line is enough.
                    Err(io::ErrorKind::Interrupted.into())
                });
                if has_line { Ok(()) } else { read }
            })?;
        }
        Ok(is_ours)
    }

    /// Waits until each batch has ended and is fetched.
    fn wait(&self, open: &mut Vec<Open>) -> Result<(), AskError> {
        let mut done = vec![0; open.len()];
        loop {
            let mut index = 0;
            while let Some(one) = open.get(index) {
                let Some(id) = one.id.clone() else {
                    self.resolve(open, &mut done, index)?;
                    continue;
                };
                match self.until_answered(|| self.batches.service.poll(&id))? {
                    Progress::Running(requests) => {
                        done[index] = requests;
                        index += 1;
                    }
                    Progress::Ended { files, why } => {
                        self.fetch(one, &files, &why)?;
                        open.remove(index);
                        done.remove(index);
                    }
                }
            }
            if open.is_empty() {
                return Ok(());
            }
            let all = open.iter().map(|one| one.intent.requests.len() as u64).sum();
            self.board.batches(Some((done.iter().sum(), all)));
            self.limiter.pause(self.batches.settings.poll)?;
        }
    }

    /// Finds out whether a batch of an earlier run was submitted. If it was not, its requests are free again.
    fn resolve(&self, open: &mut Vec<Open>, done: &mut Vec<u64>, index: usize) -> Result<(), AskError> {
        let claimed: Vec<String> = open.iter().filter_map(|one| one.id.clone()).collect();
        if let Some(id) = self.look_up(&open[index].intent, &claimed)? {
            return self.submitted(&mut open[index], id);
        }
        let one = open.remove(index);
        done.remove(index);
        self.forget(&one.intent)
    }

    /// Records that a batch was not submitted. Its requests are free again, and so is what was set aside.
    fn forget(&self, intent: &Intent) -> Result<(), AskError> {
        self.settle_among_runs(intent, 0.0)?;
        self.append(&Event::NotSubmitted { batch: intent.batch.clone() })?;
        self.release(&intent.requests);
        Ok(())
    }

    fn fetch(&self, open: &Open, files: &[String], why: &CallError) -> Result<(), AskError> {
        let mut fetch = Fetch::new(self, &open.intent);
        for file in files {
            fetch.read(file)?;
        }
        let charged = fetch.charged();
        let news = fetch.finish(why);
        self.journal.sync_all().map_err(|error| self.cannot_write(&error))?;
        self.settle_among_runs(&open.intent, charged)?;
        if let BatchNews::Fetched { answers, failed, .. } = news {
            self.append(&Event::Fetched { batch: open.intent.batch.clone(), answers, failed })?;
        }
        (self.report)(&news);
        Ok(())
    }

    /// Frees requests that are in no batch.
    fn release(&self, requests: &[Item]) {
        let mut state = self.batches.state();
        for item in requests {
            if let Some(held) = state.waiting.remove(&item.request) {
                self.limiter.release(held.reservation);
            }
        }
    }

    /// Repeats a call that changes nothing until it is answered.
    pub(super) fn until_answered<T>(
        &self,
        mut call: impl FnMut() -> Result<T, CallError>,
    ) -> Result<T, AskError> {
        let patience = Patience::new(self);
        loop {
            match call() {
                Ok(result) => return Ok(result),
                Err(error) if is_final(&error) => return Err(self.stop(&error)),
                Err(error) => patience.wait(&error)?,
            }
        }
    }

    /// Ends the run. What was submitted stays, and the same command goes on.
    pub(super) fn stop(&self, error: &CallError) -> AskError {
        self.limiter.end(AskError::Stopped { message: error.message.clone(), hint: error.hint.clone() })
    }

    pub(super) fn cannot_write(&self, error: &io::Error) -> AskError {
        let message = format!("cannot keep what is known of a batch: {error}");
        self.limiter.end(AskError::Stopped { message, hint: None })
    }

    fn append(&self, event: &Event) -> Result<(), AskError> {
        self.batches.log.append(event).map_err(|error| self.cannot_write(&error))
    }
}

/// How long a server that fails is asked again.
pub(super) struct Patience<'a> {
    desk: &'a Desk<'a>,
    since: Instant,
}

impl<'a> Patience<'a> {
    pub(super) fn new(desk: &'a Desk<'a>) -> Self {
        Self { desk, since: Instant::now() }
    }

    /// Waits before the next attempt, or ends the run after too long a time.
    pub(super) fn wait(&self, error: &CallError) -> Result<(), AskError> {
        let settings = self.desk.settings;
        let wait = error.wait.unwrap_or_default().max(settings.backoff.min(Duration::from_mins(1)));
        if self.since.elapsed() + wait > settings.patience {
            return Err(self.desk.stop(error));
        }
        self.desk.limiter.pause(wait)
    }
}
