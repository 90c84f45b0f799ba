//! The providers' formats, from the server's side.

use serde_json::{Value, json};

use crate::exchange::{Asked, End, Format, Reply};
use crate::http::Incoming;

/// Reads a request. The server fills in `number` and `shared_bytes`.
pub(crate) fn read(incoming: &Incoming) -> Option<Asked> {
    let body: Value = serde_json::from_slice(&incoming.body).ok()?;
    let path = incoming.path.as_str();
    let (format, model) = if path.ends_with("/messages") {
        (Format::Anthropic, body["model"].as_str()?.to_owned())
    } else if path.ends_with("/chat/completions") {
        (Format::OpenAi, body["model"].as_str()?.to_owned())
    } else {
        let (model, _) = path.rsplit_once("/models/")?.1.split_once(':')?;
        (Format::Gemini, model.to_owned())
    };
    let asked = asked(format, &body, &model);
    Some(Asked { headers: incoming.headers.clone(), path: incoming.path.clone(), ..asked })
}

/// The request with this body.
pub(crate) fn asked(format: Format, body: &Value, model: &str) -> Asked {
    let model = body["model"].as_str().unwrap_or(model).to_owned();
    let mut prompt = String::new();
    let mut breakpoint = None;
    for text in [&body["systemInstruction"], &body["system"], &body["contents"], &body["messages"]] {
        collect(text, &mut prompt, &mut breakpoint);
    }
    let limits = ["/max_tokens", "/max_completion_tokens", "/generationConfig/maxOutputTokens"];
    Asked {
        number: 0,
        format,
        model,
        headers: Vec::new(),
        path: String::new(),
        prompt,
        shared_bytes: 0,
        breakpoint,
        max_tokens: limits.iter().find_map(|limit| body.pointer(limit)?.as_u64()),
        body: body.clone(),
    }
}

/// Adds the texts in `value` to `prompt`.
fn collect(value: &Value, prompt: &mut String, breakpoint: &mut Option<usize>) {
    match value {
        Value::String(text) => *prompt += text,
        Value::Array(items) => items.iter().for_each(|item| collect(item, prompt, breakpoint)),
        Value::Object(fields) => {
            for name in ["parts", "content", "text"] {
                collect(fields.get(name).unwrap_or(&Value::Null), prompt, breakpoint);
            }
            if fields.contains_key("cache_control") {
                *breakpoint = Some(prompt.len());
            }
        }
        _ => {}
    }
}

/// The tokens of a call: one per four bytes. The prefix shared with an earlier prompt is cached.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) input: usize,
    cached: usize,
    output: usize,
}

/// The tokens of the thoughts of every answer.
const THOUGHTS: usize = 7;

impl Tokens {
    /// The tokens that are charged as output, in the formats that tell of thoughts.
    pub(crate) fn billed_output(&self) -> usize {
        if self.input == 0 { 0 } else { self.output + THOUGHTS }
    }

    pub(crate) fn of(asked: &Asked, text: &str) -> Self {
        let cached = asked.breakpoint.map_or(asked.shared_bytes, |end| end.min(asked.shared_bytes));
        Self { input: asked.prompt.len() / 4, cached: cached / 4, output: text.len().div_ceil(4) }
    }
}

/// The events before the text, for every piece of it, and after it.
pub(crate) struct Events {
    pub(crate) before: String,
    pub(crate) pieces: Vec<String>,
    pub(crate) after: String,
}

/// The events of an answer.
pub(crate) fn events(asked: &Asked, answer: &Reply) -> Events {
    let pieces = split(&answer.text, answer.pieces.max(1));
    let tokens = Tokens::of(asked, &answer.text);
    match asked.format {
        Format::Anthropic => anthropic(asked, answer, &pieces, &tokens),
        Format::Gemini => gemini(asked, answer, &pieces, &tokens),
        Format::OpenAi => openai(asked, answer, &pieces, &tokens),
    }
}

/// The answer as one JSON text.
pub(crate) fn whole(asked: &Asked, answer: &Reply) -> Value {
    let tokens = Tokens::of(asked, &answer.text);
    match asked.format {
        Format::Anthropic => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": asked.model,
            "content": [{"type": "text", "text": answer.text}], "stop_sequence": null,
            "stop_reason": anthropic_end(answer.end), "usage": anthropic_usage(asked, &tokens),
        }),
        Format::Gemini => json!([gemini_event(asked, &answer.text, Some(answer.end), Some(&tokens))]),
        Format::OpenAi => json!({
            "id": "chatcmpl-1", "created": 0, "object": "chat.completion", "model": asked.model,
            "usage": openai_usage(&tokens),
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": answer.text},
                "finish_reason": openai_end(answer.end),
            }],
        }),
    }
}

/// An error within a stream.
pub(crate) fn error_event(format: Format, kind: &str) -> String {
    let error = match format {
        Format::Anthropic => json!({"type": "error", "error": {"type": kind, "message": kind}}),
        Format::Gemini => json!({"error": {"code": 503, "status": kind, "message": kind}}),
        Format::OpenAi => json!({"error": {"type": kind, "message": kind}}),
    };
    event(&error)
}

/// One event of an endless stream.
pub(crate) fn filler(format: Format) -> String {
    event(&match format {
        Format::Anthropic => anthropic_delta(&"on and on ".repeat(400)),
        Format::Gemini => {
            json!({"candidates": [{"content": {"parts": [{"text": "on and on ".repeat(400)}]}}]})
        }
        Format::OpenAi => json!({"choices": [{"delta": {"content": "on and on ".repeat(400)}}]}),
    })
}

fn anthropic(asked: &Asked, answer: &Reply, pieces: &[&str], tokens: &Tokens) -> Events {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
        "role": "assistant", "model": asked.model, "content": [], "stop_reason": null,
        "usage": anthropic_usage(asked, &Tokens { output: 1, ..*tokens })}});
    let block =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let stop = json!({"type": "message_delta", "delta": {"stop_reason": anthropic_end(answer.end)},
        "usage": {"output_tokens": tokens.output}});
    Events {
        before: [start, json!({"type": "ping"}), block].iter().map(named).collect(),
        pieces: pieces.iter().map(|piece| named(&anthropic_delta(piece))).collect(),
        after: [json!({"type": "content_block_stop", "index": 0}), stop, json!({"type": "message_stop"})]
            .iter()
            .map(named)
            .collect(),
    }
}

fn anthropic_delta(text: &str) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
}

fn anthropic_usage(asked: &Asked, tokens: &Tokens) -> Value {
    let written = asked.breakpoint.map_or(0, |end| (end / 4).saturating_sub(tokens.cached));
    json!({
        "input_tokens": tokens.input.saturating_sub(tokens.cached + written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
    })
}

fn anthropic_end(end: End) -> &'static str {
    match end {
        End::Finished => "end_turn",
        End::Cut => "max_tokens",
        End::Refused | End::Filtered => "refusal",
    }
}

fn gemini(asked: &Asked, answer: &Reply, pieces: &[&str], tokens: &Tokens) -> Events {
    let thought = json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}]}}]});
    Events {
        before: event(&thought),
        pieces: pieces.iter().map(|piece| event(&gemini_event(asked, piece, None, None))).collect(),
        after: event(&gemini_event(asked, "", Some(answer.end), Some(tokens))),
    }
}

fn gemini_event(asked: &Asked, text: &str, end: Option<End>, tokens: Option<&Tokens>) -> Value {
    let mut event = json!({
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}],
        "modelVersion": asked.model,
    });
    if let Some(end) = end {
        event["candidates"][0]["finishReason"] = match end {
            End::Finished => "STOP",
            End::Cut => "MAX_TOKENS",
            End::Refused => "OTHER",
            End::Filtered => "SAFETY",
        }
        .into();
    }
    if let Some(tokens) = tokens {
        event["usageMetadata"] = json!({
            "promptTokenCount": tokens.input, "cachedContentTokenCount": tokens.cached,
            "candidatesTokenCount": tokens.output, "thoughtsTokenCount": THOUGHTS,
            "totalTokenCount": tokens.input + tokens.output + THOUGHTS,
        });
    }
    event
}

fn openai(asked: &Asked, answer: &Reply, pieces: &[&str], tokens: &Tokens) -> Events {
    let start = json!({"role": "assistant", "content": ""});
    let end = openai_end(answer.end);
    Events {
        before: openai_delta(asked, &start, None),
        pieces: pieces.iter().map(|piece| openai_delta(asked, &json!({"content": piece}), None)).collect(),
        after: openai_delta(asked, &json!({}), Some(end))
            + &openai_chunk(asked, &json!([]), &openai_usage(tokens))
            + "data: [DONE]\n\n",
    }
}

fn openai_delta(asked: &Asked, delta: &Value, end: Option<&str>) -> String {
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": end}]);
    openai_chunk(asked, &choices, &Value::Null)
}

fn openai_chunk(asked: &Asked, choices: &Value, usage: &Value) -> String {
    event(
        &json!({"object": "chat.completion.chunk", "model": asked.model, "choices": choices, "usage": usage}),
    )
}

fn openai_usage(tokens: &Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.input, "completion_tokens": tokens.output + THOUGHTS,
        "total_tokens": tokens.input + tokens.output + THOUGHTS,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": THOUGHTS},
    })
}

fn openai_end(end: End) -> &'static str {
    match end {
        End::Finished => "stop",
        End::Cut => "length",
        End::Refused | End::Filtered => "content_filter",
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn named(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

/// Splits `text` into this number of pieces of about the same length.
fn split(text: &str, pieces: usize) -> Vec<&str> {
    let length = text.len().div_ceil(pieces).max(1);
    let mut rest = text;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = (length..rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        found.push(piece);
        rest = after;
    }
    found
}
