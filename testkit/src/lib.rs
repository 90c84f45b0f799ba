//! Support for tests and benchmarks, no part of the product: programs that are run to their end ([`Ran`]), and a
//! server on the loopback interface that speaks like the vendors' servers, writes down every request, and can
//! misbehave.
//!
//! ```
//! use testkit::{Answer, Play, Server};
//!
//! let server = Server::start(|asked| Play::Answer(Answer::new(format!("You said: {}", asked.prompt))));
//! // … point GEMINI_BASE_URL, ANTHROPIC_BASE_URL or OPENAI_BASE_URL at server.url(), and ask …
//! assert!(server.log().is_empty());
//! ```

use std::time::Duration;

use serde::Serialize;

pub mod author;
pub mod faults;
mod http;
mod ran;
mod server;
mod wire;
mod workspace;

pub use ran::Ran;
pub use server::Server;
pub use workspace::{ENV, ENV_DIR, ENVIRONMENTS, VERIFIER, Workspace, files_below, names_in};

/// A request that has come.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Its number, from 1, in the order of arrival.
    pub number: usize,
    /// The format that it is in.
    pub format: Format,
    /// The model that is asked for.
    pub model: String,
    /// Headers, with their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The whole text that the model is told, of all parts and messages.
    pub prompt: String,
    /// How many bytes of `prompt` are the beginning of an earlier one as well.
    pub shared_bytes: usize,
    /// Where the caller set a cache breakpoint: after so many bytes of `prompt`.
    pub breakpoint: Option<usize>,
    /// The most tokens that the answer may have.
    pub max_tokens: Option<u64>,
    /// The body as it came.
    #[serde(skip)]
    pub body: serde_json::Value,
}

impl Asked {
    /// The header of this name, in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Anthropic Messages.
    Anthropic,
    /// Gemini `streamGenerateContent`.
    Gemini,
    /// OpenAI chat completions.
    OpenAi,
}

/// What the server does about a request.
#[derive(Clone, Debug)]
pub enum Play {
    /// Streams an answer to its end.
    Answer(Answer),
    /// Gives the answer as one JSON text, not as a stream.
    Unstreamed(Answer),
    /// Streams half of an answer and closes the connection.
    Cut(Answer),
    /// Streams half of an answer and says no more, for so long.
    Stall(Answer, Duration),
    /// Streams half of an answer, then an error event of the vendor's kind.
    ErrorInStream(Answer, String),
    /// Answers with this status, headers and body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Streams without end.
    Endless,
    /// Sends headers without end.
    EndlessHeaders,
    /// Closes the connection at once.
    HangUp,
}

impl Play {
    /// A refusal with a JSON body.
    pub fn refusal(status: u16, body: &serde_json::Value) -> Self {
        Self::Status(status, vec![("content-type", "application/json".to_owned())], body.to_string())
    }
}

/// Something to say.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Why it ends.
    pub end: End,
    /// How long until the first piece.
    pub first: Duration,
    /// How long until the last piece.
    pub last: Duration,
    /// In how many pieces it comes.
    pub pieces: usize,
}

impl Answer {
    /// A text that comes at once, in a few pieces.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), end: End::Finished, first: Duration::ZERO, last: Duration::ZERO, pieces: 4 }
    }

    /// The same, but it takes so long.
    #[must_use]
    pub fn taking(self, first: Duration, last: Duration) -> Self {
        Self { first, last, ..self }
    }

    /// The same, but it ends for another reason.
    #[must_use]
    pub fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is finished.
    Finished,
    /// The limit of tokens is reached.
    Cut,
    /// The model refuses.
    Refused,
    /// The vendor's filter struck.
    Filtered,
}

/// What became of a request.
#[derive(Clone, Debug, Serialize)]
pub struct Logged {
    /// The request.
    pub asked: Asked,
    /// The text of the answer, if all of it was sent.
    pub given: Option<String>,
    /// When it came and when it was done with, in seconds from the server's start.
    pub came: f64,
    /// See `came`; `None` while it is at work.
    pub done: Option<f64>,
}
