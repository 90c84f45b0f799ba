//! What a provider knows of a request: for whom, how it ended, and what it charges.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::{Value, json};

use crate::exchange::{Asked, Play, Reply};
use crate::wire::Tokens;

/// A line of the bill.
pub(crate) struct Line {
    came: f64,
    /// The key that it came with.
    key: String,
    /// Equal for equal requests.
    request: u64,
    outcome: &'static str,
    /// What is charged if the answer is sent whole.
    whole: Tokens,
    /// What is charged if it is not, but was started.
    part: Tokens,
}

impl Line {
    /// The line of a request that arrived after `came` seconds, and that `play` is the response to.
    pub(crate) fn of(asked: &Asked, play: &Play, came: f64) -> Self {
        let (outcome, reply) = outcome(play);
        let text = reply.map_or("", |reply| reply.text.as_str());
        let charged = |text: &str| if reply.is_some() { Tokens::of(asked, text) } else { Tokens::default() };
        let half = text.get(..text.floor_char_boundary(text.len() / 2)).unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        (&asked.prompt, &asked.path).hash(&mut hasher);
        Self {
            came,
            key: key(asked).to_owned(),
            request: hasher.finish(),
            outcome,
            whole: charged(text),
            part: charged(half),
        }
    }

    /// The line, once the response has ended.
    pub(crate) fn ended(&self, is_whole: bool, done: f64) -> Value {
        let tokens = if is_whole { &self.whole } else { &self.part };
        json!({
            "came": self.came, "done": done, "key": self.key, "request": format!("{:016x}", self.request),
            "outcome": self.outcome, "whole": is_whole, "input": tokens.input, "output": tokens.billed_output(),
        })
    }
}

/// The key of a request; empty if it has none.
fn key(asked: &Asked) -> &str {
    let headers = ["x-goog-api-key", "x-api-key", "authorization"];
    headers.into_iter().find_map(|header| asked.header(header)).unwrap_or_default()
}

/// The name of a response, and the answer that it starts to send.
fn outcome(play: &Play) -> (&'static str, Option<&Reply>) {
    match play {
        Play::Answer(reply) | Play::Unstreamed(reply) => ("answer", Some(reply)),
        Play::Cut(reply) => ("cut", Some(reply)),
        Play::Stall(reply, _) => ("hang", Some(reply)),
        Play::ErrorInStream(reply, _) => ("error", Some(reply)),
        Play::Status(429, ..) => ("rejected", None),
        _ => ("refused", None),
    }
}
