//! The ledger as runs see it: through its program and its client.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use fs_err as fs;
use ledger::{Flow, Ledger, LedgerError, Outcome};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fleet-ledger");

/// A ledger that serves; it is killed when this is dropped.
struct Serving(Child);

impl Serving {
    /// Starts a ledger, and returns when it listens.
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg(dir).args(arguments).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening at"), "{line}");
        Self(child)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn client(dir: &Path, run: &str) -> Ledger {
    Ledger::new(&dir.join("ledger.json"), run, "provider")
}

fn answered(cost: f64) -> Outcome {
    Outcome { cost, flow: Flow::Answered, wait: None }
}

fn status(dir: &Path) -> String {
    let output = Command::new(PROGRAM).arg("status").arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn never() -> bool {
    false
}

#[test]
fn the_budget_holds_over_all_runs_and_over_restarts() {
    let dir = TempDir::new().unwrap();
    let budget = ["--max-cost", "1.00", "--lease-sec", "3600"];
    let (a, b) = (client(dir.path(), "a"), client(dir.path(), "b"));
    let serving = Serving::start(dir.path(), &budget);
    a.ticket(0.5, never).unwrap().settle(answered(0.2));
    let in_flight = b.ticket(0.3, never).unwrap();
    assert!(status(dir.path()).starts_with("$0.20 of $1.00 spent, $0.30 reserved"));
    // The ledger is killed while a call is in flight.
    drop(serving);
    let _serving = Serving::start(dir.path(), &budget);
    assert!(status(dir.path()).starts_with("$0.20 of $1.00 spent, $0.30 reserved"));
    in_flight.settle(answered(0.25));
    // It is reported before the next call of that run.
    b.ticket(0.5, never).unwrap().settle(answered(0.5));
    assert!(status(dir.path()).starts_with("$0.95 of $1.00 spent, $0.00 reserved"));
    let refused = LedgerError::Budget { max: 1.0, spent: 0.95, next: 0.1 };
    assert_eq!(a.ticket(0.1, never).unwrap_err(), refused);
}

#[test]
fn an_outcome_that_could_not_be_reported_is_reported_at_the_end_and_counts_once() {
    let dir = TempDir::new().unwrap();
    let run = client(dir.path(), "a");
    let serving = Serving::start(dir.path(), &[]);
    let (first, second) = (run.ticket(0.5, never).unwrap(), run.ticket(0.5, never).unwrap());
    drop(serving);
    first.settle(answered(0.2));
    second.settle(answered(0.1));
    // The second was entered before the ledger was killed, but the run did not hear so.
    let mut journal = fs::OpenOptions::new().append(true).open(dir.path().join("ledger.jsonl")).unwrap();
    writeln!(journal, "{}", json!({"settled": {"ticket": 2, "cost": 0.1}})).unwrap();
    let _serving = Serving::start(dir.path(), &[]);
    assert_eq!(run.finish(), Ok(()));
    assert!(status(dir.path()).starts_with("$0.30 spent, $0.00 reserved"));
    assert_eq!(run.finish(), Ok(()), "nothing is left to report");
    assert!(status(dir.path()).starts_with("$0.30 spent, $0.00 reserved"));
}

#[test]
fn an_outcome_that_no_ledger_takes_is_an_error_at_the_end() {
    let dir = TempDir::new().unwrap();
    let run = client(dir.path(), "a");
    let serving = Serving::start(dir.path(), &[]);
    let ticket = run.ticket(0.5, never).unwrap();
    drop(serving);
    ticket.settle(answered(0.2));
    fs::remove_file(dir.path().join("ledger.json")).unwrap();
    assert!(matches!(run.finish(), Err(LedgerError::Unreachable { .. })));
}

#[test]
fn a_call_that_ends_with_its_process_gives_its_reservation_back_after_a_time() {
    let dir = TempDir::new().unwrap();
    let _serving = Serving::start(dir.path(), &["--max-cost", "1", "--lease-sec", "0"]);
    let address: Value = serde_json::from_slice(&fs::read(dir.path().join("ledger.json")).unwrap()).unwrap();
    let call = TcpStream::connect(address["address"].as_str().unwrap()).unwrap();
    let ask = json!({"ask": {"run": "a", "provider": "provider", "worst": 0.9}});
    writeln!(&call, "{}", json!({"token": address["token"], "request": ask})).unwrap();
    let mut granted = String::new();
    BufReader::new(&call).read_line(&mut granted).unwrap();
    assert_eq!(granted, "{\"granted\":{\"ticket\":1}}\n");
    assert!(status(dir.path()).starts_with("$0.00 of $1.00 spent, $0.90 reserved"));
    // As when the process is killed: the connection is closed without an outcome.
    drop(call);
    client(dir.path(), "b").ticket(0.9, never).unwrap().settle(answered(0.1));
    assert!(status(dir.path()).starts_with("$0.10 of $1.00 spent, $0.00 reserved"));
}

#[test]
fn what_is_reserved_for_a_batch_outlives_its_process_and_the_ledger() {
    let dir = TempDir::new().unwrap();
    let options = ["--max-cost", "1", "--lease-sec", "0"];
    let serving = Serving::start(dir.path(), &options);
    let run = client(dir.path(), "a");
    assert_eq!(run.reserve_batch("first", 0.7), Ok(true));
    assert_eq!(run.reserve_batch("first", 0.7), Ok(true), "it is the same");
    assert_eq!(run.reserve_batch("second", 0.4), Ok(false));
    drop((run, serving));
    let _serving = Serving::start(dir.path(), &options);
    assert!(status(dir.path()).starts_with("$0.00 of $1.00 spent, $0.70 reserved, also for a batch"));
    let resumed = client(dir.path(), "a");
    assert!((resumed.room().unwrap().unwrap().left() - 0.3).abs() < 1e-9);
    resumed.settle_batch("first", 0.2).unwrap();
    resumed.settle_batch("first", 0.2).unwrap();
    assert!(status(dir.path()).starts_with("$0.20 of $1.00 spent, $0.00 reserved\n"));
    assert_eq!(resumed.reserve_batch("second", 0.4), Ok(true));
}

#[test]
fn a_waiting_call_ends_with_its_run() {
    let dir = TempDir::new().unwrap();
    let _serving = Serving::start(dir.path(), &["--in-flight", "1"]);
    let (a, b) = (client(dir.path(), "a"), client(dir.path(), "b"));
    let first = a.ticket(0.0, never).unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| b.ticket(0.0, || ended.load(Ordering::SeqCst)).map(drop));
        ended.store(true, Ordering::SeqCst);
        assert_eq!(waiting.join().unwrap(), Err(LedgerError::Ended));
    });
    first.settle(answered(0.0));
    // The call that was given up is not in the way.
    b.ticket(0.0, never).unwrap().settle(answered(0.0));
}

#[test]
fn no_more_calls_are_in_flight_than_allowed_and_none_is_forgotten() {
    let dir = TempDir::new().unwrap();
    let _serving = Serving::start(dir.path(), &["--in-flight", "3"]);
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for worker in 0..16 {
            let (now, most, dir) = (&now, &most, dir.path());
            scope.spawn(move || {
                let ledger = client(dir, &format!("run {}", worker % 4));
                for _ in 0..20 {
                    let ticket = ledger.ticket(0.01, never).unwrap();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    now.fetch_sub(1, Ordering::SeqCst);
                    ticket.settle(answered(0.01));
                }
            });
        }
    });
    assert!(most.into_inner() <= 3);
    assert!(status(dir.path()).starts_with("$3.20 spent, $0.00 reserved\n"));
}

#[test]
fn only_one_ledger_serves_a_folder_and_only_who_reads_its_file_is_served() {
    let dir = TempDir::new().unwrap();
    let _serving = Serving::start(dir.path(), &[]);
    let second = Command::new(PROGRAM).arg("serve").arg(dir.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    let file = dir.path().join("ledger.json");
    let address = fs::read_to_string(&file).unwrap();
    let forged = TempDir::new().unwrap();
    fs::write(forged.path().join("ledger.json"), address.replace("\"token\":\"", "\"token\":\"x")).unwrap();
    let output = Command::new(PROGRAM).arg("status").arg(forged.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the token is wrong"), "{output:?}");
}

#[test]
fn a_torn_last_line_of_the_journal_is_dropped_and_a_damaged_one_is_an_error() {
    let dir = TempDir::new().unwrap();
    let journal = dir.path().join("ledger.jsonl");
    fs::write(&journal, "{\"settled\":{\"ticket\":1,\"cost\":0.5}}\n{\"settled\":{\"ti").unwrap();
    drop(Serving::start(dir.path(), &[]));
    assert_eq!(fs::read_to_string(&journal).unwrap().lines().count(), 1);
    fs::write(&journal, "{\"settled\":{}}\n").unwrap();
    let output = Command::new(PROGRAM).arg("serve").arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ledger.jsonl"), "{output:?}");
}

#[test]
fn without_a_ledger_the_status_says_how_to_start_one() {
    let dir = TempDir::new().unwrap();
    let output = Command::new(PROGRAM).arg("status").arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("start it with: fleet-ledger serve"),
        "{output:?}"
    );
}
