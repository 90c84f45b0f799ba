//! The journal survives what crashes and editors do to it.

use std::path::PathBuf;
use std::process::Command;

use common::record::StopReason;
use model_client::{Damage, Journal, ModelAnswer};
use tempfile::TempDir;

fn answer(request: &str, text: &str) -> ModelAnswer {
    ModelAnswer {
        label: format!("readme/{request}"),
        request: request.to_owned(),
        model: "m-1".to_owned(),
        text: text.to_owned(),
        stop: StopReason::End,
        usage: common::record::Usage::default(),
        question: String::new(),
        cost: None,
        seconds: 1.5,
        at: 1_700_000_000,
        sample: 0,
    }
}

fn text(journal: &Journal, request: &str) -> Option<String> {
    journal.get(request).unwrap().map(|answer| answer.text)
}

struct Fixture {
    _dir: TempDir,
    path: PathBuf,
}

impl Fixture {
    /// A journal file with this content.
    fn new(content: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers.jsonl");
        fs_err::write(&path, content).unwrap();
        Self { _dir: dir, path }
    }

    /// A journal file with the answers `a` and `b`.
    fn with_two() -> Self {
        let fixture = Self::new("");
        let journal = fixture.open();
        journal.append(&answer("a", "first\nlines")).unwrap();
        journal.append(&answer("b", "second")).unwrap();
        fixture
    }

    fn open(&self) -> Journal {
        Journal::open(&self.path).unwrap()
    }

    fn content(&self) -> String {
        fs_err::read_to_string(&self.path).unwrap()
    }
}

#[test]
fn answers_are_found_again() {
    let fixture = Fixture::with_two();
    let journal = fixture.open();
    assert_eq!(journal.len(), 2);
    assert_eq!(journal.get("a").unwrap(), Some(answer("a", "first\nlines")));
    assert_eq!(journal.get("c").unwrap(), None);
    assert_eq!(fixture.content().lines().count(), 2);
}

#[test]
fn a_torn_last_line_is_cut_off_wherever_it_was_torn() {
    let whole = Fixture::with_two().content();
    let second = whole.find('\n').unwrap() + 1;
    // All but the whole line with and without its line feed.
    for cut in second + 1..whole.len() - 1 {
        let fixture = Fixture::new(&whole[..cut]);
        let journal = fixture.open();
        assert!(matches!(journal.damage(), [Damage::Torn { line: 2, .. }]), "cut at {cut}");
        assert_eq!(text(&journal, "b"), None);
        journal.append(&answer("b", "again")).unwrap();
        drop(journal);
        let journal = fixture.open();
        assert_eq!(journal.damage(), []);
        assert_eq!(text(&journal, "a").as_deref(), Some("first\nlines"));
        assert_eq!(text(&journal, "b").as_deref(), Some("again"));
    }
}

#[test]
fn a_line_feed_that_an_editor_left_out_is_added() {
    let whole = Fixture::with_two().content();
    let fixture = Fixture::new(whole.trim_end());
    let journal = fixture.open();
    assert_eq!(journal.damage(), []);
    journal.append(&answer("c", "third")).unwrap();
    drop(journal);
    let journal = fixture.open();
    assert_eq!(["a", "b", "c"].map(|request| text(&journal, request).is_some()), [true; 3]);
}

#[test]
fn bad_lines_are_reported_and_skipped() {
    let good = serde_json::to_string(&answer("a", "first")).unwrap();
    let fixture = Fixture::new(&format!("<<<<<<< HEAD\n\n{good}\n{{\"label\":\"x\"}}\n"));
    let journal = fixture.open();
    let damage: Vec<_> = journal.damage().iter().map(ToString::to_string).collect();
    assert_eq!(damage.len(), 2, "{damage:?}");
    assert!(damage[0].contains("answers.jsonl:1: not an answer"), "{damage:?}");
    assert!(damage[1].contains("answers.jsonl:4: not an answer: missing field `text`"), "{damage:?}");
    assert_eq!(text(&journal, "a").as_deref(), Some("first"));
}

#[test]
fn bytes_that_are_not_utf8_are_a_bad_line() {
    let fixture = Fixture::new("");
    let good = serde_json::to_vec(&answer("a", "first")).unwrap();
    fs_err::write(&fixture.path, [b"\xff\xfe\n", &good[..], b"\n"].concat()).unwrap();
    let journal = fixture.open();
    assert!(matches!(journal.damage(), [Damage::BadLine { line: 1, .. }]));
    assert_eq!(text(&journal, "a").as_deref(), Some("first"));
}

#[test]
fn threads_append_whole_lines() {
    let fixture = Fixture::new("");
    let journal = fixture.open();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let journal = &journal;
            scope.spawn(move || {
                for number in 0..20 {
                    let request = format!("{thread}/{number}");
                    journal.append(&answer(&request, &request.repeat(500))).unwrap();
                    assert_eq!(text(journal, &request), Some(request.repeat(500)));
                }
            });
        }
    });
    drop(journal);
    let journal = fixture.open();
    assert_eq!((journal.len(), journal.damage()), (320, &[][..]));
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_torn_line() {
    // A limit on the size of files stands in for the full disk. It is the whole process's, so another one
    // runs the test below.
    let fixture = Fixture::with_two();
    let before = fixture.content();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" --exact journal::fill_the_disk --ignored"])
        .arg(std::env::current_exe().unwrap())
        .env("JOURNAL", &fixture.path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(fixture.content(), before);
}

#[test]
#[ignore = "run by the test above"]
fn fill_the_disk() {
    let journal = Journal::open(&PathBuf::from(std::env::var_os("JOURNAL").unwrap())).unwrap();
    journal.append(&answer("c", &"x".repeat(4096))).unwrap_err();
    assert_eq!(text(&journal, "c"), None);
}
