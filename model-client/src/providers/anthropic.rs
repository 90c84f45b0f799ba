//! Anthropic Messages, version 2023-06-01: <https://platform.claude.com/docs/en/api/messages>.

use common::record::{StopReason, Usage};
use serde_json::{Map, Value, json};

use super::batch::{AnthropicBatches, Batches};
use super::body::{PREFIX, SUFFIX};
use super::format::{Draft, Format, count, error_in_stream, join, merge, text_at};
use crate::facts::ModelFacts;
use crate::model::CallError;
use crate::request::Request;

pub(super) struct Anthropic;

const PROVIDER: &str = "Anthropic";
/// `max_tokens` is required; the lowest limit of any model, where the limit is unknown.
const MAX_TOKENS: u64 = 8192;

impl Format for Anthropic {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn url(&self, base: &str, _model: &str) -> String {
        join(base, "/v1", "/messages")
    }

    fn key_header(&self, key: &str) -> (&'static str, String) {
        ("x-api-key", key.to_owned())
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn body(&self, model: &str, request: &Request, facts: &ModelFacts) -> Map<String, Value> {
        let max_tokens = facts.output_limit(request.max_output_tokens).unwrap_or(MAX_TOKENS);
        let mut content = Vec::new();
        if !request.prefix.is_empty() {
            content.push(json!({"type": "text", "text": PREFIX, "cache_control": {"type": "ephemeral"}}));
        }
        content.push(json!({"type": "text", "text": SUFFIX}));
        let mut body = Map::from_iter([
            ("model".to_owned(), model.into()),
            ("max_tokens".to_owned(), max_tokens.into()),
            ("stream".to_owned(), true.into()),
        ]);
        merge(&mut body, &facts.request);
        // The API rejects a budget that leaves no tokens for the answer.
        if body.get("thinking").is_some_and(|thinking| count(thinking, "/budget_tokens") >= max_tokens) {
            body.remove("thinking");
        }
        body.insert("messages".to_owned(), json!([{"role": "user", "content": content}]));
        body
    }

    fn batches(&self) -> &dyn Batches {
        &AnthropicBatches
    }

    fn take_in(&self, event: &Value, draft: &mut Draft) -> Result<(), CallError> {
        match text_at(event, "/type").unwrap_or_default() {
            "message_start" => {
                text_at(event, "/message/model").unwrap_or_default().clone_into(&mut draft.model);
                draft.usage = usage(&event["message"]["usage"], draft.usage);
            }
            "content_block_start" => draft.text += text_at(event, "/content_block/text").unwrap_or_default(),
            "content_block_delta" => draft.text += text_at(event, "/delta/text").unwrap_or_default(),
            "message_delta" => {
                draft.stop = text_at(event, "/delta/stop_reason").map(stop).or(draft.stop);
                draft.usage = usage(&event["usage"], draft.usage);
            }
            "message" => take_in_message(event, draft),
            "error" => return Err(error(&event["error"])),
            // `ping`, `content_block_stop`, `message_stop`, and future events.
            _ => {}
        }
        Ok(())
    }
}

/// An answer that was not streamed.
fn take_in_message(message: &Value, draft: &mut Draft) {
    let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    text_at(message, "/model").unwrap_or_default().clone_into(&mut draft.model);
    draft.text = blocks.iter().filter_map(|block| text_at(block, "/text")).collect();
    draft.stop = text_at(message, "/stop_reason").map(stop);
    draft.usage = usage(&message["usage"], draft.usage);
}

fn stop(reason: &str) -> StopReason {
    match reason {
        "end_turn" | "stop_sequence" => StopReason::End,
        "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
        "refusal" => StopReason::Refused,
        _ => StopReason::Other,
    }
}

/// Counts are cumulative, and later events may omit unchanged ones. `input_tokens` excludes what was read from
/// or written to the cache; `output_tokens` includes the reasoning.
fn usage(new: &Value, old: Usage) -> Usage {
    let or = |pointer: &str, old: u64| new.pointer(pointer).and_then(Value::as_u64).unwrap_or(old);
    let written = or("/cache_creation_input_tokens", old.cache_write_5m + old.cache_write_1h);
    let hour = or("/cache_creation/ephemeral_1h_input_tokens", old.cache_write_1h).min(written);
    let output = or("/output_tokens", old.output());
    let reasoning = or("/output_tokens_details/thinking_tokens", old.output_reasoning).min(output);
    Usage {
        uncached_input: or("/input_tokens", old.uncached_input),
        cache_write_5m: written - hour,
        cache_write_1h: hour,
        cache_read: or("/cache_read_input_tokens", old.cache_read),
        output_visible: output - reasoning,
        output_reasoning: reasoning,
    }
}

fn error(error: &Value) -> CallError {
    error_in_stream(PROVIDER, status(text_at(error, "/type").unwrap_or_default()), error)
}

/// The HTTP status of an error of this type.
pub(super) fn status(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "overloaded_error" => 529,
        _ => 500,
    }
}
