//! The batches of each provider: how they are started, listed and read.
//!
//! The files move with reqwest, which streams them in both directions.

mod anthropic;
mod gemini;
mod openai;
mod web;

use std::io::{self, BufRead as _, Read as _, Write};

use common::record::Usage;
use serde_json::Value;

pub(super) use self::anthropic::AnthropicBatches;
pub(super) use self::gemini::GeminiBatches;
pub(super) use self::openai::OpenAiBatches;
pub(super) use self::web::{LazyClient, Web};

use super::format::{Draft, error_in_stream};
use super::http::HttpModel;
use super::key::MIN_LENGTH_IN_ANSWER;
use crate::batch::{BatchLimits, BatchService, Found, Framing, Order, Progress, Search};
use crate::model::{CallError, Fault, Reply};
use crate::request::Request;

/// The longest line of results that is read, in bytes.
const MAX_LINE: usize = 64 << 20;

/// The batches of one provider, by its API reference; see each.
pub(super) trait Batches: Send + Sync {
    fn limits(&self) -> BatchLimits;

    fn framing(&self) -> Framing;

    /// What stands before and after the body of a request that has this mark.
    fn around(&self, mark: &str) -> (String, &'static str);

    fn create(&self, web: &Web<'_>, order: &Order<'_>) -> Result<String, CallError>;

    fn find(&self, web: &Web<'_>, search: &Search<'_>) -> Result<Found, CallError>;

    fn poll(&self, web: &Web<'_>, id: &str) -> Result<Progress, CallError>;

    /// The URL to which a request to cancel a batch is posted.
    fn cancel_url(&self, web: &Web<'_>, id: &str) -> String;

    /// The URL of a result file.
    fn file_url(&self, web: &Web<'_>, file: &str) -> String;

    /// The mark of a line of results, and what it says.
    fn result(&self, line: Value) -> Option<(String, Said)>;
}

/// What a line of results says.
pub(super) enum Said {
    /// The answer, as it would have been without a stream.
    Answer(Value),
    /// The provider refused the request: the status, and the error.
    Refused(u16, Value),
    /// The provider did not get to it.
    NotReached(&'static str),
}

impl BatchService for HttpModel {
    fn limits(&self) -> BatchLimits {
        self.format.batches().limits()
    }

    fn framing(&self) -> Framing {
        self.format.batches().framing()
    }

    fn write(&self, request: &Request, mark: &str, output: &mut dyn Write) -> io::Result<()> {
        let (before, after) = self.format.batches().around(mark);
        output.write_all(before.as_bytes())?;
        io::copy(&mut self.unstreamed_body(request).reader(), output)?;
        output.write_all(after.as_bytes())
    }

    fn create(&self, order: &Order<'_>) -> Result<String, CallError> {
        self.format.batches().create(&self.web()?, order)
    }

    fn find(&self, search: &Search<'_>) -> Result<Found, CallError> {
        self.format.batches().find(&self.web()?, search)
    }

    fn poll(&self, id: &str) -> Result<Progress, CallError> {
        self.format.batches().poll(&self.web()?, id)
    }

    fn cancel(&self, id: &str) -> Result<(), CallError> {
        let web = self.web()?;
        web.post_nothing(&self.format.batches().cancel_url(&web, id))
    }

    fn read(
        &self,
        file: &str,
        offset: u64,
        line: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), CallError> {
        let web = self.web()?;
        let (mut input, skip) = web.download(&self.format.batches().file_url(&web, file), offset)?;
        let skipped = io::copy(&mut input.by_ref().take(skip), &mut io::sink());
        skipped.and_then(|_| each_line(&mut input, line)).map_err(|error| web.broken(&error))
    }

    fn result(&self, line: &[u8]) -> Option<(String, Result<Reply, CallError>)> {
        let (mark, said) = self.format.batches().result(serde_json::from_slice(line).ok()?)?;
        let result = match said {
            Said::Answer(answer) => self.whole(&answer),
            Said::Refused(status, error) => {
                Err(CallError { charged: false, ..error_in_stream(self.format.provider(), status, &error) })
            }
            Said::NotReached(why) => Err(not_reached(why)),
        };
        Some((mark, result))
    }
}

impl HttpModel {
    /// An answer that was not streamed.
    fn whole(&self, answer: &Value) -> Result<Reply, CallError> {
        let mut draft = Draft::default();
        self.format.take_in(answer, &mut draft)?;
        let usage: Usage = draft.usage;
        let reply = draft.finish(&self.model).ok_or_else(|| {
            let message = format!("{} gave no complete answer in a batch", self.format.provider());
            CallError {
                charged: usage != Usage::default(),
                ..CallError::new(Fault::Transient, "cut_off", message)
            }
        })?;
        Ok(Reply { text: self.key.redact(reply.text, MIN_LENGTH_IN_ANSWER), ..reply })
    }
}

/// The provider did not get to a request.
pub(super) fn not_reached(why: &'static str) -> CallError {
    CallError::new(Fault::Transient, why, format!("the batch ended before its turn ({why})"))
}

/// Calls `take` with each line of `input`. The last one may lack its line feed.
fn each_line(input: &mut impl io::BufRead, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() == MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of results has no end"));
        }
        take(&line)?;
    }
}
