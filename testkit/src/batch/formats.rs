//! The calls about batches, and the objects that each provider answers with.

use serde_json::{Value, json};

use super::faults::Ending;
use super::store::Batch;
use crate::exchange::Format;
use crate::http::Incoming;

/// A call about batches.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) format: Format,
    pub(super) verb: Verb,
    /// The batch or file that it is about; the model, for a creation in Gemini's format.
    pub(super) id: String,
    /// The query.
    pub(super) query: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    Create,
    List,
    Look,
    Cancel,
    Results,
    StartUpload,
    Upload,
}

impl Call {
    /// The call that a request makes; `None` if it is not about batches.
    pub(super) fn of(incoming: &Incoming) -> Option<Self> {
        let (path, query) = incoming.path.split_once('?').unwrap_or((&incoming.path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let post = incoming.method == "POST";
        let (format, verb, id) = match parts.as_slice() {
            ["v1", "messages", "batches"] => {
                (Format::Anthropic, if post { Verb::Create } else { Verb::List }, "")
            }
            ["v1", "messages", "batches", id] => (Format::Anthropic, Verb::Look, *id),
            ["v1", "messages", "batches", id, "cancel"] => (Format::Anthropic, Verb::Cancel, *id),
            ["v1", "messages", "batches", id, "results"] => (Format::Anthropic, Verb::Results, *id),
            ["v1", "files"] if post => (Format::OpenAi, Verb::Upload, ""),
            ["v1", "files", id, "content"] => (Format::OpenAi, Verb::Results, *id),
            ["v1", "batches"] => (Format::OpenAi, if post { Verb::Create } else { Verb::List }, ""),
            ["v1", "batches", id] => (Format::OpenAi, Verb::Look, *id),
            ["v1", "batches", id, "cancel"] => (Format::OpenAi, Verb::Cancel, *id),
            ["upload", "v1beta", "files"] => {
                let command = incoming.header("x-goog-upload-command").unwrap_or_default();
                (Format::Gemini, if command == "start" { Verb::StartUpload } else { Verb::Upload }, "")
            }
            ["v1beta", "models", call] => {
                (Format::Gemini, Verb::Create, call.strip_suffix(":batchGenerateContent")?)
            }
            ["v1beta", "batches"] => (Format::Gemini, Verb::List, ""),
            ["v1beta", "batches", call] => match call.split_once(':') {
                Some((id, _)) => (Format::Gemini, Verb::Cancel, id),
                None => (Format::Gemini, Verb::Look, *call),
            },
            // With either of two paths, as in the documents and in the SDK.
            ["download", "v1beta", "files", call] | ["v1beta", "files", call] => {
                (Format::Gemini, Verb::Results, call.strip_suffix(":download")?)
            }
            _ => return None,
        };
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Self { format, verb, id: id.to_owned(), query })
    }

    /// A value of the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A batch as its provider shows it.
pub(super) fn object(batch: &Batch) -> Value {
    match batch.format {
        Format::Anthropic => anthropic(batch),
        Format::OpenAi => openai(batch),
        Format::Gemini => gemini(batch),
    }
}

fn anthropic(batch: &Batch) -> Value {
    let count = |kind: &str| batch.results.iter().filter(|result| result.kind == kind).count();
    let results = batch.has_ended().then(|| format!("/v1/messages/batches/{}/results", batch.id));
    json!({
        "id": batch.id, "type": "message_batch",
        "processing_status": if batch.has_ended() { "ended" } else { "in_progress" },
        "request_counts": {
            "processing": batch.requests.len() - batch.results.len(),
            "succeeded": count("succeeded"), "errored": count("errored"),
            "canceled": count("canceled"), "expired": count("expired"),
        },
        "created_at": batch.created.to_string(), "expires_at": batch.created.to_string(),
        "ended_at": batch.has_ended().then(|| batch.created.to_string()),
        "archived_at": null, "cancel_initiated_at": null, "results_url": results,
    })
}

fn openai(batch: &Batch) -> Value {
    let status = match batch.ending {
        None => "in_progress",
        Some(Ending::Expired) => "expired",
        Some(Ending::Cancelled) => "cancelled",
        Some(Ending::Failed) => "failed",
        Some(_) => "completed",
    };
    let errors = (batch.ending == Some(Ending::Failed)).then(|| {
        json!({"object": "list", "data": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]})
    });
    let file = |is_answer: bool| {
        let kind = if is_answer { "output" } else { "error" };
        let has_lines = batch.results.iter().any(|result| (result.kind == "succeeded") == is_answer);
        has_lines.then(|| format!("file-{kind}-{}", batch.id))
    };
    let completed = batch.results.iter().filter(|result| result.kind == "succeeded").count();
    json!({
        "id": batch.id, "object": "batch", "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "status": status, "errors": errors, "input_file_id": batch.input, "metadata": batch.metadata,
        "created_at": batch.created.as_second(), "output_file_id": file(true), "error_file_id": file(false),
        "request_counts": {
            "total": batch.requests.len(), "completed": completed, "failed": batch.results.len() - completed,
        },
    })
}

fn gemini(batch: &Batch) -> Value {
    let state = match batch.ending {
        None => "BATCH_STATE_RUNNING",
        Some(Ending::Expired) => "BATCH_STATE_EXPIRED",
        Some(Ending::Cancelled) => "BATCH_STATE_CANCELLED",
        Some(Ending::Failed) => "BATCH_STATE_FAILED",
        Some(_) => "BATCH_STATE_SUCCEEDED",
    };
    let has_file = !batch.results.is_empty();
    let output = has_file.then(|| json!({"responsesFile": format!("files/{}", batch.id)}));
    let mut object = json!({
        "name": format!("batches/{}", batch.id), "done": batch.has_ended(),
        "metadata": {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "model": format!("models/{}", batch.model), "displayName": batch.name, "state": state,
            "createTime": batch.created.to_string(), "name": format!("batches/{}", batch.id),
            "inputConfig": {"fileName": batch.input},
            "batchStats": {
                "requestCount": batch.requests.len().to_string(),
                "pendingRequestCount": (batch.requests.len() - batch.results.len()).to_string(),
            },
        },
    });
    match output {
        Some(output) => {
            object["metadata"]["output"] = output.clone();
            object["response"] = output;
        }
        None if batch.ending == Some(Ending::Failed) => {
            object["error"] = json!({"code": 3, "message": "the file cannot be read"});
        }
        None => {}
    }
    object
}
