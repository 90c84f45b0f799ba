//! What checks found in tasks.

use std::collections::BTreeMap;

use common::record::{
    Annotations, COMMENT_OF_PERSON, Choice, Decision, Decisions, Episode, HookRun, Issue, Outcome, Probe,
    ProbeState, REJECTED_BY_PERSON, Record, Severity, SpecKind, Trial, Verdict,
};
use common::text::{escape, shorten};
use task_spec::checklist::PI_CONTRADICTED;

/// The maximum length of a finding in a prompt, in characters.
const MAX_CHARS: usize = 1_000;

/// What the model is told of a rejection without a comment.
const REJECTED_WITHOUT_COMMENT: &str = "A person rejected the task without saying why. Compare README.md, the \
    description, the scripts and the verifier with each other, and correct what is ambiguous, contradictory, unrealistic, \
    or passes without the work.";

/// The findings of all tasks, in the order in which they came in.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The names of the tasks, in order.
    tasks: Vec<String>,
    by_task: BTreeMap<String, Found>,
    decisions: Decisions,
    /// The number of probes that could not be judged where they ran. There is nothing to repair.
    pub(super) unjudged: u64,
}

/// What was found in one task.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The findings, in words for the model.
    pub(super) findings: Vec<String>,
    /// The annotations of the records.
    pub(super) annotations: Annotations,
}

impl Findings {
    /// Adds the findings of a `verdict`, `probe`, `trial`, `agreement` or `decision` record, in words for the model.
    pub(super) fn add(&mut self, record: Record) {
        match record {
            Record::Verdict(Verdict {
                kind: SpecKind::Task,
                task: Some(task),
                issues,
                ok,
                annotations,
                ..
            }) if !ok || issues.iter().any(is_repaired_warning) => {
                self.add_to(task, of_verdict(&issues), annotations);
            }
            Record::Probe(probe) if probe.is_unjudged() => self.unjudged += 1,
            Record::Probe(probe) if !probe.ok => {
                let findings = errors(&probe.issues).into_iter().chain(wrong_states(&probe)).collect();
                self.add_to(probe.task, findings, probe.annotations);
            }
            Record::Trial(trial) if trial.not_run.is_none() && !trial.ok => {
                let findings = errors(&trial.issues).into_iter().chain(faulty_hooks(&trial)).collect();
                self.add_to(trial.task, findings, trial.annotations);
            }
            Record::Agreement(agreement) if !agreement.ok => {
                self.add_to(agreement.task, errors(&agreement.issues), agreement.annotations);
            }
            Record::Decision(decision) => self.add_decision(decision),
            _ => {}
        }
    }

    /// A rejection and a comment are findings. An accepted task is not repaired.
    fn add_decision(&mut self, decision: Decision) {
        self.decisions.add(&decision);
        let (code, comment) = match (decision.choice, decision.comment.as_str()) {
            (Choice::Reject, "") => (REJECTED_BY_PERSON, REJECTED_WITHOUT_COMMENT),
            (Choice::Reject, comment) => (REJECTED_BY_PERSON, comment),
            (Choice::Comment, comment) if !comment.is_empty() => (COMMENT_OF_PERSON, comment),
            (Choice::Comment | Choice::Accept, _) => return,
        };
        let finding = format!("`{code}`: {comment}");
        self.add_to(decision.task, vec![finding], decision.annotations);
    }

    fn add_to(&mut self, task: String, new: Vec<String>, annotations: Annotations) {
        if !self.by_task.contains_key(&task) {
            self.tasks.push(task.clone());
        }
        let found = self.by_task.entry(task).or_default();
        found.annotations.extend(annotations);
        for finding in new {
            let finding = on_one_line(&finding);
            if !found.findings.contains(&finding) {
                found.findings.push(finding);
            }
        }
    }

    /// Each task of the environment with its findings, but for those that a person accepted; and the number of those.
    pub(super) fn into_tasks(mut self, env: &str) -> (Vec<(String, Found)>, u64) {
        let (mut tasks, mut accepted) = (Vec::new(), 0);
        for task in self.tasks {
            if self.decisions.accept(env, &task) {
                accepted += 1;
            } else {
                let found = self.by_task.remove(&task).unwrap_or_default();
                tasks.push((task, found));
            }
        }
        (tasks, accepted)
    }
}

/// A finding as the prompt lists it. It may quote what an untrusted verifier has said.
fn on_one_line(finding: &str) -> String {
    shorten(&escape(finding), MAX_CHARS).into_owned()
}

/// Warnings that are repaired although the verdict is good: a task that contradicts itself is not one to keep.
const REPAIRED_WARNINGS: [&str; 1] = [PI_CONTRADICTED];

fn is_repaired_warning(issue: &Issue) -> bool {
    REPAIRED_WARNINGS.contains(&issue.code.as_str())
}

/// The findings to repair, in words for the model.
fn errors(issues: &[Issue]) -> Vec<String> {
    let errors =
        issues.iter().filter(|issue| issue.severity == Severity::Error || is_repaired_warning(issue));
    errors.map(as_finding).collect()
}

/// The findings of a verdict. One that is bad without an error was given with `--strict`: its warnings count.
fn of_verdict(issues: &[Issue]) -> Vec<String> {
    let errors = errors(issues);
    if errors.is_empty() { issues.iter().map(as_finding).collect() } else { errors }
}

fn as_finding(issue: &Issue) -> String {
    format!("`{}`: {}", issue.code, issue.message)
}

/// The states in which the verifier's result was not the expected one.
fn wrong_states(probe: &Probe) -> Vec<String> {
    let wrong = probe.states.iter().filter(|state| state.outcome != state.expected);
    wrong.map(describe).collect()
}

fn describe(state: &ProbeState) -> String {
    let ProbeState { state: name, expected, outcome, score, detail, .. } = state;
    let score = score.map_or(String::new(), |score| format!(", score {score}"));
    let (outcome, expected) = (in_words(*outcome), in_words(*expected));
    format!("In the state `{name}` the verifier {outcome}{score}; it should have {expected}. {detail}")
}

/// The scripts of a trial that failed, with the ends of their logs.
fn faulty_hooks(trial: &Trial) -> impl Iterator<Item = String> {
    trial.episodes.iter().flat_map(|episode| {
        let Episode { name, setup, solution, export, .. } = episode;
        let runs = [("setup", setup), ("solution", solution), ("export", export)];
        runs.into_iter().filter_map(move |(hook, run)| describe_run(name, hook, run.as_ref()?))
    })
}

fn describe_run(episode: &str, hook: &str, run: &HookRun) -> Option<String> {
    let end = match (run.timed_out, run.exit) {
        (true, _) => "was stopped at its time limit".to_owned(),
        (false, Some(0)) => return None,
        (false, Some(status)) => format!("ended with {status}"),
        (false, None) => "was stopped".to_owned(),
    };
    Some(format!("In the episode `{episode}` the {hook} {end}. The end of its output: {}", run.log))
}

fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passed the task",
        Outcome::Fail => "failed the task",
        Outcome::Error => "gave no answer",
        Outcome::Refused => "was stopped by the sandbox",
    }
}
