//! Measures the stage on a corpus, and compares it with gym-anything's own verification and with reading the same files.
//!
//! `cargo bench -p stage-verify-spec --bench corpus -- CORPUS [--python PYTHON] [--original GYM_ANYTHING]
//! [--cwd DIR]`: CORPUS is a folder of environments, PYTHON runs the verifiers, GYM_ANYTHING is the original's
//! program, DIR is the folder to which relative mounts refer. All measurements run one after the other, with warm
//! caches. Medians are printed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and prints")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fs_err as fs;

const STAGE: &str = env!("CARGO_BIN_EXE_stage-verify-spec");

/// Number of runs on a corpus, and on one environment. Odd, for the median.
const RUNS: usize = 5;
const SHORT_RUNS: usize = 51;

/// Names of the files that a verification reads, for `find`, and of those that lints read in addition.
const SPECS: [&str; 3] = ["env.json", "task.json", "verifier.py"];
const SCRIPTS: [&str; 3] = ["*.sh", "*.ps1", "vlm_checklist.json"];

struct Asked {
    corpus: PathBuf,
    python: String,
    original: Option<String>,
    cwd: PathBuf,
}

impl Asked {
    fn new() -> Self {
        let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
        let mut asked =
            Self { corpus: PathBuf::new(), python: "python3".into(), original: None, cwd: ".".into() };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--python" => asked.python = args.next().unwrap(),
                "--original" => asked.original = args.next(),
                "--cwd" => asked.cwd = args.next().unwrap().into(),
                corpus => asked.corpus = fs::canonicalize(corpus).unwrap(),
            }
        }
        asked
    }

    fn stage(&self, args: &[&str], path: &Path) -> Command {
        let mut command = Command::new(STAGE);
        command.args(["--quiet", "--python", &self.python]).args(args).arg(path).current_dir(&self.cwd);
        command
    }
}

fn main() {
    let asked = Asked::new();
    if asked.corpus.as_os_str().is_empty() {
        println!("no corpus given; stage-verify-spec is not measured");
        return;
    }
    println!("{}", asked.corpus.display());
    let (specs, scripts) = files(&asked.corpus);
    let all = [specs.as_slice(), &scripts].concat();
    let verdicts = beside_reading("verdicts alone", (&specs, &SPECS), &asked.corpus, || {
        asked.stage(&["--skip-lint", "all"], &asked.corpus)
    });
    let names = [SPECS.as_slice(), &SCRIPTS].concat();
    let lints =
        beside_reading("with lints", (&all, &names), &asked.corpus, || asked.stage(&[], &asked.corpus));
    let (environment, tasks) = environment_of_about(&asked.corpus, 60);
    println!("{}: {tasks} tasks", environment.display());
    measure("the stage, verdicts alone", SHORT_RUNS, || asked.stage(&["--skip-lint", "all"], &environment));
    measure("the stage, with lints", SHORT_RUNS, || asked.stage(&[], &environment));
    if let Some(original) = &asked.original {
        let mut command = Command::new(original);
        command.args(["verify", "corpus"]).arg(&asked.corpus).current_dir(&asked.cwd);
        let original = run(command);
        print_run("the original (one run)", &original);
        println!(
            "    {:.0} times the stage's verdicts alone, {:.0} times those with lints",
            ratio(original.time, verdicts),
            ratio(original.time, lints)
        );
    }
}

/// Compares the stage with reading the files that it reads: with `find` and `cat`, and with their paths known.
fn beside_reading(
    what: &str,
    (files, names): (&[PathBuf], &[&str]),
    corpus: &Path,
    command: impl Fn() -> Command,
) -> Duration {
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    let cores = thread::available_parallelism().unwrap().get();
    let alone = median(|| read(files, 1));
    let reading = median(|| read(files, cores));
    println!("{what}: {} files, {:.1} MB", files.len(), bytes as f64 / 1e6);
    let cat = measure("find and cat of them", RUNS, || find_and_cat(corpus, names));
    println!("{:<31} {:>9.3} s", "reading them, one thread", alone.as_secs_f64());
    println!("{:<31} {:>9.3} s", format!("reading them, {cores} threads"), reading.as_secs_f64());
    let stage = measure(&format!("the stage, {what}"), RUNS, command);
    println!(
        "    {:.1} times find and cat, {:.1} times reading on one thread, {:.1} times reading on {cores}",
        ratio(stage, cat),
        ratio(stage, alone),
        ratio(stage, reading)
    );
    stage
}

/// A command that finds the files of these names in environments and their tasks, and reads them.
fn find_and_cat(corpus: &Path, names: &[&str]) -> Command {
    let mut command = Command::new("find");
    command.arg("-L").arg(corpus).args(["-mindepth", "2", "-maxdepth", "4", "("]);
    for (number, name) in names.iter().enumerate() {
        command.args((number > 0).then_some("-o")).args(["-name", name]);
    }
    command.args([")", "-type", "f", "-exec", "cat", "{}", "+"]);
    command
}

/// The specs and verifiers, which a verification reads, and the scripts and checklists, which lints read in addition.
fn files(corpus: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut specs, mut scripts) = (Vec::new(), Vec::new());
    for environment in children(corpus) {
        specs.push(environment.join("env.json"));
        for task in children(&environment.join("tasks")) {
            specs.extend(["task.json", "verifier.py"].map(|name| task.join(name)));
            scripts.extend(children(&task).into_iter().filter(|file| is_for_lints(file)));
        }
    }
    specs.retain(|file| file.is_file());
    (specs, scripts)
}

fn is_for_lints(file: &Path) -> bool {
    let is_script = file.extension().is_some_and(|ending| ending == "sh" || ending == "ps1");
    (is_script || file.ends_with("vlm_checklist.json")) && file.is_file()
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let mut children: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    children.sort();
    children
}

fn environment_of_about(corpus: &Path, wanted: usize) -> (PathBuf, usize) {
    let sized = children(corpus).into_iter().map(|environment| {
        let tasks = children(&environment.join("tasks"));
        let tasks = tasks.iter().filter(|task| task.join("task.json").is_file()).count();
        (environment, tasks)
    });
    sized.min_by_key(|(_, tasks)| tasks.abs_diff(wanted)).unwrap()
}

fn read(files: &[PathBuf], threads: usize) -> Duration {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::hint::black_box(fs::read(file).unwrap());
                }
            });
        }
    });
    start.elapsed()
}

fn median(measure: impl Fn() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..=RUNS).map(|_| measure()).skip(1).collect();
    times.sort();
    times[RUNS / 2]
}

fn measure(name: &str, runs: usize, command: impl Fn() -> Command) -> Duration {
    let mut runs: Vec<_> = (0..=runs).map(|_| run(command())).skip(1).collect();
    runs.sort_by_key(|run| run.time);
    let median = &runs[runs.len() / 2];
    print_run(name, median);
    median.time
}

/// The resources that a run of a command used.
struct Run {
    time: Duration,
    /// Processor time in seconds, of all cores.
    processor: f64,
    /// Peak memory, in MB.
    peak: f64,
}

fn print_run(name: &str, run: &Run) {
    let Run { time, processor, peak } = run;
    println!(
        "{name:<31} {:>9.3} s  {processor:>7.2} s of processors  {peak:>6.1} MB at its peak",
        time.as_secs_f64()
    );
}

/// Runs a command and measures its time and memory.
fn run(mut command: Command) -> Run {
    let before = processor_time_of_children();
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let watching = thread::spawn(move || {
        let mut peak = 0.0_f64;
        while let Some(now) = fs::read_to_string(&status).ok().as_deref().and_then(peak_of) {
            peak = peak.max(now);
            thread::sleep(Duration::from_millis(5));
        }
        peak
    });
    child.wait().unwrap();
    let time = start.elapsed();
    Run { time, processor: processor_time_of_children() - before, peak: watching.join().unwrap() }
}

/// Seconds of user and system time of all children that have ended. Linux counts hundredths. proc(5), fields
/// 16 and 17 of `stat`; the second one, a name in parentheses, may contain spaces.
fn processor_time_of_children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let fields = after_name.split_whitespace().skip(13).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// The peak memory of a process so far, in MB.
fn peak_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1e3)
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
