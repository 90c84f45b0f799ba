//! Answers from a journal, by their label.

use std::path::Path;
use std::sync::Arc;

use common::interrupt::Interrupt;
use common::record::StopReason;
use model_client::{AskError, CallSettings, Client, Journal, Model, ModelError, ModelTable};

use super::request;

const ANSWERS: &str = r#"{"label":"readme/a","text":"one"}
{"label":"readme/a","text":"two","sample":1,"model":"m-1","stop":"max_tokens","usage":{"uncached_input":3}}
{"label":"readme/b","text":"old"}
{"label":"readme/b","text":"new"}
"#;

fn from_name(name: &str) -> Result<Arc<dyn Model>, ModelError> {
    model_client::from_name(name, &ModelTable::built_in().unwrap(), &CallSettings::default(), &|_| None)
}

fn client(dir: &Path) -> Client {
    let answers = dir.join("hand-written.jsonl");
    fs_err::write(&answers, ANSWERS).unwrap();
    let model = from_name(&format!("replay:{}", answers.display())).unwrap();
    let journal = Journal::open(&dir.join("answers.jsonl")).unwrap();
    Client::new(model, journal, CallSettings::default(), &Interrupt::new())
}

#[test]
fn label_and_sample_choose_the_answer_and_the_last_one_counts() {
    let dir = tempfile::tempdir().unwrap();
    let client = client(dir.path());
    assert_eq!(client.ask(&request("a")).unwrap().text, "one");
    assert_eq!(client.ask(&request("b")).unwrap().text, "new");
    let mut again = request("a");
    again.sample = 1;
    let second = client.ask(&again).unwrap();
    assert_eq!((second.text.as_str(), second.model.as_str(), second.sample), ("two", "m-1", 1));
    assert_eq!((second.stop, second.usage.uncached_input), (StopReason::MaxTokens, 3));
    assert_eq!(second.request.len(), 64);
}

#[test]
fn an_answer_that_is_not_there_fails_that_call_alone() {
    let dir = tempfile::tempdir().unwrap();
    let client = client(dir.path());
    let error = client.ask(&request("c")).unwrap_err();
    assert!(!error.ends_run());
    let AskError::GaveUp { code, message, attempts, .. } = error else { panic!("{error}") };
    assert_eq!((code, attempts), ("no_such_answer", 1));
    assert!(
        message.ends_with(r#"hand-written.jsonl has no answer labelled "readme/c", sample 0"#),
        "{message}"
    );
    assert_eq!(client.ask(&request("a")).unwrap().text, "one");
}

#[test]
fn replayed_answers_are_journalled_and_not_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = client(dir.path());
    let answer = first.ask(&request("a")).unwrap();
    assert_eq!((first.totals().answers, first.totals().journalled), (1, 0));
    drop(first);
    let second = client(dir.path());
    assert_eq!(second.ask(&request("a")).unwrap(), answer);
    assert_eq!((second.totals().answers, second.totals().journalled), (0, 1));
}

#[test]
fn a_missing_file_and_an_unknown_name_are_errors() {
    let missing = from_name("replay:/no/such/answers.jsonl");
    assert!(matches!(missing, Err(ModelError::Replay(_))));
    assert!(matches!(from_name("hal-9000"), Err(ModelError::Unknown(_))));
}
