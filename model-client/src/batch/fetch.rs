//! Puts the results of a batch into the journal, line by line as they arrive.

use std::collections::HashMap;
use std::io;
use std::mem;

use common::clock;
use common::record::ModelAnswer;

use super::desk::{Desk, Patience};
use super::log::{Intent, Item};
use super::{BatchNews, is_final};
use crate::error::AskError;
use crate::model::{CallError, Reply};

/// How often a file is read again that ends before it should.
const READS: u32 = 3;

/// The results of a batch, as they arrive.
pub(super) struct Fetch<'a> {
    desk: &'a Desk<'a>,
    /// The requests without a result, by their fingerprint.
    missing: HashMap<&'a str, &'a Item>,
    answers: u64,
    cost: f64,
    /// The same, with what was reserved for answers of unknown cost.
    charged: f64,
    failed: Vec<(&'a Item, CallError)>,
    /// Why the run has to end.
    ended: Option<AskError>,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(desk: &'a Desk<'a>, intent: &'a Intent) -> Self {
        let missing = intent.requests.iter().map(|item| (item.request.as_str(), item)).collect();
        Self { desk, missing, answers: 0, cost: 0.0, charged: 0.0, failed: Vec::new(), ended: None }
    }

    /// Reads a result file to its end. A download that breaks off goes on where it was.
    pub(super) fn read(&mut self, file: &str) -> Result<(), AskError> {
        let service = &*self.desk.batches.service;
        let mut offset = 0;
        let mut reads = 0;
        let mut patience = Patience::new(self.desk);
        loop {
            let start = offset;
            let result = service.read(file, offset, &mut |line| {
                self.take(line)?;
                offset += line.len() as u64;
                Ok(())
            });
            if let Some(ended) = self.ended.take() {
                return Err(ended);
            }
            if offset > start {
                patience = Patience::new(self.desk);
            }
            match result {
                Ok(()) => {
                    reads += 1;
                    // A file that is cut at the end of a line looks whole.
                    if self.missing.is_empty() || reads == READS || offset == start {
                        return Ok(());
                    }
                }
                Err(error) if is_final(&error) => return Err(self.desk.stop(&error)),
                Err(error) => patience.wait(&error)?,
            }
        }
    }

    /// Takes one line of results. An error breaks the download off.
    fn take(&mut self, line: &[u8]) -> io::Result<()> {
        if let Some(ended) = self.desk.limiter.ended() {
            self.ended = Some(ended);
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some((mark, result)) = self.desk.batches.service.result(line) else {
            // Half a line is read again; a whole one that says nothing is passed over.
            return if line.ends_with(b"\n") { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        };
        let Some(item) = self.missing.remove(mark.as_str()) else { return Ok(()) };
        match result {
            Ok(reply) => self.keep(item, reply),
            Err(error) => {
                self.failed.push((item, error));
                Ok(())
            }
        }
    }

    /// Journals an answer, without waiting for the disk: until all of them are there, the batch is not fetched. Nothing
    /// is done if a run that was killed while it fetched has journalled it.
    fn keep(&mut self, item: &Item, reply: Reply) -> io::Result<()> {
        let Desk { journal, limiter, facts, batches, .. } = self.desk;
        let (usage, cost) = (reply.usage, facts.batch_cost(&reply.usage));
        let answer = ModelAnswer {
            label: item.label.clone(),
            request: item.request.clone(),
            question: item.question.clone(),
            model: reply.model,
            text: reply.text,
            stop: reply.stop,
            usage,
            seconds: 0.0,
            cost,
            sample: item.sample,
            at: clock::now(),
        };
        let known = journal.get(&item.request).map(|known| known.is_some());
        let kept =
            known.and_then(
                |known| if known { Ok(false) } else { journal.append_unsynced(&answer).map(|()| true) },
            );
        let is_new = match kept {
            Ok(is_new) => is_new,
            Err(error) => {
                self.ended = Some(self.desk.cannot_write(&error));
                return Err(io::ErrorKind::Interrupted.into());
            }
        };
        self.answers += 1;
        self.cost += cost.unwrap_or_default();
        self.charged += cost.unwrap_or(item.reserved);
        let mut state = batches.state();
        let held = state.waiting.remove(&item.request);
        if !is_new {
            // It was counted when the journal was opened.
            if let Some(held) = held {
                limiter.release(held.reservation);
            }
            return Ok(());
        }
        if let Some(held) = held {
            limiter.settle(held.reservation, &held.quote, usage, cost);
        }
        state.fetched.insert(item.request.clone());
        if facts.price.is_none() {
            limiter.count(|totals| totals.unpriced += 1);
        }
        Ok(())
    }

    /// What the answers cost, or may have cost, in US dollars.
    pub(super) fn charged(&self) -> f64 {
        self.charged
    }

    /// Frees the requests without an answer, to be asked again. `why` is the reason of those without a result.
    pub(super) fn finish(mut self, why: &CallError) -> BatchNews {
        let missing = mem::take(&mut self.missing).into_values().map(|item| (item, why.clone()));
        let mut failed = mem::take(&mut self.failed);
        failed.extend(missing);
        let mut state = self.desk.batches.state();
        for (item, error) in &failed {
            if let Some(held) = state.waiting.remove(&item.request) {
                self.desk.limiter.release(held.reservation);
            }
            let (attempts, last) = state.failed.entry(item.request.clone()).or_insert((0, error.clone()));
            *attempts += 1;
            *last = error.clone();
        }
        BatchNews::Fetched {
            answers: self.answers,
            failed: failed.len() as u64,
            cost: self.cost,
            why: failed.first().map(|(_, error)| error.message.clone()),
        }
    }
}
