//! Gemini batch mode, with files: <https://ai.google.dev/gemini-api/docs/batch-api>.

use serde_json::{Value, json};

use super::{Batches, Said, Web, not_reached};
use crate::batch::{BatchLimits, Found, Framing, Order, Progress, Search};
use crate::model::{CallError, Fault};
use crate::providers::format::{count, text_at};

pub(in crate::providers) struct GeminiBatches;

/// The number of batches in a page of a list.
const PAGE: usize = 100;
/// The kind of the file.
const JSON_LINES: &str = "application/jsonl";

impl Batches for GeminiBatches {
    /// Documented: 2 GB.
    fn limits(&self) -> BatchLimits {
        BatchLimits { requests: 100_000, bytes: 2_000_000_000 }
    }

    fn framing(&self) -> Framing {
        Framing { head: "", separator: "\n", tail: "\n" }
    }

    fn around(&self, mark: &str) -> (String, &'static str) {
        (format!(r#"{{"key":"{mark}","request":"#), "}")
    }

    /// Without the batch, an uploaded file costs nothing.
    fn create(&self, web: &Web<'_>, order: &Order<'_>) -> Result<String, CallError> {
        let file = upload(web, order)?;
        let (_, model) = split(web);
        let batch = json!({"batch": {"displayName": order.name, "inputConfig": {"fileName": file}}});
        let url = format!("{}/models/{model}:batchGenerateContent", root(web));
        web.text(&web.post(&url, &batch)?, "/name")
    }

    fn find(&self, web: &Web<'_>, search: &Search<'_>) -> Result<Found, CallError> {
        let mut page = format!("{}/batches?pageSize={PAGE}", root(web));
        loop {
            let list = web.get(&page)?;
            let batches = list["operations"].as_array().map(Vec::as_slice).unwrap_or_default();
            let ours =
                batches.iter().find(|batch| text_at(batch, "/metadata/displayName") == Some(search.name));
            if let Some(name) = ours.and_then(|batch| text_at(batch, "/name")) {
                return Ok(Found::Named(name.to_owned()));
            }
            match text_at(&list, "/nextPageToken").filter(|token| !token.is_empty()) {
                Some(token) => page = format!("{}/batches?pageSize={PAGE}&pageToken={token}", root(web)),
                None => return Ok(Found::Similar(Vec::new())),
            }
        }
    }

    fn poll(&self, web: &Web<'_>, id: &str) -> Result<Progress, CallError> {
        let batch = web.get(&format!("{}/{id}", root(web)))?;
        let state = text_at(&batch, "/metadata/state").unwrap_or_default();
        // The names of states have two forms.
        let why = match state.trim_start_matches("BATCH_").trim_start_matches("JOB_") {
            "STATE_SUCCEEDED" | "STATE_PARTIALLY_SUCCEEDED" => not_reached("batch_ended"),
            "STATE_EXPIRED" => not_reached("batch_expired"),
            "STATE_CANCELLED" => not_reached("batch_cancelled"),
            "STATE_FAILED" => failed(&batch),
            _ => {
                let done = ["/successfulRequestCount", "/failedRequestCount"];
                let done = done.iter().map(|name| number(&batch["metadata"]["batchStats"], name)).sum();
                return Ok(Progress::Running(done));
            }
        };
        let places = ["/response/responsesFile", "/metadata/output/responsesFile"];
        let files = places.iter().find_map(|place| text_at(&batch, place));
        Ok(Progress::Ended { files: files.into_iter().map(str::to_owned).collect(), why })
    }

    fn cancel_url(&self, web: &Web<'_>, id: &str) -> String {
        format!("{}/{id}:cancel", root(web))
    }

    fn file_url(&self, web: &Web<'_>, file: &str) -> String {
        let (base, version) = base(web);
        format!("{base}/download/{version}/{file}:download?alt=media")
    }

    fn result(&self, mut line: Value) -> Option<(String, Said)> {
        let mark = text_at(&line, "/key")?.to_owned();
        if line.get("response").is_some() {
            return Some((mark, Said::Answer(line["response"].take())));
        }
        let error = line.get("error").or(line.get("status"))?.clone();
        // The codes of gRPC.
        let said = match count(&error, "/code") {
            1 => Said::NotReached("batch_cancelled"),
            4 => Said::NotReached("batch_expired"),
            3 => Said::Refused(400, error),
            8 => Said::Refused(429, error),
            14 => Said::Refused(503, error),
            status @ 400..600 => Said::Refused(u16::try_from(status).unwrap_or(500), error),
            _ => Said::Refused(500, error),
        };
        Some((mark, said))
    }
}

/// Uploads the file in one piece, by the resumable protocol. Returns its name.
fn upload(web: &Web<'_>, order: &Order<'_>) -> Result<String, CallError> {
    let (base, version) = base(web);
    let length = order.bytes.to_string();
    let start = [
        ("x-goog-upload-protocol", "resumable"),
        ("x-goog-upload-command", "start"),
        ("x-goog-upload-header-content-length", &length),
        ("x-goog-upload-header-content-type", JSON_LINES),
    ];
    let about = json!({"file": {"displayName": order.name, "mimeType": JSON_LINES}});
    let started = web.post_with(&format!("{base}/upload/{version}/files"), &start, &about)?;
    let url = started.header("x-goog-upload-url").ok_or_else(|| web.unexpected("an upload without a URL"))?;
    let finish = [("x-goog-upload-offset", "0"), ("x-goog-upload-command", "upload, finalize")];
    let uploaded = web.post_file(&url, JSON_LINES, &finish, order)?;
    web.text(&uploaded.json, "/file/name")
}

/// The URL that files and batches are below, and the model.
fn split<'a>(web: &'a Web<'_>) -> (&'a str, &'a str) {
    let (root, model) = web.url.split_once("/models/").unwrap_or((web.url, ""));
    (root, model.split(':').next().unwrap_or_default())
}

fn root<'a>(web: &'a Web<'_>) -> &'a str {
    split(web).0
}

/// The server, and the version of its interface.
fn base<'a>(web: &'a Web<'_>) -> (&'a str, &'a str) {
    root(web).rsplit_once('/').unwrap_or((root(web), "v1beta"))
}

/// A count, which Google writes as a text.
fn number(value: &Value, pointer: &str) -> u64 {
    let text = text_at(value, pointer).and_then(|text| text.parse().ok());
    text.unwrap_or_else(|| count(value, pointer))
}

fn failed(batch: &Value) -> CallError {
    let message = text_at(batch, "/error/message").unwrap_or("no reason given");
    CallError::new(Fault::Transient, "batch_failed", format!("the batch failed: {message}"))
}
