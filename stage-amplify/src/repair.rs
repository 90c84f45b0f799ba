//! The repair pass: tasks in which checks have found faults are mended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use common::environment::TaskName;
use common::fingerprint::sha256_hex;
use common::publish::write_file_atomic;
use common::record::{Failure, Files, Issue, Outcome, Probe, Record, Severity, SpecKind, Verdict};
use common::run_dir::RunDir;
use fs_err as fs;
use model_client::{ModelAnswer, Prefix};
use serde_json::json;

use crate::judge::rejections;
use crate::maker::{Earlier, Maker, Missing};
use crate::task_files;

/// The most tokens of an answer, reasoning included.
const TOKENS: u64 = 64_000;

/// The label of a repair's call, before the task.
const LABEL: &str = "repair";

/// What was found in the tasks of an environment, in the order in which it came.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    tasks: Vec<String>,
    found: BTreeMap<String, Vec<String>>,
}

impl Findings {
    /// Takes in a record of a check.
    pub(crate) fn take(&mut self, record: Record) {
        match record {
            Record::Verdict(Verdict {
                kind: SpecKind::Task, task: Some(task), issues, ok: false, ..
            }) => {
                self.add(task, errors(&issues));
            }
            Record::Probe(probe) if !probe.ok => {
                let words = errors(&probe.issues).into_iter().chain(wrong_states(&probe)).collect();
                self.add(probe.task, words);
            }
            _ => {}
        }
    }

    fn add(&mut self, task: String, words: Vec<String>) {
        if !self.found.contains_key(&task) {
            self.tasks.push(task.clone());
        }
        let found = self.found.entry(task).or_default();
        for word in words {
            if !found.contains(&word) {
                found.push(word);
            }
        }
    }

    /// The tasks and what was found in each.
    pub(crate) fn into_tasks(mut self) -> Vec<(String, Vec<String>)> {
        let found = |task: String| {
            let found = self.found.remove(&task).unwrap_or_default();
            (task, found)
        };
        self.tasks.into_iter().map(found).collect()
    }
}

fn errors(issues: &[Issue]) -> Vec<String> {
    let errors = issues.iter().filter(|issue| issue.severity == Severity::Error);
    errors.map(|issue| format!("`{}`: {}", issue.code, issue.message)).collect()
}

/// States in which the verifier said something else than it should have.
fn wrong_states(probe: &Probe) -> Vec<String> {
    let wrong = probe.states.iter().filter(|state| state.outcome != state.expected);
    wrong
        .map(|state| {
            let score = state.score.map_or(String::new(), |score| format!(", score {score}"));
            let said = in_words(state.outcome);
            format!(
                "In the state `{}` the verifier {said}{score}; it should have {}. {}",
                state.state,
                in_words(state.expected),
                state.detail
            )
        })
        .collect()
}

fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passed the task",
        Outcome::Fail => "failed the task",
        Outcome::Error => "gave no answer",
        Outcome::Refused => "was stopped by the sandbox",
    }
}

/// A task that is to be mended.
#[derive(Clone, Debug)]
pub(crate) struct FaultyTask {
    pub(crate) env: String,
    pub(crate) task: TaskName,
    pub(crate) index: usize,
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) findings: Vec<String>,
}

impl FaultyTask {
    /// What sets this repair apart from any other of the task.
    pub(crate) fn fingerprint(&self) -> String {
        sha256_hex(json!([self.findings, self.files]).to_string().as_bytes())
    }

    /// Asks for it to be mended.
    pub(crate) fn mend(&self, maker: &Maker<'_>, shared: &Prefix) -> Result<Vec<Record>, Missing> {
        let shown = task_files::shown(&self.files, &[]);
        let ask = |problems: &[String]| {
            let context = json!({
                "task": self.task.as_str(), "findings": self.findings, "files": shown, "problems": problems,
            });
            maker.templates.render("repair.ask.md", context)
        };
        let label = format!("{LABEL}/{}", self.task);
        let mut earlier = Earlier::default();
        let (files, answer) = maker
            .ask_until((&label, TOKENS), shared, &mut earlier, &ask, |answer| self.judge(answer))
            .map_err(|missing| missing.of_row(&self.env, self.task.as_str(), self.index))?;
        Ok(vec![Record::Files(Files {
            env: self.env.clone(),
            task: Some(self.task.to_string()),
            index: self.index,
            files,
            answer: answer.text,
            problems: Vec::new(),
            model: answer.model,
            usage: earlier.usage,
        })])
    }

    /// The task's files with those of the answer in their place.
    fn judge(&self, answer: &ModelAnswer) -> Result<BTreeMap<String, String>, Vec<String>> {
        let parsed = answer::parse(&answer.text, answer.stop);
        if !parsed.is_sound() {
            return Err(rejections(&parsed.problems));
        }
        let mut files = self.files.clone();
        files.extend(parsed.files);
        if files == self.files {
            return Err(vec!["nothing was changed".to_owned()]);
        }
        let judged = answer::from_files(&files).judge(Some(&self.task));
        if judged.is_sound() { Ok(judged.files) } else { Err(rejections(&judged.problems)) }
    }

    /// That no further round is left for it.
    pub(crate) fn given_up(&self, rounds: usize) -> Failure {
        Failure {
            env: self.env.clone(),
            task: Some(self.task.to_string()),
            stage: "amplify".to_owned(),
            index: Some(self.index),
            code: "repair_rounds_spent".to_owned(),
            message: format!(
                "still bad after {rounds} repairs ({}); mend it by hand, or allow more with --rounds",
                self.findings.first().map_or("no finding", String::as_str)
            ),
            attempts: u32::try_from(rounds).unwrap_or(u32::MAX),
        }
    }
}

/// How often each task was repaired: the fingerprints of its repairs, in `repairs.json` of the run directory.
/// A repair that is done again, after an interruption, is the same one.
pub(crate) struct Rounds {
    path: PathBuf,
    done: BTreeMap<String, BTreeSet<String>>,
}

impl Rounds {
    pub(crate) fn read(run_dir: &RunDir) -> Result<Self> {
        let path = run_dir.root().join("repairs.json");
        let mut done = BTreeMap::new();
        if path.exists() {
            let text = fs::read_to_string(&path)?;
            done = serde_json::from_str(&text)
                .with_context(|| format!("cannot read {}: mend it or take it away", path.display()))?;
        }
        Ok(Self { path, done })
    }

    /// How many other repairs the task has had.
    pub(crate) fn spent(&self, task: &FaultyTask) -> usize {
        let fingerprint = task.fingerprint();
        self.done
            .get(task.task.as_str())
            .map_or(0, |done| done.iter().filter(|other| **other != fingerprint).count())
    }

    /// Counts these repairs.
    pub(crate) fn add(&mut self, faulty: &[FaultyTask]) -> Result<()> {
        for task in faulty {
            self.done.entry(task.task.to_string()).or_default().insert(task.fingerprint());
        }
        let mut text = serde_json::to_string_pretty(&self.done)?;
        text.push('\n');
        Ok(write_file_atomic(&self.path, text.as_bytes())?)
    }
}
