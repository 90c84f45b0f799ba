//! What providers and servers were seen to do in November 2026.

use common::record::StopReason;
use model_client::{AskError, CallSettings};
use serde_json::json;
use testkit::{Play, Reply as Said, Server};

use super::{Fixture, settings};

/// A response of server-sent events with this text, after which the server closes the connection.
fn events(text: &str) -> Play {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    Play::Raw(format!("{head}{text}").into_bytes())
}

/// A server that plays this first, and then answers "ok".
fn first(play: Play) -> Server {
    Server::start(move |asked| if asked.number == 1 { play.clone() } else { Play::Answer(Said::new("ok")) })
}

#[test]
fn a_filtered_request_fails_alone() {
    let blocked = [
        (
            "claude-next",
            400,
            json!({"type": "error", "error": {"type": "invalid_request_error",
                "message": "Output blocked by content filtering policy"}}),
        ),
        (
            "openai:x",
            400,
            json!({"error": {"message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
                "type": "invalid_request_error", "param": null, "code": "invalid_prompt"}}),
        ),
        (
            "openai:x",
            400,
            json!({"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
                "type": null, "param": "prompt", "code": "content_filter", "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
        ),
        (
            "openai:x",
            400,
            json!({"error": {"message": "Content Exists Risk", "type": "invalid_request_error"}}),
        ),
        (
            "claude-next",
            400,
            json!({"error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}}),
        ),
        ("openai:x", 422, json!({"error": {"message": "flagged by moderation"}})),
    ];
    for (model, status, body) in blocked {
        let server = Server::start(move |asked| {
            if asked.prompt.ends_with("Write bad.") {
                Play::refusal(status, &body)
            } else {
                Play::Answer(Said::new("ok"))
            }
        });
        let fixture = Fixture::new(&server, model);
        // The blocked request is the first one, as in a run that is resumed.
        let error = fixture.ask("bad").unwrap_err();
        assert!(matches!(error, AskError::GaveUp { attempts: 1, .. }), "{error:?}");
        fixture.ask("good").unwrap();
    }
}

#[test]
fn an_unknown_rejection_fails_alone_once_the_server_has_answered() {
    let server = Server::start(|asked| {
        if asked.prompt.ends_with("good.") {
            Play::Answer(Said::new("ok"))
        } else {
            Play::refusal(400, &json!({"error": {"message": "no"}}))
        }
    });
    let settings = CallSettings { max_failures: 2, ..settings() };
    let fixture = Fixture::with(&server, "openai:x", settings.clone());
    let error = fixture.ask("bad").unwrap_err();
    assert!(matches!(error, AskError::Stopped { .. }), "nothing works: {error:?}");

    let fixture = Fixture::with(&server, "openai:x", settings);
    fixture.ask("good").unwrap();
    let error = fixture.ask("bad").unwrap_err();
    assert!(matches!(error, AskError::GaveUp { .. }), "{error:?}");
    assert!(fixture.ask("bad too").unwrap_err().ends_run(), "too many in a row");
}

#[test]
fn a_key_that_is_rejected_with_400_stops_the_run() {
    let server = Server::start(|asked| match asked.number {
        1 => Play::Answer(Said::new("ok")),
        _ => Play::refusal(
            400,
            &json!([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.",
                "status": "INVALID_ARGUMENT"}}]),
        ),
    });
    let fixture = Fixture::new(&server, "gemini-next");
    fixture.ask("a").unwrap();
    assert!(fixture.ask("b").unwrap_err().ends_run());
}

#[test]
fn a_refusal_of_openai_keeps_its_usage() {
    let chunk = |delta: serde_json::Value, end: Option<&str>| {
        let chunk = json!({"model": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
        format!("data: {chunk}\n\n")
    };
    let mut text = chunk(json!({"role": "assistant", "content": "", "refusal": null}), None);
    for word in 0..20 {
        text += &chunk(json!({"refusal": format!("word {word} ")}), None);
    }
    text += &chunk(json!({}), Some("stop"));
    text += "data: {\"model\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":42}}\n\n";
    text += "data: [DONE]\n\n";
    let server = first(events(&text));
    let answer = Fixture::new(&server, "openai:x").ask("a").unwrap();
    assert_eq!((answer.stop, answer.text.as_str()), (StopReason::Refused, ""));
    assert_eq!((answer.usage.uncached_input, answer.usage.output_visible), (11, 42));
}

/// A chunk of a Gemini stream with a stop reason.
fn gemini_chunk(text: &str, end: &str) -> String {
    let candidate = json!({"content": {"parts": [{"text": text}]}, "finishReason": end});
    format!("data: {}\n\n", json!({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 5}}))
}

#[test]
fn gemini_may_repeat_its_stop_reason() {
    let parts: Vec<String> = (0..12).map(|part| format!("part {part} ")).collect();
    let text: String = parts.iter().map(|part| gemini_chunk(part, "STOP")).collect();
    let server = first(events(&text));
    let answer = Fixture::new(&server, "gemini-next").ask("a").unwrap();
    assert_eq!((answer.stop, answer.text), (StopReason::End, parts.concat()));

    let cut: String = parts.iter().map(|part| gemini_chunk(part, "STOP")).collect();
    let server = first(events(&(cut + &gemini_chunk("end", "MAX_TOKENS"))));
    let answer = Fixture::new(&server, "gemini-next").ask("a").unwrap();
    assert_eq!(answer.stop, StopReason::MaxTokens);
}

#[test]
fn a_server_that_goes_on_after_the_answer_is_not_read_for_ever() {
    let ping = "data: {\"candidates\":[]}\n\n".repeat(1000);
    let answer = gemini_chunk("all", "STOP");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999999999\r\n\r\n";
    let server = first(Play::Raw(format!("{head}{answer}{ping}").into_bytes()));
    assert_eq!(Fixture::new(&server, "gemini-next").ask("a").unwrap().text, "all");
}

#[test]
fn a_bare_error_of_gemini_after_events_is_an_error() {
    let error =
        json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    for bare in [format!("{error:#}"), error.to_string(), format!("[{error}\n]\n")] {
        for end in ["\n", "\n\n", ""] {
            let text = gemini_chunk("half of it", "STOP") + &bare + end;
            let server = first(events(&text));
            let fixture = Fixture::new(&server, "gemini-next");
            assert_eq!(fixture.ask("a").unwrap().text, "ok", "{text}");
            assert_eq!((server.log().len(), fixture.client.totals().lost), (2, 1));
        }
    }
}

#[test]
fn a_cancelled_call_is_retried() {
    let cancelled =
        json!({"error": {"code": 499, "message": "The operation was cancelled.", "status": "CANCELLED"}});
    let server = first(Play::refusal(499, &cancelled));
    assert_eq!(Fixture::new(&server, "gemini-next").ask("a").unwrap().text, "ok");
    let text = gemini_chunk("half", "STOP") + &format!("data: {cancelled}\n\n");
    let server = first(events(&text));
    assert_eq!(Fixture::new(&server, "gemini-next").ask("a").unwrap().text, "ok");
}

#[test]
fn a_page_of_html_is_not_charged_and_stops_the_run_soon() {
    let page = "<html><body>Sign in to the hotel network</body></html>";
    let server = Server::start(move |_| {
        Play::Status(200, vec![("content-type", "text/html; charset=utf-8".to_owned())], page.to_owned())
    });
    let fixture = Fixture::new(&server, "gemini-3.1-pro-preview");
    let error = fixture.ask("a").unwrap_err();
    assert!(matches!(error, AskError::Stopped { .. }), "{error:?}");
    assert_eq!(error.hint(), Some("check the base URL, and the proxy if there is one"));
    assert_eq!((server.log().len(), fixture.client.totals().lost), (3, 0));
}

#[test]
fn an_answer_that_is_compressed_all_the_same_is_read() {
    use std::io::Write;
    for text in [gemini_chunk("packed", "STOP"), gemini_chunk(&"long ".repeat(50_000), "STOP")] {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";
        let server = first(Play::Raw([head.as_bytes(), &packed.finish().unwrap()].concat()));
        let answer = Fixture::new(&server, "gemini-next").ask("a").unwrap();
        assert!(answer.text.starts_with("packed") || answer.text.starts_with("long "), "{}", answer.text);
        assert_eq!(server.log().len(), 1);
    }
}

#[test]
fn a_table_of_the_user_serves_servers_that_know_other_fields() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("models.json");
    let own = r#"{"providers":{"openai":{"max_output_tokens":4096,"output_limit_field":"max_tokens"}},
        "models":[{"name":"mistral","request":{"stream_options":null,"temperature":0.5}}]}"#;
    fs_err::write(&file, own).unwrap();
    let table = model_client::ModelTable::with(&file).unwrap();
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let env = |variable: &str| (variable == "OPENAI_BASE_URL").then(|| server.url());
    let model = model_client::from_name("openai:mistral", &table, &settings(), &env).unwrap();
    model.ask(&super::request("a"), &mut || ()).unwrap();
    let mut body = server.log().remove(0).asked.body;
    body.as_object_mut().unwrap().remove("messages");
    assert_eq!(body, json!({"model": "mistral", "stream": true, "max_tokens": 4096, "temperature": 0.5}));
}

#[test]
fn an_unknown_price_is_not_zero() {
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let priced = Fixture::new(&server, "claude-sonnet-4-6");
    let unpriced = Fixture::new(&server, "openai:qwen");
    assert_eq!(unpriced.client.totals().cost(), "$0.00");
    priced.ask("a").unwrap();
    unpriced.ask("a").unwrap();
    assert_eq!(priced.client.totals().cost(), "$0.00");
    assert_eq!(unpriced.client.totals().cost(), "price unknown");
}

#[test]
fn summaries_of_thoughts_keep_a_silent_model_alive_and_are_not_text() {
    let gemini = r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}"#;
    let claude =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#;
    let other = r#"{"choices":[{"delta":{"reasoning_content":"hm","content":null}}]}"#;
    for (model, thought) in [("gemini-4-argon", gemini), ("claude-opus-5-5", claude), ("openai:x", other)] {
        let settings = super::impatient(std::time::Duration::from_millis(1500));
        let (port, connections) = super::transport::accept(move |mut connection| {
            use std::io::{Read, Write};
            drop(connection.read(&mut vec![0; 64 << 10]));
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            connection.write_all(head.as_bytes()).unwrap();
            for _ in 0..6 {
                std::thread::sleep(std::time::Duration::from_millis(500));
                connection.write_all(format!("data: {thought}\n\n").as_bytes()).unwrap();
            }
            let end = match model.get(..6) {
                Some("gemini") => gemini_chunk("ok", "STOP"),
                Some("claude") => [
                    r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"ok"}}"#,
                    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
                ]
                .map(|event| format!("data: {event}\n\n"))
                .concat(),
                _ => "data: {\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\n"
                    .to_owned(),
            };
            connection.write_all(end.as_bytes()).unwrap();
        });
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("answers.jsonl");
        let url = format!("http://127.0.0.1:{port}");
        let client = super::client(&url, model, &journal, settings, &common::interrupt::Interrupt::new());
        assert_eq!(client.ask(&super::request("a")).unwrap().text, "ok");
        assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1, "{model}");
    }
}
