//! A model behind HTTP: one request, one streamed answer, and limits on all that may go wrong between.

use std::io::{self, BufReader, Read};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use ureq::http::{HeaderValue, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body as ResponseBody, SendBody, Timeout};

use super::providers::{Body, Draft, Format, Refusal, quote, sse};
use super::table::Facts;
use super::{CallError, Fault, Model, Reply, Request, Settings, Timeouts};

/// Small buffers: an agent with hundreds of calls in flight has a pair for each.
const BUFFER: usize = 16 * 1024;
/// A whole answer, events and all. A hundred times what a model can say.
const MAX_ANSWER: u64 = 64 << 20;
/// The text of an answer, in bytes.
const MAX_TEXT: usize = 8 << 20;
/// What is read of a response that is no answer.
const MAX_REFUSAL: u64 = 64 << 10;
/// The shortest key that is struck out of messages, and of answers, which are not to be damaged.
const KEY_IN_MESSAGE: usize = 6;
const KEY_IN_ANSWER: usize = 12;
/// Files that a process has open beside its connections.
const OTHER_FILES: u64 = 128;
/// Events that are read after the one that says why the answer ended: usage may follow, and a connection
/// that is read to its end can be used again.
const MAX_EVENTS_AFTER: u32 = 8;

/// A model behind HTTP.
pub(super) struct Http {
    format: Box<dyn Format>,
    model: String,
    url: String,
    key: Key,
    facts: Facts,
    /// Taken away when everything is abandoned.
    agent: Mutex<Option<Agent>>,
    timeouts: Timeouts,
}

/// A key. It goes into one header and nowhere else.
pub(super) enum Key {
    Given(String),
    NotNeeded,
    /// The variable that should hold it does not.
    Missing(&'static str),
}

impl Key {
    pub(super) fn new(key: &str) -> Self {
        Self::Given(key.trim().to_owned())
    }

    /// `text` without the key, in case a server gives it back. Keys shorter than `least` bytes are no secrets:
    /// people give `x` or `test` to servers of their own, and such words may stand anywhere.
    fn strike(&self, text: String, least: usize) -> String {
        match self {
            Self::Given(key) if key.len() >= least && text.contains(key) => text.replace(key, "[key]"),
            _ => text,
        }
    }
}

impl Http {
    pub(super) fn new(
        format: Box<dyn Format>,
        model: &str,
        base: &str,
        key: Key,
        facts: Facts,
        settings: &Settings,
    ) -> Self {
        allow_connections(settings.workers);
        Self {
            url: format.url(base, model),
            model: model.to_owned(),
            format,
            key,
            facts,
            agent: Mutex::new(Some(agent(settings))),
            timeouts: settings.timeouts,
        }
    }

    fn body(&self, request: &Request) -> Body {
        Body::new(self.format.body(&self.model, request, &self.facts), request)
    }

    fn send(&self, agent: &Agent, body: &Body) -> Result<Response<ResponseBody>, CallError> {
        let mut call = agent.post(&self.url).header(header::CONTENT_TYPE, "application/json");
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
            Key::Missing(variable) => return Err(no_key(&self.model, variable)),
        }
        let call = call.header(header::CONTENT_LENGTH, body.len());
        call.send(SendBody::from_reader(&mut body.reader())).map_err(|error| self.broken(&error))
    }

    /// What a response that is no answer means.
    fn refused(&self, mut response: Response<ResponseBody>) -> CallError {
        let mut body = Vec::new();
        // What cannot be read any more is missing from the message, no more.
        drop(response.body_mut().as_reader().take(MAX_REFUSAL).read_to_end(&mut body));
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let refusal = Refusal {
            vendor: self.format.vendor(),
            status: response.status().as_u16(),
            header: &header,
            body: &String::from_utf8_lossy(&body),
        };
        refusal.judge()
    }

    fn read(&self, response: Response<ResponseBody>, begun: &mut dyn FnMut()) -> Result<Reply, CallError> {
        let kind = content_type(&response);
        let mut input = BufReader::with_capacity(BUFFER, response.into_body().into_reader().take(MAX_ANSWER));
        let mut draft = Draft::default();
        let result = match kind {
            Kind::Events => self.read_events(&mut input, &mut draft, begun),
            Kind::Json => self.read_json(&mut input, &mut draft),
            Kind::Other(kind) => Err(self.wrong_kind(&mut input, &kind)),
        };
        // What breaks after the last word of the answer does not matter any more.
        match (draft.stop, result) {
            (None, Err(error)) => Err(error),
            _ => draft.finish(&self.model).ok_or_else(|| self.cut_off("the stream ended")),
        }
    }

    fn read_events(
        &self,
        input: &mut impl io::BufRead,
        draft: &mut Draft,
        begun: &mut dyn FnMut(),
    ) -> Result<(), CallError> {
        let mut after = 0;
        while after < MAX_EVENTS_AFTER
            && let Some(data) = sse::next_event(input).map_err(|error| self.broken_stream(error))?
        {
            begun();
            after += u32::from(draft.stop.is_some());
            if data == "[DONE]" {
                continue;
            }
            let event = serde_json::from_str(&data)
                .map_err(|error| self.cut_off(&format!("an event is no JSON ({error}): {}", quote(&data))))?;
            self.take_in(&event, draft)?;
        }
        Ok(())
    }

    /// Some servers do not stream.
    fn read_json(&self, input: &mut impl Read, draft: &mut Draft) -> Result<(), CallError> {
        let mut text = String::new();
        input.read_to_string(&mut text).map_err(|error| self.broken_stream(error))?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|error| self.cut_off(&format!("the answer is no JSON ({error}): {}", quote(&text))))?;
        let events = match &answer {
            Value::Array(events) => events.as_slice(),
            event => std::slice::from_ref(event),
        };
        events.iter().try_for_each(|event| self.take_in(event, draft))
    }

    fn take_in(&self, event: &Value, draft: &mut Draft) -> Result<(), CallError> {
        self.format.take_in(event, draft)?;
        if draft.text.len() > MAX_TEXT {
            // Not to be rescued by a stop reason in the same event.
            draft.stop = None;
            return Err(self.cut_off("the answer has no end"));
        }
        Ok(())
    }

    fn wrong_kind(&self, input: &mut impl Read, kind: &str) -> CallError {
        let mut text = Vec::new();
        drop(input.take(MAX_REFUSAL).read_to_end(&mut text));
        let text = quote(&String::from_utf8_lossy(&text));
        self.cut_off(&format!("expected a stream of events, got {kind:?}: {text}"))
    }

    /// The answer came to no end, after the server had begun to charge for it.
    fn cut_off(&self, what: &str) -> CallError {
        let message = format!("{} gave no complete answer: {what}", self.format.vendor());
        CallError { charged: true, ..CallError::new(Fault::Passing, "cut_off", message) }
    }

    fn broken_stream(&self, error: io::Error) -> CallError {
        match error.downcast::<ureq::Error>() {
            Ok(ureq::Error::Timeout(timeout)) => {
                CallError { fault: Fault::Slow, ..self.cut_off(&self.too_slow(timeout)) }
            }
            Ok(error) => self.cut_off(&error.to_string()),
            Err(error) => self.cut_off(&error.to_string()),
        }
    }

    /// No response came.
    fn broken(&self, error: &ureq::Error) -> CallError {
        use ureq::Error as E;
        let vendor = self.format.vendor();
        let (fault, code, charged) = match error {
            E::HostNotFound | E::ConnectionFailed | E::Timeout(Timeout::Connect | Timeout::Resolve) => {
                (Fault::Unreachable, "unreachable", false)
            }
            E::Io(error) if is_refused(error) => (Fault::Unreachable, "unreachable", false),
            E::Tls(_) | E::Rustls(_) | E::ConnectProxyFailed(_) => (Fault::Unreachable, "unreachable", false),
            E::Timeout(_) => (Fault::Slow, "cut_off", true),
            E::BadUri(_) | E::InvalidProxyUrl | E::Http(_) => (Fault::Permanent, "bad_address", false),
            _ => (Fault::Passing, "cut_off", true),
        };
        let what = match error {
            E::Timeout(timeout) => self.too_slow(*timeout),
            error => error.to_string(),
        };
        let message = format!("cannot ask {vendor} at {}: {what}", host(&self.url));
        CallError { charged, ..CallError::new(fault, code, message) }
    }

    fn too_slow(&self, timeout: Timeout) -> String {
        let Timeouts { connect, first_byte, idle, total } = self.timeouts;
        match timeout {
            Timeout::Resolve | Timeout::Connect => format!("no connection within {connect:?}"),
            Timeout::RecvResponse => format!("no response within {first_byte:?}"),
            Timeout::PerRead => format!("nothing came for {idle:?}"),
            Timeout::Global => format!("not finished within {total:?}"),
            other => format!("timeout: {other}"),
        }
    }
}

impl Model for Http {
    fn name(&self) -> &str {
        &self.model
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn fingerprint(&self, request: &Request) -> String {
        self.body(request).fingerprint(&format!("{} {}", self.format.vendor(), self.model), request.sample)
    }

    fn ask(&self, request: &Request, begun: &mut dyn FnMut()) -> Result<Reply, CallError> {
        let started = Instant::now();
        let agent = self.agent.lock().ok().and_then(|agent| agent.clone());
        let agent = agent.ok_or_else(|| CallError::new(Fault::Hopeless, "abandoned", "abandoned"))?;
        let result = self.send(&agent, &self.body(request)).and_then(|response| {
            if response.status() == 200 { self.read(response, begun) } else { Err(self.refused(response)) }
        });
        match result {
            Ok(reply) => Ok(Reply {
                text: self.key.strike(reply.text, KEY_IN_ANSWER),
                seconds: (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
                ..reply
            }),
            Err(error) => Err(CallError { message: self.key.strike(error.message, KEY_IN_MESSAGE), ..error }),
        }
    }

    fn abandon(&self) {
        let agent = self.agent.lock().ok().and_then(|mut agent| agent.take());
        if let Some(agent) = agent {
            agent.shutdown();
        }
    }
}

fn agent(settings: &Settings) -> Agent {
    let Timeouts { connect, first_byte, idle, total } = settings.timeouts;
    Agent::config_builder()
        .http_status_as_error(false)
        // A redirect would take the key to another server.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("propose-amplify/", env!("CARGO_PKG_VERSION")))
        .accept("text/event-stream, application/json")
        // Packed streams come in lumps.
        .accept_encoding("identity")
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(first_byte))
        .timeout_per_read(Some(idle))
        .timeout_global(Some(total))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_idle_connections(settings.workers)
        .max_idle_connections_per_host(settings.workers)
        .max_idle_age(Duration::from_secs(30))
        // The system's certificates: companies have their own.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .new_agent()
}

/// Lets the process have so many connections open, as far as it may decide that.
fn allow_connections(workers: usize) {
    let limits = getrlimit(Resource::Nofile);
    let wanted = (workers as u64).saturating_add(OTHER_FILES);
    if limits.current.is_some_and(|current| current < wanted) {
        let current = limits.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // If it is refused, calls will fail with a message of their own.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limits });
    }
}

enum Kind {
    Events,
    Json,
    Other(String),
}

/// What the response says it is. Servers that say nothing are believed to stream.
fn content_type(response: &Response<ResponseBody>) -> Kind {
    match response.body().mime_type() {
        Some("text/event-stream") | None => Kind::Events,
        Some("application/json") => Kind::Json,
        Some(kind) => Kind::Other(kind.to_owned()),
    }
}

fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionRefused
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::AddrNotAvailable
            | K::NotConnected
    )
}

fn bad_key() -> CallError {
    CallError::new(Fault::Permanent, "bad_key", "the key has characters in it that no key has")
}

fn no_key(model: &str, variable: &str) -> CallError {
    CallError::new(Fault::Permanent, "no_key", format!("no key for {model}: set {variable}"))
}

/// The host in an address, without what may be secret about it.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
