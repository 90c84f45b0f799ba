//! The key goes to the server and nowhere else.

use common::interrupt::Interrupt;
use model_client::{AskError, Client, Fault, Journal, ModelError, ModelTable};
use serde_json::json;
use testkit::{Play, Reply as Said, Server};

use super::{CANARY, Fixture, request, settings};

#[test]
fn the_key_is_in_its_header_and_nowhere_else() {
    let headers = [
        ("claude-sonnet-4-6", "x-api-key"),
        ("gemini-4-argon", "x-goog-api-key"),
        ("openai:gpt-5.1", "authorization"),
    ];
    for (model, name) in headers {
        // A server that echoes what it got, as some do.
        let server = Server::start(move |asked| {
            let key = asked.header(name).unwrap_or_default().to_owned();
            match asked.number {
                1 => Play::refusal(500, &json!({"error": {"message": format!("trouble with {key}")}})),
                2 => Play::Answer(Said::new(format!("your key is {key}"))),
                _ => Play::refusal(401, &json!({"error": {"message": format!("wrong key: {key}")}})),
            }
        });
        let fixture = Fixture::new(&server, model);
        let answer = fixture.ask("a").unwrap();
        let error = fixture.ask("b").unwrap_err();
        let seen = [format!("{answer:?} {error} {error:?}"), fixture.journal()].concat();
        assert!(!seen.contains(CANARY), "{seen}");
        assert!(
            answer.text.ends_with("your key is [key]") || answer.text.ends_with("Bearer [key]"),
            "{answer:?}"
        );
        for logged in server.log() {
            assert!(logged.asked.header(name).unwrap().ends_with(CANARY));
            let elsewhere = logged.asked.headers.iter().filter(|(found, _)| found != name);
            assert!(!format!("{:?} {}", elsewhere.collect::<Vec<_>>(), logged.asked.body).contains(CANARY));
        }
    }
}

#[test]
fn a_short_key_does_not_damage_answers() {
    let server = Server::start(|_| Play::Answer(Said::new("a test of the dummy key, as they say")));
    for key in ["k", "test", "dummy"] {
        let env =
            |variable: &str| Some(if variable.ends_with("_KEY") { key.to_owned() } else { server.url() });
        let table = ModelTable::built_in().unwrap();
        let model = model_client::from_name("gemini-4-argon", &table, &settings(), &env).unwrap();
        let reply = model.ask(&request("a"), &mut || ()).unwrap();
        assert_eq!(reply.text, "a test of the dummy key, as they say");
    }
}

#[test]
fn a_missing_key_is_reported_before_anything_is_sent() {
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let check = |name: &str, set: &[&str], expect: Option<&str>| {
        let env = |variable: &str| set.contains(&variable).then(|| server.url());
        let model =
            model_client::from_name(name, &ModelTable::built_in().unwrap(), &settings(), &env).unwrap();
        let asked = server.log().len();
        let error = model.ask(&request("a"), &mut || ()).err();
        let found =
            error.as_ref().map(|error| format!("{error}: {}", error.hint.as_deref().unwrap_or_default()));
        assert_eq!(found.as_deref(), expect, "{name} {set:?}");
        assert!(error.is_none_or(|error| error.fault == Fault::Permanent));
        assert_eq!(server.log().len() - asked, usize::from(expect.is_none()));
    };
    let gemini = Some("no key for gemini-4-argon: set GEMINI_API_KEY");
    check("gemini-4-argon", &[], gemini);
    check("gemini-4-argon", &["GEMINI_BASE_URL", "OPENAI_API_KEY"], gemini);
    check("claude-sonnet-4-6", &[], Some("no key for claude-sonnet-4-6: set ANTHROPIC_API_KEY"));
    check("openai:gpt-5.1", &[], Some("no key for gpt-5.1: set OPENAI_API_KEY"));
    // A server of one's own may want no key.
    check("openai:qwen", &["OPENAI_BASE_URL"], None);
}

#[test]
fn no_key_is_needed_for_what_is_in_the_journal() {
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let fixture = Fixture::new(&server, "gemini-4-argon");
    let answer = fixture.ask("a").unwrap();
    let journal = Journal::open(&fixture.journal).unwrap();
    let offline = "gemini-4-argon";
    let model =
        model_client::from_name(offline, &ModelTable::built_in().unwrap(), &settings(), &|_| None).unwrap();
    let client = Client::new(model, journal, settings(), &Interrupt::new());
    assert_eq!(client.ask(&request("a")).unwrap(), answer);
    let error = client.ask(&request("b")).unwrap_err();
    let AskError::Stopped { message, hint } = error else { panic!("{error:?}") };
    assert_eq!(message, "no key for gemini-4-argon");
    assert_eq!(hint.as_deref(), Some("set GEMINI_API_KEY"));
}

#[test]
fn a_redirect_does_not_send_the_key_elsewhere() {
    let thief = Server::start(|_| Play::Answer(Said::new("thanks")));
    let url = thief.url();
    let server = Server::start(move |_| Play::Status(307, vec![("location", url.clone())], String::new()));
    let error = Fixture::new(&server, "gemini-4-argon").ask("a").unwrap_err();
    assert_eq!(error.to_string(), "Gemini answered 307: nothing");
    assert_eq!(error.hint(), Some("check the base URL"));
    assert!(error.ends_run());
    assert!(thief.log().is_empty());
}

#[test]
fn names_that_would_change_the_url_are_rejected() {
    for name in ["gemini-../../x", "gemini-x?y", "gemini:", "openai:a b", "openai:a\r\nb", "gpt-5", ""] {
        let found = model_client::from_name(name, &ModelTable::built_in().unwrap(), &settings(), &|_| {
            Some("k".to_owned())
        });
        if name == "gemini-../../x" {
            assert!(found.is_ok(), "a slash is part of some names, and the server decides");
        } else {
            assert!(matches!(found, Err(ModelError::Unknown(_))), "{name:?}");
        }
    }
}

#[test]
fn a_retired_model_names_its_successor_and_replays_from_the_journal() {
    let retired = "gemini-3-pro-preview";
    let server = Server::start(|_| Play::Answer(Said::new("ok")));
    let fixture = Fixture::new(&server, retired);
    let answer = fixture.ask("a").unwrap();
    let env = |variable: &str| (variable == "GEMINI_API_KEY").then(|| "k".to_owned());
    let model =
        model_client::from_name(retired, &ModelTable::built_in().unwrap(), &settings(), &env).unwrap();
    let journal = Journal::open(&fixture.journal).unwrap();
    let client = Client::new(model, journal, settings(), &Interrupt::new());
    assert_eq!(client.ask(&request("a")).unwrap(), answer);
    let error = client.ask(&request("b")).unwrap_err();
    assert_eq!(error.to_string(), "gemini-3-pro-preview was shut down on 2026-03-09");
    assert_eq!(error.hint(), Some("use --model gemini-4-argon"));
}
