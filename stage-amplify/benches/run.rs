//! Measures whole runs of the stage on the demo's environment, against a model on the loopback interface.
//!
//! `cargo bench -p stage-amplify --bench run -- [pace] [faults] [kill] [flight]`; without a name, all of them.
//!
//! - `pace`: 64 tasks with a model that takes two seconds per answer, compared with the ideal time: the passes that the
//!   Python original has too, with a plan before them, and all passes.
//! - `faults`: 200 tasks with a faulty server; compares the journal with the server's answers.
//! - `kill`: the same, killed at 50 random moments; compares the result with that of an undisturbed run.
//! - `flight`: memory and processor time of 500 calls in flight, with all input at once or line by line.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::faults::Rates;
use testkit::{Play, Server, author};

/// The time of the Python original with its defaults: 64 READMEs one after the other, then 64 sets of files on
/// four threads.
const ORIGINAL_SECONDS: f64 = 64.0 * 2.0 + 64.0 / 4.0 * 2.0;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    for (name, measure) in [("pace", pace as fn()), ("faults", faults), ("kill", kill), ("flight", flight)] {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            measure();
        }
    }
}

/// A copy of the demo's environment.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/demo/benchmarks");
        assert!(Command::new("cp").arg("-R").arg(demo).arg(dir.path()).status().unwrap().success());
        Self(dir)
    }

    fn run_dir(&self) -> PathBuf {
        self.0.path().join("task_generation_runs/gnucash_env")
    }

    /// The stage, set to generate this many tasks with this many workers.
    fn stage(&self, server: &Server, tasks: usize, workers: usize) -> Command {
        let mut stage = Command::new(env!("CARGO_BIN_EXE_stage-amplify"));
        stage
            .args(["--software", "GnuCash", "--env-dir", "gnucash_env", "--max-candidates", "9"])
            .args(["--count", &tasks.to_string(), "--num-workers", &workers.to_string()])
            .arg("--workspace")
            .arg(self.0.path())
            .env("GEMINI_BASE_URL", server.url())
            .env("GEMINI_API_KEY", "k")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        stage
    }

    /// The texts of the journal, sorted.
    fn journal(&self) -> Vec<String> {
        let mut texts: Vec<String> =
            self.lines("answers.jsonl").map(|answer| answer["text"].as_str().unwrap().to_owned()).collect();
        texts.sort();
        texts
    }

    /// The records of a manifest, without their usage: it depends on the order of the calls.
    fn manifest(&self, name: &str) -> Vec<Value> {
        let mut records: Vec<Value> = self.lines(name).collect();
        for record in &mut records {
            record.as_object_mut().unwrap().remove("usage");
        }
        records
    }

    fn lines(&self, name: &str) -> impl Iterator<Item = Value> {
        let text = fs_err::read_to_string(self.run_dir().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>().into_iter()
    }
}

/// A model whose answers are good, start after `first` seconds and end after `last`, on a server with these
/// faults.
fn server(rates: Rates, first: f64, last: f64) -> Arc<Server> {
    let (first, last) = (Duration::from_secs_f64(first), Duration::from_secs_f64(last));
    Arc::new(Server::start(move |asked| -> Play {
        rates.strike(asked, author::good(asked).taking(first, last), Duration::from_millis(100))
    }))
}

/// The answers that the server sent completely, sorted.
fn given(server: &Server) -> Vec<String> {
    let mut texts: Vec<String> = server.log().into_iter().filter_map(|logged| logged.given).collect();
    texts.sort();
    texts
}

fn done(status: ExitStatus) -> &'static str {
    if status.success() { "done" } else { "NOT DONE" }
}

/// Passes that are measured together.
struct Passes {
    /// The value of `--pass`.
    selected: &'static str,
    /// The number of calls for 64 tasks: one for the plan, and one of each other pass for each task.
    calls: u32,
    /// The number of calls that depend on one another.
    depth: f64,
}

/// The plan, and what the original writes as well.
const WRITTEN: Passes = Passes { selected: "plan,readme,files", calls: 1 + 2 * 64, depth: 3.0 };

/// The plan, READMEs, files, checklists and fixtures.
const ALL: Passes = Passes { selected: "all", calls: 1 + 4 * 64, depth: 5.0 };

fn pace() {
    println!(
        "pace: 64 tasks with a model that takes 2 s per answer; the original, with READMEs and files alone: \
         {ORIGINAL_SECONDS} s"
    );
    println!("ideal: all calls by so many workers, and not less than one call of each pass after the other");
    for (passes, first, warm_up, workers) in [
        (&WRITTEN, 0.3, "30", 4_u32),
        (&WRITTEN, 0.3, "30", 16),
        (&WRITTEN, 0.3, "30", 64),
        (&WRITTEN, 2.0, "30", 16),
        (&WRITTEN, 2.0, "30", 64),
        (&WRITTEN, 2.0, "0", 16),
        (&WRITTEN, 2.0, "0", 64),
        (&ALL, 0.3, "30", 4),
        (&ALL, 0.3, "30", 16),
        (&ALL, 0.3, "30", 64),
    ] {
        let (world, server) = (World::new(), server(Rates::default(), first, 2.0));
        let started = Instant::now();
        let args = ["--warm-up-sec", warm_up, "--pass", passes.selected];
        let status = world.stage(&server, 64, workers as usize).args(args).status().unwrap();
        let took = started.elapsed().as_secs_f64();
        let calls = u32::try_from(server.log().len()).unwrap();
        let ideal = (f64::from(calls) / f64::from(workers) * 2.0).max(passes.depth * 2.0);
        println!(
            "  --pass {}, {workers:>2} workers, answers start after {first} s, --warm-up-sec {warm_up:>2}: {took:>5.1} s, \
             {:>4.1} times as fast as the original; {calls} calls, ideal {ideal:>4.1} s, {:+.0} %; {}",
            passes.selected,
            ORIGINAL_SECONDS / took,
            (took / ideal - 1.0) * 100.0,
            if calls == passes.calls { done(status) } else { "NOT AS MANY CALLS AS EXPECTED" }
        );
    }
}

fn faults() {
    println!(
        "faults: 200 tasks with a faulty server, 32 workers, answers that take 0.5 s, stalls cut after 10 s"
    );
    let (world, server) = (World::new(), server(Rates::BAD_DAY, 0.1, 0.5));
    let started = Instant::now();
    let status = world.stage(&server, 200, 32).args(["--idle-timeout-sec", "10"]).status().unwrap();
    let took = started.elapsed().as_secs_f64();
    let (given, journal) = (given(&server), world.journal());
    let tasks: BTreeSet<String> =
        world.lines("files.jsonl").map(|record| record["task"].to_string()).collect();
    println!(
        "  {}: {} distinct usable tasks in {took:.1} s; {} requests, {} complete answers given, {} in the journal, {}",
        done(status),
        tasks.len(),
        server.log().len(),
        given.len(),
        journal.len(),
        if given == journal { "the same" } else { "NOT THE SAME" }
    );
}

fn kill() {
    println!("kill: 200 tasks with a faulty server, 32 workers, killed at 50 random moments");
    let (undisturbed, calm) = (World::new(), server(Rates::BAD_DAY, 0.02, 0.1));
    let idle = ["--idle-timeout-sec", "5"];
    assert!(undisturbed.stage(&calm, 200, 32).args(idle).status().unwrap().success());
    let (world, server) = (World::new(), server(Rates::BAD_DAY, 0.02, 0.1));
    let mut random = 7_u64;
    for _ in 0..50 {
        let mut stage = world.stage(&server, 200, 32).args(idle).spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(20 + (random >> 33) % 400));
        stage.kill().unwrap();
        stage.wait().unwrap();
    }
    let status = world.stage(&server, 200, 32).args(idle).status().unwrap();
    let same = ["plan.jsonl", "specs.jsonl", "files.jsonl"]
        .iter()
        .all(|name| world.manifest(name) == undisturbed.manifest(name));
    let (given, journal) = (given(&server), world.journal());
    println!(
        "  {}: result {} an undisturbed run's; {} lines in the journal; {} complete answers lost on the way, {} \
         may be; {} requests, {} undisturbed",
        done(status),
        if same { "equals" } else { "DIFFERS FROM" },
        journal.len(),
        given.len() - journal.len(),
        50 * 32,
        server.log().len(),
        calm.log().len(),
    );
}

fn flight() {
    println!("flight: 500 calls in flight, answers that start after 2 s and end after 20 s");
    let world = World::new();
    // The calls of a plan follow one another.
    let planner = server(Rates::default(), 0.0, 0.0);
    assert!(world.stage(&planner, 500, 500).args(["--pass", "plan"]).status().unwrap().success());
    let server = server(Rates::default(), 2.0, 20.0);
    let mut stage = world.stage(&server, 500, 500).args(["--pass", "readme"]).spawn().unwrap();
    server.wait_for(500);
    watch("fed at once", &stage);
    stage.kill().unwrap();
    stage.wait().unwrap();

    let (world, server) = (World::new(), self::server(Rates::default(), 2.0, 20.0));
    let mut stage =
        world.stage(&server, 500, 500).args(["--pass", "files"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = stage.stdin.take().unwrap();
    let feeding = thread::spawn(move || {
        for number in 1..=900 {
            let (task, description) = (author::task(number), author::description(number));
            let readme = author::readme_answer(&task, &description);
            let spec = json!({"record": "spec", "env": "gnucash_env", "task": task, "index": number, "readme": readme});
            // It ends early when the stage is killed.
            if writeln!(input, "{spec}").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    server.wait_for(450);
    watch("fed one every 20 ms, all the while", &stage);
    stage.kill().unwrap();
    stage.wait().unwrap();
    feeding.join().unwrap();
}

/// Measures a process for five seconds.
fn watch(how: &str, process: &Child) {
    let (before, since) = (processor(process), Instant::now());
    thread::sleep(Duration::from_secs(5));
    let share = (processor(process) - before) / since.elapsed().as_secs_f64();
    println!(
        "  {how}: {} MB, {} MB at most; {:.1} % of a core",
        memory(process, "VmRSS:"),
        memory(process, "VmHWM:"),
        share * 100.0
    );
}

/// The processor time that a process has used, in seconds.
fn processor(process: &Child) -> f64 {
    let stat = fs_err::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..=12].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// The memory of a process, in megabytes: the line `figure` of its status.
fn memory(process: &Child, figure: &str) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
