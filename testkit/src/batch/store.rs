//! The files and batches of a server, and what their calls do.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Response;
use super::faults::{BatchFaults, Ending};
use super::formats::{Call, Verb, object};
use crate::exchange::{Asked, Format, Play};
use crate::http::Incoming;
use crate::wire;

/// The longest file, in bytes, and the most requests of a batch.
const LIMITS: [(Format, usize, usize); 3] = [
    (Format::Anthropic, 256_000_000, 100_000),
    (Format::Gemini, 2_000_000_000, usize::MAX),
    (Format::OpenAi, 200_000_000, 50_000),
];

/// A batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The provider's name for it.
    pub id: String,
    /// The format of its requests.
    pub format: Format,
    /// The requests, by the client's marks.
    pub requests: Vec<(String, Value)>,
    /// The length of the file, in bytes.
    pub bytes: usize,
    pub(super) model: String,
    /// The client's name for it.
    pub(super) name: Value,
    pub(super) metadata: Value,
    pub(super) input: String,
    pub(super) created: Timestamp,
    looks: usize,
    is_cancelled: bool,
    pub(super) ending: Option<Ending>,
    pub(super) results: Vec<Billed>,
}

/// The result of a request of a batch.
#[derive(Clone, Debug)]
pub struct Billed {
    /// The client's mark of the request.
    pub mark: String,
    /// `succeeded`, which is billed; `errored`, `canceled` or `expired`, which are not.
    pub kind: &'static str,
    line: Value,
}

impl Batch {
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// The results, once it has ended.
    pub fn results(&self) -> &[Billed] {
        &self.results
    }
}

/// The files and batches of a server.
#[derive(Default)]
pub(super) struct Store {
    pub(super) batches: Vec<Batch>,
    pub(super) events: usize,
    files: HashMap<String, Vec<u8>>,
    /// The number of calls of each kind.
    calls: HashMap<Verb, usize>,
}

impl Store {
    pub(super) fn next_event(&mut self) -> usize {
        self.events += 1;
        self.events
    }

    /// The number of calls of this kind so far.
    pub(super) fn count(&self, call: &Call) -> usize {
        self.calls.get(&call.verb).copied().unwrap_or_default()
    }

    pub(super) fn respond(
        &mut self,
        call: &Call,
        incoming: &Incoming,
        faults: &BatchFaults,
        model: &dyn Fn(&Asked) -> Play,
    ) -> Response {
        *self.calls.entry(call.verb).or_default() += 1;
        match call.verb {
            Verb::StartUpload => {
                let host = incoming.header("host").unwrap_or_default();
                let url = format!("http://{host}/upload/v1beta/files?upload_id=1&upload_protocol=resumable");
                Response::Json(200, vec![("x-goog-upload-url", url)], json!({}))
            }
            Verb::Upload => self.upload(call, incoming),
            Verb::Create => match self.create(call, incoming) {
                Ok(batch) => {
                    let json = object(&batch);
                    self.batches.push(batch);
                    Response::Json(200, Vec::new(), json)
                }
                Err(why) => refused(400, &why),
            },
            Verb::List => self.list(call, faults),
            Verb::Look if faults.fails_look(self.count(call)) => refused(503, "overloaded"),
            Verb::Look => self.look(call, faults, model),
            Verb::Cancel => self.cancel(call),
            Verb::Results => self.results(call, incoming, faults),
        }
    }

    fn upload(&mut self, call: &Call, incoming: &Incoming) -> Response {
        let number = self.files.len() + 1;
        let (id, file) = match call.format {
            Format::OpenAi => (format!("file-{number}"), form_file(incoming)),
            _ => (format!("files/{number}"), Some(incoming.body.clone())),
        };
        let Some(file) = file else { return refused(400, "a form with purpose and file is required") };
        let bytes = file.len();
        self.files.insert(id.clone(), file);
        let json = match call.format {
            Format::OpenAi => json!({
                "id": id, "object": "file", "bytes": bytes, "created_at": 0, "filename": "batch.jsonl",
                "purpose": "batch", "status": "processed",
            }),
            _ => json!({"file": {"name": id, "sizeBytes": bytes.to_string(), "state": "ACTIVE"}}),
        };
        Response::Json(200, vec![("x-goog-upload-status", "final".to_owned())], json)
    }

    fn create(&mut self, call: &Call, incoming: &Incoming) -> Result<Batch, String> {
        let number = self.batches.len() + 1;
        let body: Value = serde_json::from_slice(&incoming.body).map_err(|error| error.to_string())?;
        let (input, name, metadata) = match call.format {
            Format::Anthropic => (Value::Null, Value::Null, Value::Null),
            Format::OpenAi => {
                if body["completion_window"] != "24h" || body["endpoint"] != "/v1/chat/completions" {
                    return Err("completion_window and endpoint are required".to_owned());
                }
                (body["input_file_id"].clone(), Value::Null, body["metadata"].clone())
            }
            Format::Gemini => {
                let batch = &body["batch"];
                (batch["inputConfig"]["fileName"].clone(), batch["displayName"].clone(), Value::Null)
            }
        };
        let input = input.as_str().unwrap_or_default().to_owned();
        let (requests, bytes) = match call.format {
            Format::Anthropic => (anthropic_requests(body)?, incoming.body.len()),
            format => {
                let file = self.files.remove(&input).ok_or("the file does not exist")?;
                (lines(format, &file)?, file.len())
            }
        };
        check(call.format, &requests, bytes)?;
        Ok(Batch {
            id: match call.format {
                Format::Anthropic => format!("msgbatch_{number}"),
                Format::OpenAi => format!("batch_{number}"),
                Format::Gemini => number.to_string(),
            },
            format: call.format,
            requests,
            bytes,
            model: call.id.clone(),
            name,
            metadata,
            input,
            created: Timestamp::now(),
            looks: 0,
            is_cancelled: false,
            ending: None,
            results: Vec::new(),
        })
    }

    /// The newest come first.
    fn list(&self, call: &Call, faults: &BatchFaults) -> Response {
        let limit = call.query("limit").or(call.query("pageSize")).and_then(|limit| limit.parse().ok());
        let limit: usize = limit.unwrap_or(20).min(faults.page);
        let after = call.query("after_id").or(call.query("after")).or(call.query("pageToken"));
        let all: Vec<&Batch> =
            self.batches.iter().rev().filter(|batch| batch.format == call.format).collect();
        let start = after.and_then(|after| Some(all.iter().position(|batch| batch.id == after)? + 1));
        let rest = all.get(start.unwrap_or(0)..).unwrap_or_default();
        let page: Vec<Value> = rest.iter().take(limit).map(|batch| object(batch)).collect();
        let (first, last) = (rest.first(), rest.iter().take(limit).next_back());
        let (first, last) = (first.map(|batch| &batch.id), last.map(|batch| &batch.id));
        let has_more = rest.len() > limit;
        let json = match call.format {
            Format::Gemini if has_more => json!({"operations": page, "nextPageToken": last}),
            Format::Gemini => json!({"operations": page}),
            _ => {
                json!({"object": "list", "data": page, "has_more": has_more, "first_id": first, "last_id": last})
            }
        };
        Response::Json(200, Vec::new(), json)
    }

    fn look(&mut self, call: &Call, faults: &BatchFaults, model: &dyn Fn(&Asked) -> Play) -> Response {
        let Some(number) = self.batches.iter().position(|batch| batch.id == call.id) else {
            return refused(404, "no such batch");
        };
        let batch = &mut self.batches[number];
        batch.looks += 1;
        if batch.is_cancelled && !batch.has_ended() {
            batch.end(Ending::Cancelled, model);
        } else if batch.looks >= faults.looks && !batch.has_ended() {
            batch.end(faults.ending(number), model);
        }
        Response::Json(200, Vec::new(), object(batch))
    }

    /// Cancels a batch, which the next look shows.
    fn cancel(&mut self, call: &Call) -> Response {
        let Some(batch) = self.batches.iter_mut().find(|batch| batch.id == call.id) else {
            return refused(404, "no such batch");
        };
        if batch.has_ended() {
            return refused(400, "the batch has ended");
        }
        batch.is_cancelled = true;
        Response::Json(200, Vec::new(), object(batch))
    }

    fn results(&self, call: &Call, incoming: &Incoming, faults: &BatchFaults) -> Response {
        let named = |batch: &&Batch| call.id.ends_with(&batch.id) && batch.format == call.format;
        let Some(batch) = self.batches.iter().rev().find(named).filter(|batch| batch.has_ended()) else {
            return refused(404, "no such results");
        };
        let wanted = |result: &&Billed| match (batch.format, result.kind) {
            (Format::OpenAi, "succeeded") => call.id.starts_with("file-output-"),
            (Format::OpenAi, _) => call.id.starts_with("file-error-"),
            _ => true,
        };
        // Not in the order of the requests.
        let results = batch.results.iter().rev().filter(wanted);
        let file = results.flat_map(|result| format!("{}\n", result.line).into_bytes()).collect();
        let offset = incoming.header("range").filter(|_| faults.ranges);
        let offset = offset.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        Response::File(file, offset.unwrap_or(0))
    }
}

impl Batch {
    fn end(&mut self, ending: Ending, model: &dyn Fn(&Asked) -> Play) {
        self.ending = Some(ending);
        if ending == Ending::Failed && self.format != Format::Anthropic {
            return;
        }
        let requests = self.requests.iter().enumerate();
        self.results =
            requests.map(|(n, (mark, body))| self.result(mark, body, ending, n % 2 == 1, model)).collect();
    }

    fn result(
        &self,
        mark: &str,
        body: &Value,
        ending: Ending,
        is_hit: bool,
        model: &dyn Fn(&Asked) -> Play,
    ) -> Billed {
        let kind = match ending {
            Ending::Expired if is_hit => "expired",
            Ending::Cancelled if is_hit => "canceled",
            Ending::PartlyFailed | Ending::PartlyInvalid if is_hit => "errored",
            Ending::Failed => "errored",
            _ => "succeeded",
        };
        let line = match self.format {
            Format::Anthropic => self.anthropic(mark, body, kind, ending, model),
            Format::OpenAi => self.openai(mark, body, kind, ending, model),
            Format::Gemini => self.gemini(mark, body, kind, ending, model),
        };
        Billed { mark: mark.to_owned(), kind, line }
    }

    fn anthropic(
        &self,
        mark: &str,
        body: &Value,
        kind: &str,
        ending: Ending,
        model: &dyn Fn(&Asked) -> Play,
    ) -> Value {
        let error = if ending == Ending::PartlyInvalid { "invalid_request_error" } else { "api_error" };
        let result = match kind {
            "succeeded" => json!({"type": kind, "message": self.answer(body, model)}),
            "errored" => json!({"type": kind, "error": {
                "type": "error", "error": {"type": error, "message": "it went wrong"}, "request_id": null,
            }}),
            kind => json!({"type": kind}),
        };
        json!({"custom_id": mark, "result": result})
    }

    fn openai(
        &self,
        mark: &str,
        body: &Value,
        kind: &str,
        ending: Ending,
        model: &dyn Fn(&Asked) -> Play,
    ) -> Value {
        let response =
            |status: u16, body: Value| json!({"status_code": status, "request_id": "req_1", "body": body});
        let invalid = ending == Ending::PartlyInvalid;
        let (response, error) = match kind {
            "succeeded" => (response(200, self.answer(body, model)), Value::Null),
            "errored" => {
                let (status, kind) =
                    if invalid { (400, "invalid_request_error") } else { (500, "server_error") };
                (response(status, json!({"error": {"type": kind, "message": "it went wrong"}})), Value::Null)
            }
            "expired" => (Value::Null, json!({"code": "batch_expired", "message": "not within 24h"})),
            _ => (Value::Null, json!({"code": "batch_cancelled", "message": "cancelled"})),
        };
        json!({"id": format!("batch_req_{mark}"), "custom_id": mark, "response": response, "error": error})
    }

    fn gemini(
        &self,
        mark: &str,
        body: &Value,
        kind: &str,
        ending: Ending,
        model: &dyn Fn(&Asked) -> Play,
    ) -> Value {
        let code = match kind {
            "succeeded" => return json!({"key": mark, "response": self.answer(body, model)}),
            "expired" => 4,
            "canceled" => 1,
            _ if ending == Ending::PartlyInvalid => 3,
            _ => 13,
        };
        json!({"key": mark, "error": {"code": code, "message": "it went wrong"}})
    }

    /// The answer of the model, as it would be without a stream.
    fn answer(&self, body: &Value, model: &dyn Fn(&Asked) -> Play) -> Value {
        let asked = wire::asked(self.format, body, &self.model);
        match model(&asked) {
            Play::Answer(reply) | Play::Unstreamed(reply) => {
                let whole = wire::whole(&asked, &reply);
                whole.get(0).cloned().unwrap_or(whole)
            }
            _ => Value::Null,
        }
    }
}

fn refused(status: u16, why: &str) -> Response {
    let error = json!({"error": {"type": "invalid_request_error", "code": status, "message": why}});
    Response::Json(status, Vec::new(), error)
}

fn anthropic_requests(mut body: Value) -> Result<Vec<(String, Value)>, String> {
    let requests = body["requests"].as_array_mut().ok_or("requests is required")?;
    requests
        .iter_mut()
        .map(|request| {
            let mark = request["custom_id"].as_str().ok_or("custom_id is required")?.to_owned();
            Ok((mark, request["params"].take()))
        })
        .collect()
}

/// The requests in the lines of a file.
fn lines(format: Format, file: &[u8]) -> Result<Vec<(String, Value)>, String> {
    let lines = file.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut line: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
            let (mark, body) = match format {
                Format::Gemini => ("key", "request"),
                _ => ("custom_id", "body"),
            };
            if format == Format::OpenAi && (line["method"] != "POST" || line["url"] != "/v1/chat/completions")
            {
                return Err("method and url are required".to_owned());
            }
            let mark = line[mark].as_str().ok_or("a line without a mark")?.to_owned();
            Ok((mark, line[body].take()))
        })
        .collect()
}

/// What the documents demand of a batch.
fn check(format: Format, requests: &[(String, Value)], bytes: usize) -> Result<(), String> {
    let (_, max_bytes, max_requests) =
        LIMITS.into_iter().find(|limit| limit.0 == format).unwrap_or(LIMITS[0]);
    if requests.is_empty() || requests.len() > max_requests || bytes > max_bytes {
        return Err(format!("a batch of {} requests and {bytes} bytes", requests.len()));
    }
    let mut marks = HashSet::new();
    for (mark, body) in requests {
        let is_plain = mark.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !(is_plain && (1..=64).contains(&mark.len()) && marks.insert(mark)) {
            return Err(format!("the mark {mark:?} is invalid, or not the only one"));
        }
        if body.get("stream").is_some() || body.get("stream_options").is_some() {
            return Err("answers of a batch cannot be streamed".to_owned());
        }
    }
    Ok(())
}

/// The file in a form whose purpose is `batch`.
fn form_file(incoming: &Incoming) -> Option<Vec<u8>> {
    let boundary = incoming.header("content-type")?.split_once("boundary=")?.1.to_owned();
    let body = &incoming.body;
    let find = |from: usize, text: &[u8]| {
        body.get(from..)?.windows(text.len()).position(|window| window == text).map(|at| from + at)
    };
    find(0, b"name=\"purpose\"\r\n\r\nbatch\r\n")?;
    let start = find(find(0, b"name=\"file\"")?, b"\r\n\r\n")? + 4;
    let tail = format!("\r\n--{boundary}--");
    let end = body.len().checked_sub(tail.len() + 2)?;
    (body.get(end..)?.starts_with(tail.as_bytes())).then(|| body[start..end].to_vec())
}
