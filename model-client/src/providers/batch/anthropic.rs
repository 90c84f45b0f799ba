//! Message Batches: <https://platform.claude.com/docs/en/api/creating-message-batches>.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Batches, Said, Web, not_reached};
use crate::batch::{BatchLimits, Found, Framing, Order, Progress, Search};
use crate::model::CallError;
use crate::providers::anthropic::status;
use crate::providers::format::{count, text_at};

pub(in crate::providers) struct AnthropicBatches;

/// The number of batches in a page of a list.
const PAGE: usize = 100;
/// How far the clocks of both sides may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

impl Batches for AnthropicBatches {
    /// Documented: 100,000 requests, 256 MB.
    fn limits(&self) -> BatchLimits {
        BatchLimits { requests: 100_000, bytes: 250_000_000 }
    }

    fn framing(&self) -> Framing {
        Framing { head: "{\"requests\":[\n", separator: ",\n", tail: "\n]}\n" }
    }

    fn around(&self, mark: &str) -> (String, &'static str) {
        (format!(r#"{{"custom_id":"{mark}","params":"#), "}")
    }

    fn create(&self, web: &Web<'_>, order: &Order<'_>) -> Result<String, CallError> {
        let created = web.post_file(&batches(web), "application/json", &[], order)?;
        web.text(&created.json, "/id")
    }

    /// A batch keeps no name of ours.
    fn find(&self, web: &Web<'_>, search: &Search<'_>) -> Result<Found, CallError> {
        let earliest = search.since - CLOCKS;
        let mut similar = Vec::new();
        let mut page = format!("{}?limit={PAGE}", batches(web));
        loop {
            let found = web.get(&page)?;
            for batch in found["data"].as_array().into_iter().flatten() {
                let Some(created) =
                    text_at(batch, "/created_at").and_then(|time| time.parse::<Timestamp>().ok())
                else {
                    continue;
                };
                // The newest come first.
                if created < earliest {
                    return Ok(Found::Similar(similar));
                }
                if requests(batch) == search.requests as u64 {
                    similar.extend(text_at(batch, "/id").map(str::to_owned));
                }
            }
            match text_at(&found, "/last_id") {
                Some(last) if found["has_more"] == true => {
                    page = format!("{}?limit={PAGE}&after_id={last}", batches(web));
                }
                _ => return Ok(Found::Similar(similar)),
            }
        }
    }

    fn poll(&self, web: &Web<'_>, id: &str) -> Result<Progress, CallError> {
        let batch = web.get(&format!("{}/{id}", batches(web)))?;
        if text_at(&batch, "/processing_status") == Some("ended") {
            return Ok(Progress::Ended { files: vec![id.to_owned()], why: not_reached("batch_ended") });
        }
        let counts = &batch["request_counts"];
        Ok(Progress::Running(requests(&batch) - count(counts, "/processing").min(requests(&batch))))
    }

    fn cancel_url(&self, web: &Web<'_>, id: &str) -> String {
        format!("{}/{id}/cancel", batches(web))
    }

    fn file_url(&self, web: &Web<'_>, file: &str) -> String {
        format!("{}/{file}/results", batches(web))
    }

    fn result(&self, mut line: Value) -> Option<(String, Said)> {
        let mark = text_at(&line, "/custom_id")?.to_owned();
        let said = match text_at(&line, "/result/type")? {
            "succeeded" => Said::Answer(line.pointer_mut("/result/message")?.take()),
            "canceled" => Said::NotReached("batch_cancelled"),
            "expired" => Said::NotReached("batch_expired"),
            // The error is wrapped as in a response.
            _ => {
                let error = line.pointer("/result/error/error").or(line.pointer("/result/error"))?;
                Said::Refused(status(text_at(error, "/type").unwrap_or_default()), error.clone())
            }
        };
        Some((mark, said))
    }
}

fn batches(web: &Web<'_>) -> String {
    format!("{}/batches", web.url)
}

/// The number of requests in a batch.
fn requests(batch: &Value) -> u64 {
    let counts = ["processing", "succeeded", "errored", "canceled", "expired"];
    counts.iter().map(|name| count(batch, &format!("/request_counts/{name}"))).sum()
}
