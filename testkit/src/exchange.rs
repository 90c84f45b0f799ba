//! Requests to the server and its replies.

use std::time::Duration;

use serde::Serialize;

/// A request that has arrived.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Its number, from 1, in the order of arrival.
    pub number: usize,
    /// The format that it is in.
    pub format: Format,
    /// The requested model.
    pub model: String,
    /// Headers; their names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The path and the query.
    pub path: String,
    /// The text of all parts and messages.
    pub prompt: String,
    /// The length in bytes of the longest prefix that `prompt` shares with an earlier one.
    pub shared_bytes: usize,
    /// The offset in bytes of the cache breakpoint in `prompt`.
    pub breakpoint: Option<usize>,
    /// The limit of output tokens.
    pub max_tokens: Option<u64>,
    /// The body as received.
    #[serde(skip)]
    pub body: serde_json::Value,
}

impl Asked {
    /// The value of a header. The name is in lower case.
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

/// How the server responds to a request.
#[derive(Clone, Debug)]
pub enum Play {
    /// Streams a whole answer.
    Answer(Reply),
    /// Sends the answer as one JSON text, not as a stream.
    Unstreamed(Reply),
    /// Streams half of an answer and closes the connection.
    Cut(Reply),
    /// Streams half of an answer, then stays silent for this time.
    Stall(Reply, Duration),
    /// Streams half of an answer, then an error event in the provider's format.
    ErrorInStream(Reply, String),
    /// Responds with this status, headers and body.
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

/// The answer of the model, and how fast it is sent.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// Why the answer ends.
    pub end: End,
    /// The time until the first piece.
    pub first: Duration,
    /// The time until the last piece.
    pub last: Duration,
    /// The number of pieces.
    pub pieces: usize,
}

impl Reply {
    /// A text that is sent at once, in a few pieces.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), end: End::Finished, first: Duration::ZERO, last: Duration::ZERO, pieces: 4 }
    }

    /// Sets the times until the first and the last piece.
    #[must_use]
    pub fn taking(self, first: Duration, last: Duration) -> Self {
        Self { first, last, ..self }
    }

    /// Sets the reason for the end.
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
    /// A filter of the provider stopped it.
    Filtered,
}

/// A request and its response.
#[derive(Clone, Debug, Serialize)]
pub struct Logged {
    /// The request.
    pub asked: Asked,
    /// The text of the answer, if all of it was sent.
    pub given: Option<String>,
    /// When it arrived, in seconds from the start of the server.
    pub came: f64,
    /// When it was answered, in seconds from the start of the server; `None` until then.
    pub done: Option<f64>,
}
