//! The three wire formats: what is sent, and what is made of the answers.

use common::record::StopReason;
use common::record::Usage;
use model_client::{CallSettings, ModelAnswer, ModelTable};
use serde_json::Value;
use testkit::{End, Play, Reply as Said, Server};

use super::{Fixture, request, settings};

const MODELS: [&str; 3] = ["claude-sonnet-4-6", "gemini-3-pro-preview", "openai:gpt-5.1"];

/// What a model makes of being asked for a task by a server that plays this.
fn ask(model: &str, play: Play) -> (ModelAnswer, Value) {
    let server = Server::start(move |_| play.clone());
    let answer = Fixture::new(&server, model).ask("x").unwrap();
    (answer, server.log().remove(0).asked.body)
}

#[test]
fn requests_are_what_the_providers_want() {
    let bodies: Vec<_> = MODELS.iter().map(|model| ask(model, Play::Answer(Said::new("ok"))).1).collect();
    insta::assert_json_snapshot!(bodies);
}

#[test]
fn an_answer_is_assembled_from_its_pieces() {
    for model in MODELS {
        let text = "# Título\n\nline \"one\"\n".repeat(40);
        for play in [Play::Answer(Said::new(&text)), Play::Unstreamed(Said::new(&text))] {
            let (answer, _) = ask(model, play);
            assert_eq!(answer.text, text, "{model}");
            assert_eq!(answer.label, "readme/x");
            assert_eq!(answer.model, model.trim_start_matches("openai:"));
            assert_eq!(answer.stop, StopReason::End);
        }
    }
}

#[test]
fn a_connection_is_reused() {
    for model in MODELS {
        let server = Server::start(|_| Play::Answer(Said::new("ok")));
        let fixture = Fixture::new(&server, model);
        for task in ["a", "b", "c", "d"] {
            fixture.ask(task).unwrap();
        }
        assert_eq!((server.log().len(), server.connections()), (4, 1), "{model}");
    }
}

#[test]
fn stop_reasons_are_distinguished() {
    let check = |model, end, expect| {
        let (answer, _) = ask(model, Play::Answer(Said::new("so far").ending(end)));
        assert_eq!((answer.stop, answer.text.as_str()), (expect, "so far"), "{model} {end:?}");
    };
    for model in MODELS {
        check(model, End::Cut, StopReason::MaxTokens);
    }
    check("claude-sonnet-4-6", End::Refused, StopReason::Refused);
    check("gemini-3-pro-preview", End::Filtered, StopReason::Filtered);
    check("gemini-3-pro-preview", End::Refused, StopReason::Other);
    check("openai:gpt-5.1", End::Filtered, StopReason::Filtered);
}

/// The usage that is made of an answer that was not streamed.
fn usage(model: &str, answer: &str) -> Usage {
    let headers = vec![("content-type", "application/json".to_owned())];
    ask(model, Play::Status(200, headers, answer.to_owned())).0.usage
}

#[test]
fn usage_has_one_shape_for_all() {
    let anthropic = r#"{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":10,
        "cache_creation_input_tokens":50,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},
        "cache_read_input_tokens":400,"output_tokens":100,"output_tokens_details":{"thinking_tokens":60}}}"#;
    let gemini = r#"[{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":460,
        "cachedContentTokenCount":400,"candidatesTokenCount":40,"thoughtsTokenCount":60}}]"#;
    let openai = r#"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":460,"completion_tokens":100,
        "prompt_tokens_details":{"cached_tokens":400,"cache_write_tokens":50},
        "completion_tokens_details":{"reasoning_tokens":60}}}"#;
    let common = Usage { cache_read: 400, output_visible: 40, output_reasoning: 60, ..Usage::default() };
    let written = Usage { uncached_input: 10, cache_write_5m: 50, ..common };
    assert_eq!(
        usage("claude-sonnet-4-6", anthropic),
        Usage { cache_write_5m: 20, cache_write_1h: 30, ..written }
    );
    assert_eq!(usage("gemini-3-pro-preview", gemini), Usage { uncached_input: 60, ..common });
    assert_eq!(usage("openai:gpt-5.1", openai), written);
    // Counts that cannot be are not believed, and do not end in a panic.
    let odd = r#"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1,
        "prompt_tokens_details":{"cached_tokens":9},"completion_tokens":-4,"completion_tokens_details":null}}"#;
    assert_eq!(usage("openai:x", odd), Usage { cache_read: 1, ..Usage::default() });
}

#[test]
fn a_model_that_is_not_listed_gets_a_minimal_request() {
    let (_, anthropic) = ask("claude-next", Play::Answer(Said::new("ok")));
    assert_eq!(anthropic["max_tokens"], 32_000);
    assert_eq!(anthropic.get("thinking"), None);
    let (_, openai) = ask("openai:my/own-model:8b", Play::Answer(Said::new("ok")));
    assert_eq!(openai.get("max_completion_tokens"), None);
    assert_eq!(openai["model"], "my/own-model:8b");
}

#[test]
fn a_table_of_the_user_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.json");
    let own = r#"{"models":[{"name":"claude-sonnet-4-6","price":{"base":{"input":1,"output":2}}}]}"#;
    fs_err::write(&file, own).unwrap();
    let table = ModelTable::with(&file).unwrap();
    let facts = model_client::facts("claude-sonnet-4-6", &table).unwrap();
    let usage = Usage { uncached_input: 1_000_000, output_visible: 1_000_000, ..Usage::default() };
    assert!((facts.price.unwrap().cost(&usage) - 3.0).abs() < 1e-9);
    assert_eq!(facts.max_output_tokens, Some(128_000), "what it leaves out is taken from the built-in table");
    fs_err::write(&file, r#"{"models":[{"price":3}]}"#).unwrap();
    let error = ModelTable::with(&file).unwrap_err();
    assert!(error.to_string().ends_with("prices.json is not a valid table of prices"), "{error}");
}

#[test]
fn fingerprints_do_not_change() {
    // The journals of earlier versions have them.
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    for (model, expect) in [
        ("claude-next", "168571705b6b3188151ca3043cb84045447b73bf4f3467aca9c0b7ffced6d031"),
        ("gemini-next", "877ead4220d051d2278b6df0207d151b404629c622a3699eb2f5d9d9204009f7"),
        ("openai:next", "76058c0b3e18fd1543b065bcf4d318f1d89347d86be9b0d2ea9fced2792b5f9a"),
    ] {
        assert_eq!(Fixture::new(&server, model).ask("x").unwrap().request, expect, "{model}");
    }
}

#[test]
fn calls_that_differ_have_different_fingerprints() {
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let fresh = CallSettings { fresh: true, ..settings() };
    let fixture = Fixture::with(&server, "gemini-3-pro-preview", fresh);
    let mut asked = vec![request("a"), request("b")];
    asked.push(model_client::Request { sample: 1, ..request("a") });
    asked.push(model_client::Request { max_output_tokens: Some(100), ..request("a") });
    let mut fingerprints: Vec<_> =
        asked.iter().map(|request| fixture.client.ask(request).unwrap().request).collect();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 4);
    assert!(fingerprints.iter().all(|one| one.len() == 64));
    assert_eq!(fixture.client.ask(&asked[1]).unwrap().request, fingerprints[1]);
    assert_eq!(server.log().len(), 4, "what is in the journal is not sent again");
}
