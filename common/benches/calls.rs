//! Measures the client of models against a server on the loopback interface, which is a process of its own.
//!
//! `cargo bench -p common --bench calls -- [pace] [faults] [flight] [kill]`; without a name, all of them.
//!
//! - `pace`: how far many calls are from the ideal, calls ÷ workers × latency.
//! - `faults`: 200 calls on a bad day; the journal against the server's log.
//! - `flight`: memory and processor of 500 calls in flight, fed at once and by a trickle.
//! - `kill`: the same 200 calls, killed at 50 random moments; what was paid twice.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints")]

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::interrupt::Interrupt;
use common::journal::Journal;
use common::model::pool::Pool;
use common::model::{self, Client, Request, Settings, Shared, Table, Timeouts};
use crossbeam_channel::bounded;
use serde_json::Value;
use testkit::faults::Rates;
use testkit::{Answer, Play, Server};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["role=server", first, last, faults] => {
            serve(seconds(first), seconds(last), *faults == "faults");
        }
        ["role=client", url, journal, workers] => ask_all(url, Path::new(journal), workers.parse().unwrap()),
        [] => ["pace", "faults", "flight", "kill"].iter().for_each(|name| measure(name)),
        names => names.iter().for_each(|name| measure(name)),
    }
}

fn measure(name: &str) {
    match name {
        "pace" => pace(),
        "faults" => faults(),
        "flight" => flight(),
        "kill" => kill(),
        name => println!("no measurement is called {name}"),
    }
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().unwrap())
}

/// 150 kB that all calls share: what a README pass of a large environment begins with.
fn shared() -> Shared {
    Shared::from("Every call of the pass is told this, byte for byte. ".repeat(3000))
}

// ---- The two roles that this program has beside measuring.

/// Serves until standard input ends, then prints the log: for each request, the end of its prompt and whether
/// it was answered to the end.
fn serve(first: Duration, last: Duration, faults: bool) {
    let rates = if faults { Rates::BAD_DAY } else { Rates::default() };
    // The bench judges the client alone, for which prose and half answers are answers.
    let rates = Rates { prose: 0.0, truncated: 0.0, ..rates };
    let server = Server::start(move |asked| -> Play {
        let task = asked.prompt.rsplit(' ').next().unwrap_or_default();
        let text = format!("{task} {}", "words of an answer ".repeat(1000));
        rates.strike(
            asked,
            Answer { pieces: 50, ..Answer::new(text).taking(first, last) },
            Duration::from_millis(100),
        )
    });
    println!("{}", server.url());
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    for logged in server.log() {
        let task = logged.asked.prompt.rsplit(' ').next().unwrap_or_default();
        println!(
            "{task} {} {}",
            logged.given.is_some(),
            logged.asked.shared_bytes * 100 / logged.asked.prompt.len()
        );
    }
    println!("connections {}", server.connections());
}

/// Asks for every line of standard input.
fn ask_all(url: &str, journal: &Path, workers: usize) {
    let settings = Settings {
        workers,
        backoff: Duration::from_millis(100),
        timeouts: Timeouts { idle: Duration::from_secs(90), ..Timeouts::default() },
        ..Settings::default()
    };
    let env = |variable: &str| Some(if variable.ends_with("KEY") { "k" } else { url }.to_owned());
    let model = model::from_name("claude-sonnet-4-6", &Table::built_in().unwrap(), &settings, &env).unwrap();
    let client =
        Client::new(model, Journal::open(journal).unwrap(), settings, &Interrupt::on_signals().unwrap());
    let pool = Pool::new(workers).unwrap();
    let shared = shared();
    let (send, jobs) = bounded(workers);
    thread::scope(|scope| {
        scope.spawn(move || {
            for task in io::stdin().lock().lines() {
                send.send(task.unwrap()).unwrap();
            }
        });
        pool.run(&jobs, |task: String| {
            let request = Request {
                label: format!("readme/{task}"),
                shared: shared.clone(),
                own: format!("{} {task}", "x".repeat(4000)),
                max_output_tokens: None,
                sample: 0,
            };
            client.ask(&request).unwrap();
        });
    });
}

// ---- Processes.

struct Loopback {
    process: Child,
    url: String,
    output: BufReader<ChildStdout>,
}

impl Loopback {
    fn start(first: f64, last: f64, faults: bool) -> Self {
        let faults = if faults { "faults" } else { "" };
        let mut process = role(&["role=server", &first.to_string(), &last.to_string(), faults])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        output.read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned(), output }
    }

    /// Stops it. For each task how often it was asked for and answered to the end; the number of requests; the
    /// mean share of prompts that an earlier one began with; the number of connections.
    fn stop(mut self) -> Log {
        drop(self.process.stdin.take());
        let mut log = Log::default();
        let (mut shared, mut text) = (0, String::new());
        self.output.read_to_string(&mut text).unwrap();
        self.process.wait().unwrap();
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["connections", count] => log.connections = count.parse().unwrap(),
                [task, given, share] => {
                    let (asked, answered) = log.tasks.entry((*task).to_owned()).or_default();
                    *asked += 1;
                    *answered += u32::from(*given == "true");
                    shared += share.parse::<usize>().unwrap();
                    log.requests += 1;
                }
                _ => {}
            }
        }
        log.shared = shared / log.requests.max(1);
        log
    }
}

#[derive(Default)]
struct Log {
    tasks: HashMap<String, (u32, u32)>,
    requests: usize,
    shared: usize,
    connections: usize,
}

fn role(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args);
    command
}

fn client(url: &str, journal: &Path, workers: usize) -> Child {
    role(&["role=client", url, journal.to_str().unwrap(), &workers.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a client to its end on so many tasks.
fn run(url: &str, journal: &Path, workers: usize, tasks: usize) -> Duration {
    let started = Instant::now();
    let mut client = client(url, journal, workers);
    let mut input = client.stdin.take().unwrap();
    (0..tasks).for_each(|task| writeln!(input, "task_{task}").unwrap());
    drop(input);
    assert!(client.wait().unwrap().success());
    started.elapsed()
}

fn journalled(journal: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(journal).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

// ---- Measurements.

fn pace() {
    println!("pace: answers that begin after 0.3 s and end after 2 s");
    for (tasks, workers) in [(64, 16), (64, 64), (256, 64)] {
        let dir = tempfile::tempdir().unwrap();
        let server = Loopback::start(0.3, 2.0, false);
        let took = run(&server.url, &dir.path().join("a.jsonl"), workers, tasks).as_secs_f64();
        let rounds = u32::try_from(tasks / workers).unwrap();
        let ideal = f64::from(rounds) * 2.0;
        let log = server.stop();
        println!(
            "  {tasks:>4} calls, {workers:>3} workers: {took:.2} s, ideal {ideal:.0} s, {:+.0} %; {} connections; \
             {} % of a prompt begins an earlier one",
            (took / ideal - 1.0) * 100.0,
            log.connections,
            log.shared,
        );
    }
}

fn faults() {
    println!("faults: 200 calls on a bad day, 16 workers, answers that take 0.5 s, stalls cut after 90 s");
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("a.jsonl");
    let server = Loopback::start(0.1, 0.5, true);
    let took = run(&server.url, &journal, 16, 200);
    let log = server.stop();
    let given: u32 = log.tasks.values().map(|(_, given)| given).sum();
    println!(
        "  {:.1} s; {} requests, {given} complete answers given, {} in the journal",
        took.as_secs_f64(),
        log.requests,
        journalled(&journal).len()
    );
}

fn flight() {
    println!("flight: 500 calls in flight, 150 kB prompts, answers that begin after 2 s and end after 20 s");
    for trickle in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let server = Loopback::start(2.0, 20.0, false);
        let mut client = client(&server.url, &dir.path().join("a.jsonl"), 500);
        let mut input = client.stdin.take().unwrap();
        for task in 0..500 {
            writeln!(input, "task_{task}").unwrap();
            if trickle {
                thread::sleep(Duration::from_millis(10));
            }
        }
        // All are out by now: the leader has its first token after two seconds.
        thread::sleep(Duration::from_secs(if trickle { 3 } else { 6 }));
        let (before, since) = (processor(&client), Instant::now());
        thread::sleep(Duration::from_secs(8));
        let share = (processor(&client) - before) / since.elapsed().as_secs_f64();
        let (now, peak) = (memory(&client, "VmRSS:"), memory(&client, "VmHWM:"));
        drop(input);
        assert!(client.wait().unwrap().success());
        println!(
            "  {}: {now} MB, {peak} MB at most; {:.1} % of a core while answers come in at {} pieces a second",
            if trickle { "fed one every 10 ms" } else { "fed at once" },
            share * 100.0,
            500 * 50 / 18
        );
        server.stop();
    }
}

fn kill() {
    println!("kill: 200 calls, 16 workers, killed at 50 random moments");
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("a.jsonl");
    let server = Loopback::start(0.1, 0.3, false);
    let mut random = 7_u64;
    for _ in 0..50 {
        let mut client = client(&server.url, &journal, 16);
        let mut input = client.stdin.take().unwrap();
        let feeding = thread::spawn(move || {
            // It ends early when the client is killed.
            for task in 0..200 {
                if writeln!(input, "task_{task}").is_err() {
                    return;
                }
            }
        });
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(50 + (random >> 33) % 350));
        client.kill().unwrap();
        client.wait().unwrap();
        feeding.join().unwrap();
    }
    run(&server.url, &journal, 16, 200);
    let log = server.stop();
    let answers = journalled(&journal);
    let twice: u32 = log.tasks.values().map(|(_, given)| given.saturating_sub(1)).sum();
    println!(
        "  {} lines in the journal, all whole; {} requests; {twice} answers given twice, {} would be allowed",
        answers.len(),
        log.requests,
        50 * 16
    );
}

/// The processor time that a process has used, in seconds.
fn processor(process: &Child) -> f64 {
    let stat = fs_err::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// A figure of a process's memory, in megabytes.
fn memory(process: &Child, figure: &str) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
