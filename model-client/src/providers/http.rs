//! A model behind HTTP: one request, one streamed answer, and limits on both.

use std::io::{self, BufReader, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{HeaderValue, Response, header};
use ureq::{Agent, Body as ResponseBody, SendBody, Timeout};

use super::agent::{BUFFER, Limits, agent, allow_connections};
use super::batch::{LazyClient, Web};
use super::body::Body;
use super::format::{Draft, Format};
use super::key::{self, Key};
use super::refusal::{Refusal, quote};
use super::sse;
use super::transport::Failure;
use crate::facts::ModelFacts;
use crate::model::{CallError, Fault, Model, Reply};
use crate::request::Request;
use crate::settings::CallSettings;

/// The maximum length of a response, in bytes: a hundred times the longest answer of a model.
const MAX_ANSWER: u64 = 64 << 20;
/// The maximum length of the text of an answer, in bytes.
const MAX_TEXT: usize = 8 << 20;
/// The part of an error response that is read, in bytes.
const MAX_REFUSAL: u64 = 64 << 10;
/// The number of events without text in a row that are read after a stop reason: more text or usage may
/// follow, and only a connection that is read to its end can be reused.
const MAX_EMPTY_EVENTS: u32 = 8;

/// A model behind HTTP.
pub(super) struct HttpModel {
    pub(super) format: Box<dyn Format>,
    pub(super) model: String,
    url: String,
    pub(super) key: Key,
    facts: ModelFacts,
    /// Why no call can be made, where that is known beforehand.
    blocked: Option<CallError>,
    /// `None` after an abort.
    agent: Mutex<Option<Agent>>,
    limits: Limits,
    /// Whether the server has answered any call.
    is_reached: AtomicBool,
    batches: LazyClient,
}

impl HttpModel {
    /// The model of this name, below the base URL. Where there is an error in place of a key, every call fails
    /// with it.
    pub(super) fn new(
        format: Box<dyn Format>,
        model: &str,
        base: &str,
        key: Result<Key, CallError>,
        facts: ModelFacts,
        settings: &CallSettings,
    ) -> Self {
        allow_connections(settings.workers);
        let limits = Limits::new(settings.timeouts, &facts);
        let (key, blocked) = match key {
            Ok(key) => (key, None),
            Err(error) => (Key::NotNeeded, Some(error)),
        };
        Self {
            url: format.url(base, model),
            model: model.to_owned(),
            format,
            key,
            facts,
            blocked,
            agent: Mutex::new(Some(agent(settings, limits))),
            limits,
            is_reached: AtomicBool::new(false),
            batches: LazyClient::default(),
        }
    }

    /// The server of the model's batches.
    pub(super) fn web(&self) -> Result<Web<'_>, CallError> {
        match &self.blocked {
            Some(error) => Err(error.clone()),
            None => Web::new(&self.batches, &*self.format, &self.key, &self.url),
        }
    }

    /// The body of a request whose answer is not streamed.
    pub(super) fn unstreamed_body(&self, request: &Request) -> Body {
        let mut template = self.format.body(&self.model, request, &self.facts);
        template.retain(|name, _| name != "stream" && name != "stream_options");
        Body::new(template, request)
    }

    fn body(&self, request: &Request) -> Body {
        Body::new(self.format.body(&self.model, request, &self.facts), request)
    }

    fn send(&self, agent: &Agent, body: &Body) -> Result<Response<ResponseBody>, CallError> {
        let connect = self.limits.connect(self.is_reached.load(Ordering::Relaxed));
        let call = agent.post(&self.url).config();
        let call = call.timeout_resolve(Some(connect)).timeout_connect(Some(connect)).build();
        let mut call = call.header(header::CONTENT_TYPE, "application/json");
        for (name, value) in self.format.headers() {
            call = call.header(*name, *value);
        }
        match &self.key {
            Key::Given(key) => {
                let (name, value) = self.format.key_header(key);
                let mut value = HeaderValue::try_from(value).map_err(|_| bad_key())?;
                value.set_sensitive(true);
                call = call.header(name, value);
            }
            Key::NotNeeded => {}
        }
        let call = call.header(header::CONTENT_LENGTH, body.len());
        let mut reader = body.reader();
        let response = call.send(SendBody::from_reader(&mut reader));
        let response = response.map_err(|error| self.no_response(&error, connect, reader.is_at_end()))?;
        self.is_reached.store(true, Ordering::Relaxed);
        Ok(response)
    }

    /// The error that a response other than 200 means.
    fn refused(&self, mut response: Response<ResponseBody>) -> CallError {
        let mut body = Vec::new();
        // If the body breaks off, only the message suffers.
        drop(response.body_mut().as_reader().take(MAX_REFUSAL).read_to_end(&mut body));
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let refusal = Refusal {
            provider: self.format.provider(),
            status: response.status().as_u16(),
            header: &header,
            body: &String::from_utf8_lossy(&body),
        };
        refusal.classify()
    }

    fn read(&self, response: Response<ResponseBody>, started: &mut dyn FnMut()) -> Result<Reply, CallError> {
        let kind = content_type(&response);
        let mut input = BufReader::with_capacity(BUFFER, response.into_body().into_reader().take(MAX_ANSWER));
        let mut draft = Draft::default();
        let result = match kind {
            Kind::Events => self.read_events(&mut input, &mut draft, started),
            Kind::Json => self.read_json(&mut input, &mut draft),
            Kind::Html => Err(self.web_page()),
            Kind::Other(kind) => Err(self.wrong_kind(&mut input, &kind)),
        };
        // A connection that breaks after the end of the answer does not matter.
        match (draft.stop, result) {
            (None, Err(error)) => Err(error),
            _ => draft.finish(&self.model).ok_or_else(|| self.cut_off("the stream ended")),
        }
    }

    fn read_events(
        &self,
        input: &mut impl io::BufRead,
        draft: &mut Draft,
        started: &mut dyn FnMut(),
    ) -> Result<(), CallError> {
        let mut empty = 0;
        while empty < MAX_EMPTY_EVENTS
            && let Some(data) = sse::next_event(input).map_err(|error| self.broken_stream(error))?
        {
            started();
            if data == "[DONE]" {
                continue;
            }
            let event = serde_json::from_str(&data).map_err(|error| {
                self.cut_off(&format!("an event is not valid JSON ({error}): {}", quote(&data)))
            })?;
            let length = draft.text.len();
            self.take_in(&event, draft)?;
            empty = if draft.stop.is_some() && draft.text.len() == length { empty + 1 } else { 0 };
        }
        Ok(())
    }

    /// Some servers do not stream.
    fn read_json(&self, input: &mut impl Read, draft: &mut Draft) -> Result<(), CallError> {
        let mut text = String::new();
        input.read_to_string(&mut text).map_err(|error| self.broken_stream(error))?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| {
            self.cut_off(&format!("the answer is not valid JSON ({error}): {}", quote(&text)))
        })?;
        self.take_in(&answer, draft)
    }

    /// Gemini sends some events, and answers that are not streamed, in a list.
    fn take_in(&self, event: &Value, draft: &mut Draft) -> Result<(), CallError> {
        let events = match event {
            Value::Array(events) => events.as_slice(),
            event => std::slice::from_ref(event),
        };
        let result = match events.iter().try_for_each(|event| self.format.take_in(event, draft)) {
            Ok(()) if draft.text.len() > MAX_TEXT => Err(self.cut_off("the answer has no end")),
            result => result,
        };
        if result.is_err() {
            // An earlier stop reason must not make the answer complete.
            draft.stop = None;
        }
        result
    }

    /// The response is from a web site, a proxy or a captive portal.
    fn web_page(&self) -> CallError {
        let message = format!("{} answered with a web page", host(&self.url));
        CallError::new(Fault::Unreachable, "unreachable", message)
            .with_hint("check the base URL, and the proxy if there is one")
    }

    fn wrong_kind(&self, input: &mut impl Read, kind: &str) -> CallError {
        let mut text = Vec::new();
        drop(input.take(MAX_REFUSAL).read_to_end(&mut text));
        let text = quote(&String::from_utf8_lossy(&text));
        self.cut_off(&format!("expected a stream of events, got {kind:?}: {text}"))
    }

    /// The answer is incomplete, after the server may have started to charge for it.
    fn cut_off(&self, what: &str) -> CallError {
        let message = format!("{} gave no complete answer: {what}", self.format.provider());
        CallError { charged: true, ..CallError::new(Fault::Transient, "cut_off", message) }
    }

    fn broken_stream(&self, error: io::Error) -> CallError {
        match error.downcast::<ureq::Error>() {
            Ok(ureq::Error::Timeout(timeout)) => CallError {
                fault: Fault::Slow,
                ..self.cut_off(&self.too_slow(timeout, self.limits.connect(true)))
            },
            Ok(error) => self.cut_off(&error.to_string()),
            Err(error) => self.cut_off(&error.to_string()),
        }
    }

    /// The error of a call without a response. `connect` was the time limit of its connection.
    fn no_response(&self, error: &ureq::Error, connect: Duration, is_sent: bool) -> CallError {
        let Failure { fault, code, hint, charged } = Failure::of(error, is_sent);
        let cause = match error {
            ureq::Error::Timeout(timeout) => self.too_slow(*timeout, connect),
            error => error.to_string(),
        };
        let message = format!("cannot ask {} at {}: {cause}", self.format.provider(), host(&self.url));
        let hint = hint.map(str::to_owned);
        CallError { hint, charged, ..CallError::new(fault, code, message) }
    }

    fn too_slow(&self, timeout: Timeout, connect: Duration) -> String {
        let Limits { silence, total, .. } = self.limits;
        match timeout {
            Timeout::Resolve | Timeout::Connect => format!("no connection within {connect:?}"),
            Timeout::RecvResponse => format!("no response within {silence:?}"),
            Timeout::PerRead => format!("nothing came for {silence:?}"),
            Timeout::Global => format!("not finished within {total:?}"),
            other => format!("timeout: {other}"),
        }
    }
}

impl Model for HttpModel {
    fn name(&self) -> &str {
        &self.model
    }

    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn fingerprint(&self, request: &Request) -> String {
        self.body(request).fingerprint(&format!("{} {}", self.format.provider(), self.model), request.sample)
    }

    fn ask(&self, request: &Request, started: &mut dyn FnMut()) -> Result<Reply, CallError> {
        let start = Instant::now();
        let agent = self.agent.lock().ok().and_then(|agent| agent.clone());
        if let Some(error) = &self.blocked {
            return Err(error.clone());
        }
        let agent = agent.ok_or_else(|| CallError::new(Fault::NonRetryable, "aborted", "aborted"))?;
        let result = self.send(&agent, &self.body(request)).and_then(|response| {
            if response.status() == 200 { self.read(response, started) } else { Err(self.refused(response)) }
        });
        match result {
            Ok(reply) => Ok(Reply {
                text: self.key.redact(reply.text, key::MIN_LENGTH_IN_ANSWER),
                seconds: (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
                ..reply
            }),
            Err(error) => Err(CallError {
                message: self.key.redact(error.message, key::MIN_LENGTH_IN_MESSAGE),
                ..error
            }),
        }
    }

    fn abort(&self) {
        let agent = self.agent.lock().ok().and_then(|mut agent| agent.take());
        if let Some(agent) = agent {
            agent.shutdown();
        }
    }
}

/// What a response says it is.
enum Kind {
    Events,
    Json,
    Html,
    Other(String),
}

/// The kind of a response. Servers that do not say are assumed to stream.
fn content_type(response: &Response<ResponseBody>) -> Kind {
    match response.body().mime_type() {
        Some("text/event-stream") | None => Kind::Events,
        Some("application/json") => Kind::Json,
        Some("text/html") => Kind::Html,
        Some(kind) => Kind::Other(kind.to_owned()),
    }
}

fn bad_key() -> CallError {
    CallError::new(Fault::Permanent, "bad_key", "the key contains invalid characters")
}

/// The host of a URL, without credentials.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
