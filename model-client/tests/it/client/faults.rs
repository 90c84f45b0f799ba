//! Faults between client and server, and how they are handled.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use model_client::{AskError, CallSettings, Journal, Limit};
use rustix::io::ioctl_fionbio;
use rustix::net::{self, AddressFamily, SocketType};
use serde_json::json;
use testkit::faults::{self, Rates};
use testkit::{Format, Play, Reply as Said, Server};

use super::{Fixture, client, impatient, on_threads, settings};

const MODELS: [&str; 3] = ["claude-sonnet-4-6", "gemini-3-pro-preview", "openai:gpt-5.1"];

/// A server that plays this first, and then answers.
fn first(play: Play) -> Server {
    Server::start(move |asked| if asked.number == 1 { play.clone() } else { Play::Answer(Said::new("ok")) })
}

fn said() -> Said {
    Said::new("a long answer ".repeat(100))
}

#[test]
fn transient_errors_are_retried() {
    let html = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let html_page = || vec![("content-type", "text/html".to_owned())];
    let events = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let stream = |rest: &[u8]| Play::Raw([&events[..], rest].concat());
    let plays = [
        Play::Status(500, Vec::new(), String::new()),
        Play::Status(502, html_page(), html.to_owned()),
        Play::Status(504, Vec::new(), "{".to_owned()),
        Play::Status(408, Vec::new(), "null".to_owned()),
        Play::Status(400, vec![("x-should-retry", "true".to_owned())], String::new()),
        Play::Status(200, html_page(), html.to_owned()),
        Play::Status(200, Vec::new(), String::new()),
        Play::refusal(
            529,
            &json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
        ),
        Play::refusal(503, &json!([{"error": {"code": 503, "message": "The model is overloaded."}}])),
        Play::Cut(said()),
        Play::ErrorInStream(said(), "overloaded_error".to_owned()),
        Play::ErrorInStream(said(), "api_error".to_owned()),
        Play::HangUp,
        Play::EndlessHeaders,
        Play::Endless,
        Play::Raw(b"garbage\r\n\r\n".to_vec()),
        Play::Raw(b"HTTP/1.1 999999 \xff\xfe\r\n\r\n".to_vec()),
        Play::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec()),
        stream(b"data: {not json}\n\n"),
        stream(
            b"data: 7\n\ndata: []\n\ndata: {\"candidates\":7,\"choices\":{},\"type\":\"message_delta\"}\n\n",
        ),
        stream(b"\xff\xff\xff\xff\n\n"),
        stream(&vec![b'x'; 9 << 20]),
    ];
    for model in MODELS {
        std::thread::scope(|scope| {
            for play in &plays {
                scope.spawn(move || {
                    let server = first(play.clone());
                    let fixture = Fixture::new(&server, model);
                    let answer = fixture.ask("a").unwrap_or_else(|error| panic!("{model} {play:?}: {error}"));
                    assert_eq!((answer.text.as_str(), server.log().len()), ("ok", 2), "{model} {play:?}");
                    assert_eq!(fixture.journal().lines().count(), 1);
                });
            }
        });
    }
}

#[test]
fn a_silent_server_is_retried() {
    for model in MODELS {
        let server = first(Play::Stall(said(), Duration::from_mins(10)));
        let fixture = Fixture::with(&server, model, impatient(Duration::from_secs(1)));
        assert_eq!(fixture.ask("a").unwrap().text, "ok");
        assert!(fixture.client.totals().lost >= 1);
    }
}

#[test]
fn permanent_errors_stop_the_run_with_the_providers_words() {
    let google_quota = |id: &str, value: &str, message: &str| {
        json!({"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": [
            {"violations": [{"quotaId": id, "quotaValue": value}]},
            {"retryDelay": "1s"}]}})
    };
    let cases = [
        (
            "claude-sonnet-4-6",
            401,
            json!({"error": {"type": "authentication_error", "message": "invalid x-api-key"}}),
        ),
        ("claude-sonnet-4-6", 400, json!({"error": {"message": "Your credit balance is too low"}})),
        (
            "claude-sonnet-4-6",
            429,
            json!({"error": {"message": "This request would exceed your spend limit"}}),
        ),
        ("gemini-3-pro-preview", 403, json!({"error": {"code": 403, "message": "API key not valid"}})),
        ("gemini-3-pro-preview", 404, json!([{"error": {"message": "models/x is not found"}}])),
        ("gemini-3-pro-preview", 429, google_quota("GenerateRequestsPerDayPerProject", "250", "of the day")),
        ("gemini-3-pro-preview", 429, google_quota("GenerateRequestsPerMinute", "0", "none at all")),
        ("gemini-3-pro-preview", 429, json!({"error": {"message": "Please retry in 10h17m5.7s."}})),
        (
            "openai:gpt-5.1",
            429,
            json!({"error": {"code": "insufficient_quota", "message": "check your plan"}}),
        ),
        ("openai:gpt-5.1", 402, json!({"error": "payment required"})),
    ];
    let mut messages = Vec::new();
    for (model, status, body) in cases {
        let server = Server::start(move |_| Play::refusal(status, &body));
        let fixture = Fixture::new(&server, model);
        let error = fixture.ask("a").unwrap_err();
        assert!(matches!(error, AskError::Stopped { .. }), "{error:?}");
        messages.push(format!("{error} ({})", error.hint().unwrap_or_default()));
        assert_eq!(fixture.ask("b").unwrap_err(), error, "no further request is sent");
        assert_eq!(server.log().len(), 1);
        assert_eq!(fixture.journal(), "");
    }
    insta::assert_snapshot!(messages.join("\n"), @r"
    Anthropic answered 401: invalid x-api-key (check the key)
    Anthropic answered 400: Your credit balance is too low ()
    Anthropic answered 429: This request would exceed your spend limit ()
    Gemini answered 403: API key not valid (check the key)
    Gemini answered 404: models/x is not found (check the model's name)
    Gemini answered 429: of the day ()
    Gemini answered 429: none at all ()
    Gemini answered 429: Please retry in 10h17m5.7s. ()
    the model's server answered 429: check your plan ()
    the model's server answered 402: payment required (check the account)
    ");
}

#[test]
fn a_requested_wait_is_honoured() {
    for (model, format) in MODELS.iter().zip([Format::Anthropic, Format::Gemini, Format::OpenAi]) {
        let wait = Duration::from_millis(300);
        let server = first(faults::rate_limited(format, wait));
        let fixture = Fixture::new(&server, model);
        let started = Instant::now();
        fixture.ask("a").unwrap();
        assert!(started.elapsed() >= wait, "{model}");
        assert_eq!(server.log().len(), 2, "{model}");
    }
}

#[test]
fn a_call_that_keeps_failing_fails_alone() {
    let server = Server::start(|asked| {
        if asked.prompt.ends_with("Write bad.") { Play::Cut(said()) } else { Play::Answer(said()) }
    });
    let fixture = Fixture::with(&server, "claude-sonnet-4-6", CallSettings { attempts: 3, ..settings() });
    let AskError::GaveUp { code, attempts, message, .. } = fixture.ask("bad").unwrap_err() else { panic!() };
    assert_eq!((code, attempts), ("cut_off", 3));
    assert!(message.starts_with("Anthropic gave no complete answer: "), "{message}");
    fixture.ask("good").unwrap();
    assert_eq!(fixture.client.totals().lost, 3);
}

#[test]
fn many_failures_in_a_row_stop_the_run() {
    let server = Server::start(|_| Play::Status(500, Vec::new(), "broken".to_owned()));
    let settings = CallSettings { attempts: 2, max_failures: 3, ..settings() };
    let fixture = Fixture::with(&server, "claude-sonnet-4-6", settings);
    let errors: Vec<_> = ["a", "b", "c", "d"].map(|task| fixture.ask(task).unwrap_err()).into();
    assert!(!errors[1].ends_run());
    assert_eq!(errors[2], AskError::Limit(Limit::Failures(3)));
    assert_eq!(errors[3], errors[2]);
    assert_eq!(server.log().len(), 6);
}

#[test]
fn an_unreachable_server_stops_the_run_soon() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("answers.jsonl");
    let url = format!("http://user:secret@127.0.0.1:{port}");
    let client = client(&url, "openai:x", &journal, settings(), &common::interrupt::Interrupt::new());
    let error = client.ask(&super::request("a")).unwrap_err();
    assert!(matches!(error, AskError::Stopped { .. }), "{error:?}");
    let message = error.to_string().replace(&port.to_string(), "PORT");
    insta::assert_snapshot!(message, @"cannot ask the model's server at 127.0.0.1:PORT: io: Connection refused (os error 111)");
}

/// As a firewall does that drops packets.
#[test]
fn a_server_that_answers_no_packet_stops_the_run_within_seconds() {
    let queue = FullQueue::new();
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("answers.jsonl");
    let interrupt = common::interrupt::Interrupt::new();
    let client = client(&format!("http://{}", queue.address), "openai:x", &journal, settings(), &interrupt);
    let started = Instant::now();
    let error = client.ask(&super::request("a")).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert!(matches!(error, AskError::Stopped { .. }), "{error:?}");
    let message = error.to_string().replace(&queue.address.to_string(), "ADDRESS");
    insta::assert_snapshot!(message, @"cannot ask the model's server at ADDRESS: no connection within 5s");
}

/// A listener that accepts nothing, and whose queue is full: the kernel drops further requests for a connection.
struct FullQueue {
    address: SocketAddr,
    _listener: OwnedFd,
    _queued: Vec<OwnedFd>,
}

impl FullQueue {
    fn new() -> Self {
        let socket = || net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let listener = socket();
        net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        net::listen(&listener, 0).unwrap();
        let address = SocketAddr::try_from(net::getsockname(&listener).unwrap()).unwrap();
        let queued = (0..16).map(|_| {
            let socket = socket();
            ioctl_fionbio(&socket, true).unwrap();
            // It is on its way, or in the queue, or dropped.
            let _ = net::connect(&socket, &address);
            socket
        });
        Self { address, _queued: queued.collect(), _listener: listener }
    }
}

#[test]
fn a_wrong_key_stops_a_run_of_many_calls_after_one() {
    let server = Server::start(|_| Play::refusal(401, &json!({"error": {"message": "invalid x-api-key"}})));
    // A prefix that is long enough to be cached: the first call goes alone.
    let prefix = model_client::Prefix::from("x".repeat(40_000));
    let fixture = Fixture::with(&server, "claude-sonnet-4-6", CallSettings { workers: 64, ..settings() });
    let started = Instant::now();
    std::thread::scope(|scope| {
        for task in 0..64 {
            let (fixture, prefix) = (&fixture, prefix.clone());
            scope.spawn(move || {
                let request = model_client::Request { prefix, ..super::request(&task.to_string()) };
                assert!(fixture.client.ask(&request).unwrap_err().ends_run());
            });
        }
    });
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(server.log().len(), 1);
}

#[test]
fn a_bad_day_loses_no_answer() {
    let server = Server::start(|asked| {
        let answer = Said::new(format!("{} {}", asked.prompt, "word ".repeat(200)));
        Rates::BAD_DAY.strike(asked, answer, Duration::from_millis(20))
    });
    let settings = CallSettings { workers: 16, ..impatient(Duration::from_secs(2)) };
    let fixture = Fixture::with(&server, "gemini-3-pro-preview", settings);
    on_threads(16, 200, |task| {
        fixture.ask(task).unwrap();
    });
    let given: Vec<String> = server.log().into_iter().filter_map(|logged| logged.given).collect();
    let journal: Vec<serde_json::Value> =
        fixture.journal().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kept: Vec<&str> = journal.iter().map(|answer| answer["text"].as_str().unwrap()).collect();
    assert_eq!((kept.len(), given.len()), (200, 200));
    assert_eq!(
        kept.into_iter().collect::<BTreeSet<_>>(),
        given.iter().map(String::as_str).collect::<BTreeSet<_>>()
    );
    assert!(server.log().len() > 230, "faults did strike");
    let reopened = Journal::open(&fixture.journal).unwrap();
    assert_eq!((reopened.len(), reopened.damage()), (200, &[][..]));
}

#[test]
fn a_complete_answer_is_kept_though_the_connection_breaks_after_it() {
    let event = r#"{"candidates":[{"content":{"parts":[{"text":"paid"}]},"finishReason":"STOP"}]}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n";
    let server = first(Play::Raw(format!("{head}data: {event}\n\n").into_bytes()));
    let fixture = Fixture::new(&server, "gemini-3-pro-preview");
    assert_eq!(fixture.ask("a").unwrap().text, "paid");
    assert_eq!(server.log().len(), 1);
}
