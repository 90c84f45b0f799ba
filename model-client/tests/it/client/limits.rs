//! Limits: calls in flight, cost, deadline, interrupts.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::interrupt::Interrupt;
use model_client::{AskError, CallSettings, Limit, Prefix, Request};
use testkit::{Play, Reply as Said, Server};

use super::{Fixture, client, request, settings};

/// A prefix that every provider caches.
fn long_prefix() -> Prefix {
    Prefix::from("All of them are told this. ".repeat(2000))
}

fn ask_all(fixture: &Fixture, tasks: usize, prefix: &Prefix) -> Vec<Result<String, AskError>> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..tasks)
            .map(|task| {
                let request = Request { prefix: prefix.clone(), ..request(&task.to_string()) };
                scope.spawn(move || fixture.client.ask(&request).map(|answer| answer.text))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn no_more_calls_are_in_flight_than_workers() {
    let server = Server::start(|_| {
        Play::Answer(Said::new("ok").taking(Duration::from_millis(30), Duration::from_millis(60)))
    });
    let fixture = Fixture::with(&server, "openai:x", CallSettings { workers: 4, ..settings() });
    let answers = ask_all(&fixture, 16, &Prefix::from("short"));
    assert!(answers.iter().all(Result::is_ok));
    assert!(server.most_at_once() <= 4, "{}", server.most_at_once());
}

#[test]
fn the_first_call_goes_alone_until_its_answer_starts() {
    let first = Duration::from_millis(100);
    let server = Server::start(move |_| Play::Answer(Said::new("ok").taking(first, Duration::from_secs(2))));
    let fixture = Fixture::with(&server, "claude-sonnet-4-6", CallSettings { workers: 8, ..settings() });
    let answers = ask_all(&fixture, 8, &long_prefix());
    assert!(answers.iter().all(Result::is_ok));
    let log = server.log();
    let (leader, others) = log.split_first().unwrap();
    // The others come when the answer to the first has started, and before it has ended.
    assert!(others.iter().all(|other| other.came - leader.came >= first.as_secs_f64()));
    assert!(others.iter().all(|other| other.came < leader.done.unwrap()));
    let usage = fixture.client.totals().usage;
    assert!(usage.cache_read > 6 * usage.cache_write_5m, "{usage:?}");
}

#[test]
fn a_warm_up_of_zero_starts_all_calls_at_once() {
    let all_are_there = Barrier::new(4);
    let server = Server::start(move |_| {
        all_are_there.wait();
        Play::Answer(Said::new("ok"))
    });
    let at_once = CallSettings { workers: 4, warm_up: Duration::ZERO, ..settings() };
    let fixture = Fixture::with(&server, "claude-sonnet-4-6", at_once);
    assert!(ask_all(&fixture, 4, &long_prefix()).iter().all(Result::is_ok));
}

#[test]
fn when_the_first_call_fails_another_takes_its_place() {
    let server = Server::start(|asked| match asked.number {
        1 => Play::Status(413, Vec::new(), "too large".to_owned()),
        _ => Play::Answer(Said::new("ok")),
    });
    let fixture = Fixture::with(&server, "claude-sonnet-4-6", settings());
    let answers = ask_all(&fixture, 4, &long_prefix());
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
}

#[test]
fn the_number_of_calls_adapts_to_the_server() {
    static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
    let server = Server::start(|_| {
        // It answers four at a time, and rejects the rest.
        if AT_ONCE.fetch_add(1, Ordering::SeqCst) >= 4 {
            AT_ONCE.fetch_sub(1, Ordering::SeqCst);
            return Play::Status(429, Vec::new(), String::new());
        }
        thread::sleep(Duration::from_millis(10));
        AT_ONCE.fetch_sub(1, Ordering::SeqCst);
        Play::Answer(Said::new("ok"))
    });
    let fixture = Fixture::with(&server, "openai:x", CallSettings { workers: 32, ..settings() });
    let answers = ask_all(&fixture, 200, &Prefix::from("short"));
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(fixture.client.totals().answers, 200);
}

#[test]
fn the_cost_limit_holds_with_many_calls_in_flight() {
    // Two million tokens cost twelve dollars; a call costs 2 000 output tokens at most, and takes 1 000.
    let server = Server::start(|_| {
        Play::Answer(Said::new("x".repeat(4000)).taking(Duration::ZERO, Duration::from_millis(20)))
    });
    let max_cost = 0.2;
    let settings = CallSettings { workers: 16, max_cost: Some(max_cost), ..settings() };
    let fixture = Fixture::with(&server, "gemini-3-pro-preview", settings);
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..40)
            .map(|task| {
                let request = Request { max_output_tokens: Some(2000), ..request(&task.to_string()) };
                let client = &fixture.client;
                scope.spawn(move || client.ask(&request))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    let totals = fixture.client.totals();
    assert!(totals.spent <= max_cost, "{totals:?}");
    // 0.2 dollars buy 16 answers at 1 007 tokens. Half as much again is reserved for each, once their length is known.
    assert_eq!(answered, 16, "{totals:?}");
    assert_eq!(server.log().len(), answered, "nothing was asked that could not be paid");
    let errors: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(errors.iter().all(|error| matches!(error, AskError::Limit(Limit::Cost { .. }))), "{errors:?}");
    let message = errors[0].to_string();
    assert!(message.starts_with("stopped at $0.19 of $0.20: the next call may cost $0.02"), "{message}");
}

#[test]
fn the_cost_limit_counts_what_earlier_clients_spent_and_knows_the_length_of_answers() {
    let server = Server::start(|_| Play::Answer(Said::new("x".repeat(4000))));
    let (dir, interrupt) = (tempfile::tempdir().unwrap(), Interrupt::new());
    let mut answered = 0;
    // A call costs $0.79 at most, and $0.012 in fact.
    for _ in 0..4 {
        let settings = CallSettings { max_cost: Some(0.9), lost_before: 0.02, ..settings() };
        let client = client(
            &server.url(),
            "gemini-3-pro-preview",
            &dir.path().join("answers.jsonl"),
            settings,
            &interrupt,
        );
        let limit = (0..100).find_map(|task| client.ask(&request(&task.to_string())).err()).unwrap();
        assert!(
            matches!(limit, AskError::Limit(Limit::Cost { max, spent, next })
            if max <= 0.9 && spent > 0.85 && next < 0.02),
            "{limit:?}"
        );
        assert!(client.totals().committed() <= 0.9, "{:?}", client.totals());
        answered += client.totals().answers;
    }
    assert_eq!(answered, 72, "88 cents buy 72 answers at 1 007 tokens");
}

#[test]
fn calls_that_break_off_count_at_their_worst_case() {
    let server = Server::start(|asked| {
        let answer = Said::new("x".repeat(4000));
        if asked.number.is_multiple_of(3) { Play::Cut(answer) } else { Play::Answer(answer) }
    });
    let settings = CallSettings { workers: 16, max_cost: Some(0.5), ..settings() };
    let fixture = Fixture::with(&server, "gemini-3-pro-preview", settings);
    let answered = thread::scope(|scope| {
        let client = &fixture.client;
        let ask = move |task: usize| {
            let request = Request { max_output_tokens: Some(2000), ..request(&task.to_string()) };
            client.ask(&request).is_ok()
        };
        let threads: Vec<_> = (0..60).map(|task| scope.spawn(move || ask(task))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|ok| *ok).count()
    });
    let totals = fixture.client.totals();
    assert!(totals.committed() <= 0.5, "{totals:?}");
    // An answer costs $0.012, and every other one loses $0.024 beside it.
    assert!(answered >= 18, "{answered} {totals:?}");
    let cut = server.log().iter().filter(|logged| logged.given.is_none()).count();
    assert_eq!(totals.lost, cut as u64);
}

#[test]
fn an_unknown_price_is_an_error_only_with_a_cost_limit() {
    let table = model_client::ModelTable::built_in().unwrap();
    let named = |settings: &CallSettings| {
        model_client::from_name("claude-next", &table, settings, &|_| Some("k".to_owned())).map(|_| ())
    };
    assert!(named(&settings()).is_ok());
    let error = named(&CallSettings { max_cost: Some(1.0), ..settings() }).unwrap_err();
    assert_eq!(error.to_string(), "the price of claude-next is unknown");
}

#[test]
fn the_deadline_stops_the_run() {
    let server = Server::start(|_| Play::Status(503, Vec::new(), String::new()));
    let settings = CallSettings { deadline: Some(Duration::from_millis(200)), ..settings() };
    let fixture = Fixture::with(&server, "openai:x", settings);
    assert_eq!(fixture.ask("a").unwrap_err(), AskError::Limit(Limit::Deadline));
    assert_eq!(fixture.ask("b").unwrap_err(), AskError::Limit(Limit::Deadline));
}

#[test]
fn the_first_interrupt_lets_calls_finish_and_starts_no_other() {
    let server = Server::start(|_| {
        Play::Answer(Said::new("ok").taking(Duration::from_millis(100), Duration::from_secs(2)))
    });
    let fixture = Fixture::with(&server, "openai:x", CallSettings { workers: 2, ..settings() });
    thread::scope(|scope| {
        let asked: Vec<_> = (0..6)
            .map(|task| {
                scope.spawn({
                    let fixture = &fixture;
                    move || fixture.ask(&task.to_string())
                })
            })
            .collect();
        server.wait_for(2);
        fixture.interrupt.raise();
        let answers: Vec<_> = asked.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
        assert!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|error| *error == AskError::Interrupted)
        );
    });
    assert_eq!((server.log().len(), fixture.journal().lines().count()), (2, 2));
}

#[test]
fn the_second_interrupt_aborts_calls() {
    let server = Server::start(|_| {
        Play::Answer(Said::new("ok").taking(Duration::from_secs(30), Duration::from_secs(30)))
    });
    let fixture = Fixture::new(&server, "openai:x");
    let started = Instant::now();
    thread::scope(|scope| {
        let asked = scope.spawn(|| fixture.ask("a"));
        server.wait_for(1);
        fixture.interrupt.raise();
        fixture.interrupt.raise();
        assert_eq!(asked.join().unwrap().unwrap_err(), AskError::Interrupted);
    });
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(fixture.journal(), "");
}
