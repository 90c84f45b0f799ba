//! The run directories and manifests to read. Nothing in them is changed, and nothing in them is required: what is
//! missing or damaged is named in the report.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::environment::Workspace;
use common::jsonl::{Line, ReadError, Reader};
use common::read::{read_beneath, read_regular};
use common::record::{Files, Kind, Record};
use fs_err as fs;
use serde_json::Value;

use crate::gather::Gathered;
use crate::progress::Progress;
use crate::spending::Spending;

/// The manifests of a run directory, in the order of the chain.
const MANIFESTS: [&str; 9] =
    ["seeds", "plan", "specs", "files", "tasks", "verdicts", "probes", "trials", "agreements"];

/// The manifests that every complete run has.
const EXPECTED: [&str; 4] = ["plan", "files", "tasks", "verdicts"];

/// The kinds of records that a report is made of.
const KINDS: [Kind; 11] = [
    Kind::Seed,
    Kind::Plan,
    Kind::Spec,
    Kind::Files,
    Kind::Task,
    Kind::Verdict,
    Kind::Probe,
    Kind::Trial,
    Kind::Agreement,
    Kind::Dropped,
    Kind::Failure,
];

/// The largest `run.json` that is read, in bytes.
const MAX_RUN_JSON: usize = 1 << 20;

/// The largest repaired task that is read, in bytes.
const MAX_REPAIR: usize = 4 << 20;

/// The most repairs of a task that are read.
const MAX_REPAIRS: usize = 20;

/// The most problems of one file that are named.
const MAX_PROBLEMS: usize = 20;

/// Everything that one source holds.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Its path, relative to the workspace.
    pub(crate) name: String,
    /// The run directory, if it is one.
    pub(crate) dir: Option<PathBuf>,
    /// What `run.json` says was asked of the stages.
    pub(crate) asked: Value,
    /// How far its stages are.
    pub(crate) progress: Progress,
    /// The records.
    pub(crate) records: Gathered,
    /// What the journal says of calls.
    pub(crate) spending: Spending,
    /// What is missing or damaged, for people.
    pub(crate) problems: Vec<String>,
}

/// Reads a run directory, or a file of records.
pub(crate) fn read(path: &Path, workspace: &Workspace) -> Result<Run> {
    let mut run = Run { name: workspace.relative(path), ..Run::default() };
    if path.as_os_str() == "-" {
        "standard input".clone_into(&mut run.name);
        run.add_records("standard input", BufReader::new(io::stdin()));
    } else if path.is_dir() {
        run.dir = Some(path.to_owned());
        run.read_dir(path);
    } else {
        let file = open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = run.name.clone();
        run.add_records(&name, BufReader::new(file));
    }
    Ok(run)
}

/// What each repair made of a task of a run directory, the first repair first.
pub(crate) fn repairs(run_dir: &Path, task: &str) -> Vec<Files> {
    let dir = Path::new("repairs").join(task);
    let read = |number| {
        let line = read_beneath(run_dir, &dir.join(format!("{number}.jsonl")), MAX_REPAIR).ok()?;
        match Record::parse(Kind::Files, str::from_utf8(&line).ok()?).ok()? {
            Record::Files(files) => Some(files),
            _ => None,
        }
    };
    (1..=MAX_REPAIRS).map_while(read).collect()
}

fn open(path: &Path) -> io::Result<fs::File> {
    let file = fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

impl Run {
    fn read_dir(&mut self, dir: &Path) {
        for name in MANIFESTS {
            let path = dir.join(format!("{name}.jsonl"));
            let unfinished = dir.join(format!("{name}.jsonl.partial"));
            match fs::File::open(&path) {
                Ok(file) => self.add_records(&format!("{name}.jsonl"), BufReader::new(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if let Ok(file) = fs::File::open(unfinished) {
                        self.problems.push(format!("{name}.jsonl is not finished; its stage was stopped"));
                        self.add_records(&format!("{name}.jsonl.partial"), BufReader::new(file));
                    } else if EXPECTED.contains(&name) {
                        self.problems.push(format!("{name}.jsonl is missing"));
                    }
                }
                Err(error) => self.problems.push(format!("{name}.jsonl cannot be read: {}", error.kind())),
            }
        }
        self.read_asked(dir);
        self.progress = Progress::of(dir);
        match fs::File::open(dir.join("answers.jsonl")) {
            Ok(file) => self.spending = Spending::of_journal(BufReader::new(file), &mut self.problems),
            Err(_) => self.problems.push("answers.jsonl is missing: the cost is unknown".to_owned()),
        }
    }

    fn read_asked(&mut self, dir: &Path) {
        let text = match read_regular(&dir.join("run.json"), MAX_RUN_JSON) {
            Ok(text) => text,
            Err(error) => {
                self.problems.push(format!("run.json cannot be read: {error}"));
                return;
            }
        };
        match serde_json::from_slice(&text) {
            Ok(asked) => self.asked = asked,
            Err(error) => self.problems.push(format!("run.json is not valid JSON: {error}")),
        }
    }

    /// Adds the records of a manifest, and names its lines that are not records.
    fn add_records(&mut self, name: &str, lines: impl BufRead) {
        let mut bad = 0;
        for line in Reader::new(name, lines, &KINDS) {
            match line {
                Ok(Line::Record(record)) => self.add(record),
                Ok(Line::Other(_)) => {}
                Err(ReadError::Bad(line)) => {
                    bad += 1;
                    if bad <= MAX_PROBLEMS {
                        self.problems.push(line.to_string());
                    }
                }
                Err(ReadError::Io(error)) => {
                    self.problems.push(format!("{name} cannot be read to its end: {}", error.kind()));
                    break;
                }
            }
        }
        if bad > MAX_PROBLEMS {
            self.problems.push(format!("{name}: {} more lines are not valid records", bad - MAX_PROBLEMS));
        }
    }

    fn add(&mut self, record: Record) {
        self.records.add(record);
    }

    /// A text that was asked of a stage.
    pub(crate) fn asked_text(&self, field: &str) -> Option<String> {
        self.asked_of_any(field)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The number of tasks that were asked for.
    pub(crate) fn asked_count(&self) -> Option<usize> {
        usize::try_from(self.asked_of_any("count")?.as_u64()?).ok()
    }

    /// The passes that were asked of stage-amplify. Empty where `run.json` does not name them.
    pub(crate) fn asked_passes(&self) -> Vec<String> {
        let passes = self.asked_of_any("passes").and_then(Value::as_array);
        passes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn asked_of_any(&self, field: &str) -> Option<&Value> {
        ["amplify", "propose"].iter().find_map(|stage| self.asked.get(stage)?.get("asked")?.get(field))
    }
}
