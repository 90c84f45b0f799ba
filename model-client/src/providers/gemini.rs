//! Gemini, v1beta: <https://ai.google.dev/api/generate-content>.

use common::record::{StopReason, Usage};
use serde_json::{Map, Value, json};

use super::batch::{Batches, GeminiBatches};
use super::body::{PREFIX, SUFFIX};
use super::format::{Draft, Format, count, error_in_stream, join, merge, text_at};
use crate::facts::ModelFacts;
use crate::model::CallError;
use crate::request::Request;

pub(super) struct Gemini;

const PROVIDER: &str = "Gemini";

impl Format for Gemini {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn url(&self, base: &str, model: &str) -> String {
        join(base, "/v1beta", &format!("/models/{model}:streamGenerateContent?alt=sse"))
    }

    fn key_header(&self, key: &str) -> (&'static str, String) {
        ("x-goog-api-key", key.to_owned())
    }

    fn body(&self, _model: &str, request: &Request, facts: &ModelFacts) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(limit) = facts.output_limit(request.max_output_tokens) {
            body.insert("generationConfig".to_owned(), json!({"maxOutputTokens": limit}));
        }
        merge(&mut body, &facts.request);
        let parts = json!([{"text": PREFIX}, {"text": SUFFIX}]);
        body.insert("contents".to_owned(), json!([{"role": "user", "parts": parts}]));
        body
    }

    fn batches(&self) -> &dyn Batches {
        &GeminiBatches
    }

    fn take_in(&self, event: &Value, draft: &mut Draft) -> Result<(), CallError> {
        if let Some(error) = event.get("error") {
            let status = u16::try_from(count(error, "/code")).unwrap_or(500);
            return Err(error_in_stream(PROVIDER, status, error));
        }
        if let Some(model) = text_at(event, "/modelVersion") {
            model.clone_into(&mut draft.model);
        }
        let parts = event.pointer("/candidates/0/content/parts").and_then(Value::as_array);
        for part in parts.into_iter().flatten().filter(|part| part["thought"] != true) {
            draft.text += text_at(part, "/text").unwrap_or_default();
        }
        if let Some(reason) = text_at(event, "/candidates/0/finishReason") {
            draft.stop = Some(stop(reason));
        } else if event.pointer("/promptFeedback/blockReason").is_some() {
            draft.stop = Some(StopReason::Filtered);
        }
        if let Some(metadata) = event.get("usageMetadata") {
            draft.usage = usage(metadata);
        }
        Ok(())
    }
}

fn stop(reason: &str) -> StopReason {
    match reason {
        "STOP" => StopReason::End,
        "MAX_TOKENS" => StopReason::MaxTokens,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" => StopReason::Filtered,
        _ => StopReason::Other,
    }
}

/// `promptTokenCount` includes what was read from the cache; `candidatesTokenCount` excludes the reasoning.
fn usage(metadata: &Value) -> Usage {
    let input = count(metadata, "/promptTokenCount") + count(metadata, "/toolUsePromptTokenCount");
    let cached = count(metadata, "/cachedContentTokenCount").min(input);
    Usage {
        uncached_input: input - cached,
        cache_read: cached,
        output_visible: count(metadata, "/candidatesTokenCount"),
        output_reasoning: count(metadata, "/thoughtsTokenCount"),
        ..Usage::default()
    }
}
