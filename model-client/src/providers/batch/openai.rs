//! OpenAI Batch: <https://developers.openai.com/api/reference/resources/batches>.

use serde_json::{Value, json};

use super::{Batches, Said, Web, not_reached};
use crate::batch::{BatchLimits, Found, Framing, Order, Progress, Search};
use crate::model::{CallError, Fault};
use crate::providers::format::{count, text_at};

pub(in crate::providers) struct OpenAiBatches;

/// The number of batches in a page of a list.
const PAGE: usize = 100;
/// The key of our name in a batch's metadata.
const NAME: &str = "propose_amplify";

impl Batches for OpenAiBatches {
    /// Documented: 50,000 requests, 200 MB.
    fn limits(&self) -> BatchLimits {
        BatchLimits { requests: 50_000, bytes: 200_000_000 }
    }

    fn framing(&self) -> Framing {
        Framing { head: "", separator: "\n", tail: "\n" }
    }

    fn around(&self, mark: &str) -> (String, &'static str) {
        let before =
            format!(r#"{{"custom_id":"{mark}","method":"POST","url":"/v1/chat/completions","body":"#);
        (before, "}")
    }

    /// Without the batch, an uploaded file costs nothing.
    fn create(&self, web: &Web<'_>, order: &Order<'_>) -> Result<String, CallError> {
        let file = web.post_form(&format!("{}/files", root(web)), &[("purpose", "batch")], order)?;
        let body = json!({
            "input_file_id": web.text(&file, "/id")?,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {NAME: order.name},
        });
        web.text(&web.post(&format!("{}/batches", root(web)), &body)?, "/id")
    }

    fn find(&self, web: &Web<'_>, search: &Search<'_>) -> Result<Found, CallError> {
        let earliest = search.since.as_second() - 600;
        let mut page = format!("{}/batches?limit={PAGE}", root(web));
        loop {
            let found = web.get(&page)?;
            let data = found["data"].as_array().map(Vec::as_slice).unwrap_or_default();
            let ours = data.iter().find(|batch| batch["metadata"][NAME] == search.name);
            if let Some(id) = ours.and_then(|batch| text_at(batch, "/id")) {
                return Ok(Found::Named(id.to_owned()));
            }
            // The newest come first.
            let is_past =
                data.last().and_then(|last| last["created_at"].as_i64()).is_none_or(|at| at < earliest);
            match data.last().and_then(|last| text_at(last, "/id")) {
                Some(last) if found["has_more"] == true && !is_past => {
                    page = format!("{}/batches?limit={PAGE}&after={last}", root(web));
                }
                _ => return Ok(Found::Similar(Vec::new())),
            }
        }
    }

    fn poll(&self, web: &Web<'_>, id: &str) -> Result<Progress, CallError> {
        let batch = web.get(&format!("{}/batches/{id}", root(web)))?;
        let why = match text_at(&batch, "/status").unwrap_or_default() {
            "completed" => not_reached("batch_ended"),
            "expired" => not_reached("batch_expired"),
            "cancelled" => not_reached("batch_cancelled"),
            "failed" => failed(&batch),
            _ => {
                let done = ["/request_counts/completed", "/request_counts/failed"];
                return Ok(Progress::Running(done.iter().map(|pointer| count(&batch, pointer)).sum()));
            }
        };
        let files = ["/output_file_id", "/error_file_id"].iter().filter_map(|file| text_at(&batch, file));
        Ok(Progress::Ended { files: files.map(str::to_owned).collect(), why })
    }

    fn cancel_url(&self, web: &Web<'_>, id: &str) -> String {
        format!("{}/batches/{id}/cancel", root(web))
    }

    fn file_url(&self, web: &Web<'_>, file: &str) -> String {
        format!("{}/files/{file}/content", root(web))
    }

    fn result(&self, mut line: Value) -> Option<(String, Said)> {
        let mark = text_at(&line, "/custom_id")?.to_owned();
        let said = match u16::try_from(count(&line, "/response/status_code")).unwrap_or(500) {
            200 => Said::Answer(line.pointer_mut("/response/body")?.take()),
            // Without a response, the request was not reached.
            0 => match text_at(&line, "/error/code")? {
                "batch_cancelled" => Said::NotReached("batch_cancelled"),
                "batch_expired" => Said::NotReached("batch_expired"),
                _ => Said::Refused(500, line["error"].take()),
            },
            status => {
                let error = line.pointer("/response/body/error").or(line.pointer("/response/body"))?;
                Said::Refused(status, error.clone())
            }
        };
        Some((mark, said))
    }
}

/// The URL that files and batches are below.
fn root<'a>(web: &'a Web<'_>) -> &'a str {
    web.url.trim_end_matches("/chat/completions")
}

/// The provider has rejected the whole file.
fn failed(batch: &Value) -> CallError {
    let message = text_at(batch, "/errors/data/0/message").unwrap_or("no reason given");
    CallError::new(Fault::Transient, "batch_failed", format!("the batch was rejected: {message}"))
}
