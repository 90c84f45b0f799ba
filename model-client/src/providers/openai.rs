//! Chat completions of OpenAI and compatible servers:
//! <https://developers.openai.com/api/reference/resources/chat>. Servers differ, so every detail is optional.

use common::record::{StopReason, Usage};
use serde_json::{Map, Value, json};

use super::batch::{Batches, OpenAiBatches};
use super::body::{PREFIX, SUFFIX};
use super::format::{Draft, Format, count, error_in_stream, merge, text_at};
use crate::facts::ModelFacts;
use crate::model::CallError;
use crate::request::Request;

pub(super) struct OpenAi;

const PROVIDER: &str = "the model's server";

impl Format for OpenAi {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    /// A base URL with a path is complete, as in other clients of this format.
    fn url(&self, base: &str, _model: &str) -> String {
        let base = base.trim_end_matches('/');
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        let version = if host.contains('/') { "" } else { "/v1" };
        format!("{base}{version}/chat/completions")
    }

    fn key_header(&self, key: &str) -> (&'static str, String) {
        ("authorization", format!("Bearer {key}"))
    }

    fn body(&self, model: &str, request: &Request, facts: &ModelFacts) -> Map<String, Value> {
        let mut body = Map::from_iter([
            ("model".to_owned(), model.into()),
            ("stream".to_owned(), true.into()),
            ("stream_options".to_owned(), json!({"include_usage": true})),
        ]);
        if let Some(limit) = facts.output_limit(request.max_output_tokens) {
            let field = facts.output_limit_field.as_deref().unwrap_or("max_completion_tokens");
            body.insert(field.to_owned(), limit.into());
        }
        merge(&mut body, &facts.request);
        let message = json!({"role": "user", "content": format!("{PREFIX}{SUFFIX}")});
        body.insert("messages".to_owned(), json!([message]));
        body
    }

    fn batches(&self) -> &dyn Batches {
        &OpenAiBatches
    }

    fn take_in(&self, event: &Value, draft: &mut Draft) -> Result<(), CallError> {
        if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
            return Err(error_in_stream(PROVIDER, status(error), error));
        }
        if let Some(model) = text_at(event, "/model") {
            model.clone_into(&mut draft.model);
        }
        // The parts of a stream are in `delta`; an answer that was not streamed is in `message`.
        for part in ["/choices/0/delta", "/choices/0/message"] {
            draft.text += text_at(event, &format!("{part}/content")).unwrap_or_default();
            draft.is_refused |=
                text_at(event, &format!("{part}/refusal")).is_some_and(|refusal| !refusal.is_empty());
        }
        if let Some(reason) = text_at(event, "/choices/0/finish_reason") {
            draft.stop = Some(if draft.is_refused { StopReason::Refused } else { stop(reason) });
        }
        if let Some(counts) = event.get("usage").filter(|usage| usage.is_object()) {
            draft.usage = usage(counts);
        }
        Ok(())
    }
}

fn stop(reason: &str) -> StopReason {
    match reason {
        "stop" => StopReason::End,
        "length" => StopReason::MaxTokens,
        "content_filter" => StopReason::Filtered,
        _ => StopReason::Other,
    }
}

/// Details are included in the counts above them.
fn usage(counts: &Value) -> Usage {
    let input = count(counts, "/prompt_tokens");
    let read = count(counts, "/prompt_tokens_details/cached_tokens").min(input);
    let written = count(counts, "/prompt_tokens_details/cache_write_tokens").min(input - read);
    let output = count(counts, "/completion_tokens");
    let reasoning = count(counts, "/completion_tokens_details/reasoning_tokens").min(output);
    Usage {
        uncached_input: input - read - written,
        cache_write_5m: written,
        cache_write_1h: 0,
        cache_read: read,
        output_visible: output - reasoning,
        output_reasoning: reasoning,
    }
}

/// The status that an error in a stream stands for, as far as it says.
fn status(error: &Value) -> u16 {
    let number = u16::try_from(count(error, "/code")).unwrap_or(0);
    match text_at(error, "/type").or_else(|| text_at(error, "/code")).unwrap_or_default() {
        _ if (400..600).contains(&number) => number,
        "insufficient_quota" | "rate_limit_exceeded" | "rate_limit_error" => 429,
        "invalid_request_error" => 400,
        "overloaded_error" | "service_unavailable" => 503,
        _ => 500,
    }
}
