//! Requests about batches: small ones in JSON, and files.

use std::io::{self, BufReader, Read, Seek};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use fs_err::File;
use reqwest::blocking::multipart::{Form, Part};
use reqwest::blocking::{Body, Client, RequestBuilder, Response};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use reqwest::{StatusCode, redirect};
use serde_json::Value;

use crate::batch::Order;
use crate::model::{CallError, Fault};
use crate::providers::format::{Format, text_at};
use crate::providers::http::host;
use crate::providers::key::{Key, MIN_LENGTH_IN_MESSAGE};
use crate::providers::refusal::Refusal;

/// The longest response that is not a file, in bytes.
const MAX_RESPONSE: u64 = 64 << 20;
/// How long a response, or the next piece of a file, may take.
const SILENCE: Duration = Duration::from_mins(5);
/// The slowest upload that is not given up, in bytes per second.
const SLOWEST_UPLOAD: u64 = 100_000;
/// The buffer of a download, in bytes.
const BUFFER: usize = 256 << 10;

/// Opens connections when they are needed: most runs have no batches.
#[derive(Default)]
pub(in crate::providers) struct LazyClient(OnceLock<Result<Client, String>>);

impl LazyClient {
    fn get(&self) -> Result<&Client, CallError> {
        let client = self.0.get_or_init(|| client().map_err(|error| describe(&error)));
        client.as_ref().map_err(|error| CallError::new(Fault::Permanent, "no_client", error.clone()))
    }
}

fn client() -> reqwest::Result<Client> {
    static PROVIDER: Once = Once::new();
    // An error means that there is one already.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Client::builder()
        // A redirect would send the key to another server.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("propose-amplify/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(30))
        .timeout(SILENCE)
        .build()
}

/// A server of batches.
pub(in crate::providers) struct Web<'a> {
    client: &'a Client,
    format: &'a dyn Format,
    key: &'a Key,
    /// The URL of calls to the model.
    pub(super) url: &'a str,
}

/// A response that is not a file.
pub(super) struct Answered {
    headers: HeaderMap,
    pub(super) json: Value,
}

impl Answered {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }
}

impl<'a> Web<'a> {
    pub(in crate::providers) fn new(
        client: &'a LazyClient,
        format: &'a dyn Format,
        key: &'a Key,
        url: &'a str,
    ) -> Result<Self, CallError> {
        Ok(Self { client: client.get()?, format, key, url })
    }

    pub(super) fn get(&self, url: &str) -> Result<Value, CallError> {
        Ok(self.answered(self.client.get(url), url)?.json)
    }

    pub(super) fn post(&self, url: &str, body: &Value) -> Result<Value, CallError> {
        Ok(self.post_with(url, &[], body)?.json)
    }

    /// Posts an empty body, and ignores what is answered.
    pub(super) fn post_nothing(&self, url: &str) -> Result<(), CallError> {
        self.answered(self.client.post(url).body(""), url).map(drop)
    }

    /// Posts JSON with further headers.
    pub(super) fn post_with(
        &self,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &Value,
    ) -> Result<Answered, CallError> {
        let call = with_headers(self.client.post(url), headers);
        self.answered(call.header(CONTENT_TYPE, "application/json").body(body.to_string()), url)
    }

    /// Posts the file as it is.
    pub(super) fn post_file(
        &self,
        url: &str,
        kind: &'static str,
        headers: &[(&'static str, &str)],
        order: &Order<'_>,
    ) -> Result<Answered, CallError> {
        let call = with_headers(self.client.post(url), headers).header(CONTENT_TYPE, kind);
        let body = Body::sized(Self::reader(order)?, order.bytes);
        self.answered(call.body(body).timeout(upload_time(order)), url)
    }

    /// Posts the file as a part of a form.
    pub(super) fn post_form(
        &self,
        url: &str,
        fields: &[(&'static str, &'static str)],
        order: &Order<'_>,
    ) -> Result<Value, CallError> {
        let part = Part::reader_with_length(Self::reader(order)?, order.bytes)
            .file_name(format!("{}.jsonl", order.name));
        let form = fields.iter().fold(Form::new(), |form, (name, value)| form.text(*name, *value));
        let call = self.client.post(url).multipart(form.part("file", part));
        Ok(self.answered(call.timeout(upload_time(order)), url)?.json)
    }

    /// A file from the byte `offset` on, and the number of bytes at its start that are before it after all: not every
    /// server can start in the middle.
    pub(super) fn download(&self, url: &str, offset: u64) -> Result<(BufReader<Response>, u64), CallError> {
        let call = self.client.get(url);
        let call = if offset > 0 { call.header(RANGE, format!("bytes={offset}-")) } else { call };
        let response = self.send(call, url)?;
        let skip = if response.status() == StatusCode::PARTIAL_CONTENT { 0 } else { offset };
        Ok((BufReader::with_capacity(BUFFER, response), skip))
    }

    /// The text at `pointer`, without which the response has no meaning.
    pub(super) fn text(&self, json: &Value, pointer: &str) -> Result<String, CallError> {
        let text = text_at(json, pointer).filter(|text| is_plain(text)).map(str::to_owned);
        text.ok_or_else(|| self.unexpected(&format!("a response without {pointer}")))
    }

    /// The server has done what was asked, but what it says about it is not understood.
    pub(super) fn unexpected(&self, what: &str) -> CallError {
        let message = format!("{} sent {what}", self.format.provider());
        CallError { charged: true, ..CallError::new(Fault::Transient, "unexpected_response", message) }
    }

    /// A download broke off.
    pub(super) fn broken(&self, error: &io::Error) -> CallError {
        let message = format!("a file of {} broke off: {error}", self.format.provider());
        CallError::new(Fault::Transient, "cut_off", message)
    }

    fn answered(&self, call: RequestBuilder, url: &str) -> Result<Answered, CallError> {
        let response = self.send(call, url)?;
        let headers = response.headers().clone();
        let mut text = Vec::new();
        response.take(MAX_RESPONSE).read_to_end(&mut text).map_err(|_| self.unexpected("half a response"))?;
        let json = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&text) };
        let json = json.map_err(|_| self.unexpected("a response that is not JSON"))?;
        Ok(Answered { headers, json })
    }

    fn send(&self, call: RequestBuilder, url: &str) -> Result<Response, CallError> {
        let response = self.authorized(call, url)?.send().map_err(|error| self.no_response(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response)) }
    }

    /// The call with the headers of every request, and with the key if it goes to the server that the key is for.
    fn authorized(&self, mut call: RequestBuilder, url: &str) -> Result<RequestBuilder, CallError> {
        for (name, value) in self.format.headers() {
            call = call.header(*name, *value);
        }
        let Key::Given(key) = self.key else { return Ok(call) };
        if host(url) != host(self.url) {
            return Ok(call);
        }
        let (name, value) = self.format.key_header(key);
        let value = HeaderValue::try_from(value);
        let mut value = value.map_err(|_| {
            CallError::new(Fault::Permanent, "bad_key", "the key contains invalid characters")
        })?;
        value.set_sensitive(true);
        Ok(call.header(name, value))
    }

    /// The error that a response means. A server that fails may have done what was asked all the same.
    fn refused(&self, response: Response) -> CallError {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        // If the body breaks off, only the message suffers.
        drop(response.take(64 << 10).read_to_end(&mut body));
        let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let body = String::from_utf8_lossy(&body);
        let refusal = Refusal { provider: self.format.provider(), status, header: &header, body: &body };
        let error = refusal.classify();
        CallError { charged: status >= 500, message: self.redacted(error.message), ..error }
    }

    fn no_response(&self, error: &reqwest::Error) -> CallError {
        let fault = if error.is_connect() { Fault::Unreachable } else { Fault::Transient };
        let code = if error.is_connect() { "unreachable" } else { "cut_off" };
        let cause = describe(error);
        let message = format!("cannot ask {} at {}: {cause}", self.format.provider(), host(self.url));
        CallError { charged: !error.is_connect(), ..CallError::new(fault, code, self.redacted(message)) }
    }

    fn redacted(&self, message: String) -> String {
        self.key.redact(message, MIN_LENGTH_IN_MESSAGE)
    }

    /// The file from its start.
    fn reader(order: &Order<'_>) -> Result<File, CallError> {
        let mut file = order.file;
        let file = file.rewind().and_then(|()| order.file.try_clone());
        file.map_err(|error| {
            CallError::new(Fault::Permanent, "unreadable", format!("cannot read the batch's file: {error}"))
        })
    }
}

/// Whether a name from a server can be part of a URL and of a line.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    !text.is_empty() && text.len() <= 300 && text.bytes().all(plain) && !text.contains("..")
}

fn with_headers(call: RequestBuilder, headers: &[(&'static str, &str)]) -> RequestBuilder {
    headers.iter().fold(call, |call, (name, value)| call.header(*name, *value))
}

fn upload_time(order: &Order<'_>) -> Duration {
    SILENCE + Duration::from_secs(order.bytes / SLOWEST_UPLOAD)
}

/// An error with its causes, without its URL.
fn describe(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    if causes.is_empty() { "no response".to_owned() } else { causes.join(": ") }
}
