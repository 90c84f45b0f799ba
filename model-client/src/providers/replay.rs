//! A model without network: its answers come from a journal, by label and sample number.

use std::io;
use std::path::Path;

use common::fingerprint;

use crate::facts::ModelFacts;
use crate::journal::ByLabel;
use crate::model::{CallError, Fault, Model, Reply};
use crate::pricing::Price;
use crate::request::Request;

/// Answers from a journal.
pub(super) struct Replay {
    answers: ByLabel,
    facts: ModelFacts,
}

impl Replay {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            answers: ByLabel::open(path)?,
            facts: ModelFacts { price: Some(Price::free()), ..ModelFacts::default() },
        })
    }

    fn no_answer(&self, request: &Request) -> CallError {
        let path = self.answers.path().display();
        let message = format!("{path} has no answer labelled {:?}, sample {}", request.label, request.sample);
        CallError::new(Fault::NonRetryable, "no_such_answer", message)
    }
}

impl Model for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn fingerprint(&self, request: &Request) -> String {
        let Request { label, prefix, suffix, sample, max_output_tokens: _ } = request;
        fingerprint::sha256_hex(format!("replay\n{label}\n{sample}\n{}{suffix}", &**prefix).as_bytes())
    }

    fn ask(&self, request: &Request, started: &mut dyn FnMut()) -> Result<Reply, CallError> {
        started();
        match self.answers.get(&request.label, request.sample) {
            Ok(Some(answer)) => Ok(Reply {
                model: answer.model,
                text: answer.text,
                stop: answer.stop,
                usage: answer.usage,
                seconds: answer.seconds,
            }),
            Ok(None) => Err(self.no_answer(request)),
            Err(error) => Err(CallError::new(Fault::NonRetryable, "no_such_answer", error.to_string())),
        }
    }
}
