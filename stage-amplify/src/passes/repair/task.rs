//! One faulty task, and its repair.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::environment::TaskName;
use common::fingerprint::sha256_hex;
use common::read::read_beneath;
use common::record::{Annotations, Failure, Files, Problem};
use common::run_dir::RunDir;
use common::text::{escape, shorten};
use model_client::{ModelAnswer, Prefix};
use serde_json::{Map, json};
use task_spec::files::{MAX_FILE_BYTES, read_folder};
use task_spec::fixtures::FILE_NAME as FIXTURES;

use super::findings::Found;
use crate::ask::{Asker, Attempts, Question, Unanswered};
use crate::corpus::{Source, excerpts};
use crate::passes::evidence::settle_statuses;
use crate::passes::solution::{SOLUTIONS, SOLVE};
use crate::passes::{fixtures, rejections, unreadable};
use crate::session::Session;

/// The maximum number of output tokens, reasoning included: as in the files pass, since an answer may replace
/// every file.
const MAX_OUTPUT_TOKENS: u64 = 64_000;

/// The code of the problem that names a file which a repair has changed.
const CHANGED: &str = "changed_by_repair";

/// The maximum kept of the reason for a change, in characters.
const REASON_CHARS: usize = 200;

/// A task in which a check has found errors.
pub(super) struct FaultyTask {
    env: String,
    pub(super) task: TaskName,
    index: usize,
    files: BTreeMap<String, String>,
    /// What was found, in words for the model.
    findings: Vec<String>,
    annotations: Annotations,
    /// The script that does the task, if there is one.
    solution: Option<String>,
    /// The folder of the environment.
    root: PathBuf,
}

impl FaultyTask {
    /// The task `name` of the environment.
    pub(super) fn read(
        session: &Session<'_>,
        name: &str,
        index: usize,
        found: Found,
    ) -> Result<Self, Box<Failure>> {
        let environment = &session.settings.environment;
        let env = environment.name.clone();
        let Some(task) = TaskName::new(name) else {
            let why = format!("its name is not {}", TaskName::FORM);
            return Err(unreadable(&env, name, index, &why));
        };
        let folder = format!("tasks/{name}");
        let files = match read_folder(&environment.root, Path::new(&folder)) {
            Ok(files) => files,
            Err(error) => return Err(unreadable(&env, name, index, &error.to_string())),
        };
        match Source::of(environment, &session.settings.send).check_task(&folder, &files, &[]) {
            Ok(()) => {
                let Found { findings, annotations } = found;
                let (solution, root) = (solution(&session.settings.run_dir, name), environment.root.clone());
                Ok(Self { env, task, index, files, findings, annotations, solution, root })
            }
            Err(refused) => Err(unreadable(&env, name, index, &refused.to_string())),
        }
    }

    /// Distinguishes this repair from any other of the same task.
    pub(super) fn fingerprint(&self) -> String {
        sha256_hex(json!([self.findings, self.files]).to_string().as_bytes())
    }

    /// Asks for the repaired files.
    pub(super) fn repair(&self, asker: Asker<'_>, prefix: &Prefix) -> Result<Files, Unanswered> {
        let mut variables = Map::new();
        variables.insert("task".to_owned(), self.task.as_str().into());
        variables.insert("findings".to_owned(), self.findings.clone().into());
        variables.insert("files".to_owned(), json!(excerpts(&self.files, &[])));
        variables.insert("solution".to_owned(), json!(self.solution));
        let question = Question {
            pass: "repair",
            prefix,
            env: &self.env,
            task: self.task.as_str(),
            index: self.index,
            annotations: &self.annotations,
            variables,
            max_output_tokens: MAX_OUTPUT_TOKENS,
        };
        let mut attempts = Attempts::default();
        let (files, answer) = asker.ask(&question, &mut attempts, |answer| self.repaired(answer))?;
        let problems = changes(&self.files, &files, &answer.text);
        Ok(Files {
            env: self.env.clone(),
            task: Some(self.task.to_string()),
            index: self.index,
            files,
            answer: answer.text,
            problems,
            model: answer.model,
            usage: attempts.usage,
            annotations: self.annotations.clone(),
        })
    }

    /// The task's files, with those of the answer in place of the old ones; or what is wrong with the answer,
    /// in words for the model.
    fn repaired(&self, answer: &ModelAnswer) -> Result<BTreeMap<String, String>, Vec<String>> {
        let parsed = answer::parse(&answer.text, answer.stop);
        if !parsed.is_valid() {
            return Err(rejections(&parsed.problems));
        }
        let mut files = self.files.clone();
        files.extend(parsed.files);
        if files == self.files {
            return Err(vec!["nothing was changed".to_owned()]);
        }
        if let (Some(before), Some(after)) = (self.files.get(FIXTURES), files.get(FIXTURES))
            && before != after
        {
            fixtures::check_repair(before, after).map_err(|problem| vec![problem])?;
        }
        let validated = answer::from_files(&files).validate(Some(&self.task));
        if !validated.is_valid() {
            return Err(rejections(&validated.problems));
        }
        let mut files = validated.files;
        settle_statuses(&mut files, &self.root);
        Ok(files)
    }

    /// The failure of a task that has had all its repairs.
    pub(super) fn rounds_spent(&self, rounds: usize) -> Box<Failure> {
        Box::new(Failure {
            env: self.env.clone(),
            task: Some(self.task.to_string()),
            stage: "amplify".to_owned(),
            index: Some(self.index),
            code: "repair_rounds_spent".to_owned(),
            message: format!(
                "still bad after {rounds} repairs ({}); repair it by hand, or allow more with --rounds",
                self.findings.first().map_or("no finding", String::as_str)
            ),
            attempts: u32::try_from(rounds).unwrap_or(u32::MAX),
            annotations: self.annotations.clone(),
        })
    }
}

/// What a repair has changed: a problem for each file, with the reason that the answer gives for it.
fn changes(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    answer: &str,
) -> Vec<Problem> {
    let changed = after.iter().filter(|(name, content)| before.get(*name) != Some(*content));
    changed.map(|(name, _)| Problem::new(CHANGED, format!("{name}{}", reason(name, answer)))).collect()
}

/// The reason for changing a file, from the lines before the first block of an answer.
fn reason(name: &str, answer: &str) -> String {
    let mut lines = answer.lines().take_while(|line| !line.starts_with("```"));
    let said = lines.find_map(|line| line.trim_matches(['`', '-', '*', ' ']).strip_prefix("changed: "));
    let reason = said.and_then(|said| said.trim_start_matches('`').strip_prefix(name));
    let reason = reason.unwrap_or_default().trim_start_matches(['`', ',', ':', '.', ';', '-', '–', ' ']);
    if reason.is_empty() {
        return String::new();
    }
    format!(": {}", escape(&shorten(reason, REASON_CHARS)))
}

/// The script of the solution pass that does a task, if there is one.
fn solution(run_dir: &RunDir, task: &str) -> Option<String> {
    let path = format!("{SOLUTIONS}/{task}/{SOLVE}");
    let script = read_beneath(run_dir.root(), Path::new(&path), MAX_FILE_BYTES).ok()?;
    String::from_utf8(script).ok()
}
