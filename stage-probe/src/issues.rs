//! From the outcomes in all states to the issues of a verifier.

use std::collections::BTreeMap;

use common::record::{Issue, Outcome, Probe, ProbeState, Severity};
use sandbox::{Assessment, FULL_SCORE};

use crate::states::{Expected, KnownState};

/// The highest score that a result of the wrong object may get.
const WRONG_TARGET_SCORE: f64 = 10.0;

/// The runs in one state.
pub(crate) struct StateRuns<'a> {
    pub(crate) state: &'a KnownState,
    /// At least one. The first one counts.
    pub(crate) assessments: Vec<Assessment>,
}

impl StateRuns<'_> {
    fn first(&self) -> Option<&Assessment> {
        self.assessments.first()
    }

    /// The entry of the record.
    pub(crate) fn record(&self) -> Option<ProbeState> {
        let first = self.first()?;
        let expected = if self.state.expected == Expected::Golden { Outcome::Pass } else { Outcome::Fail };
        Some(ProbeState {
            state: self.state.name.clone(),
            expected,
            outcome: first.outcome,
            score: first.score,
            seconds: (first.seconds * 1000.0).round() / 1000.0,
            detail: first.detail.clone(),
        })
    }
}

/// An issue of a task.
pub(crate) fn issue(code: &str, severity: Severity, message: impl Into<String>) -> Issue {
    Issue { code: code.to_owned(), severity, message: message.into(), path: None }
}

/// The issues of a verifier with these runs.
pub(crate) fn of_runs(states: &[StateRuns]) -> Vec<Issue> {
    let mut findings = Findings::default();
    for runs in states {
        let Some(first) = runs.first() else { continue };
        if let Some(fault) = first.fault {
            findings.add(fault.severity(), fault.code(), fault.predicate(), runs, &first.detail);
            if fault.severity() == Severity::Warning {
                let predicate = "could not be judged: this machine lacks what it needs";
                findings.add(Severity::Error, Probe::UNJUDGED, predicate, runs, "");
            }
        }
        if runs.assessments.iter().any(|other| !other.agrees(first)) {
            let predicate = "returns different verdicts in the same state";
            findings.add(Severity::Error, "flaky_verifier", predicate, runs, "");
        }
        check_verdict(&mut findings, runs, first);
    }
    findings.into_issues(passes_all(states))
}

fn check_verdict(findings: &mut Findings, runs: &StateRuns, first: &Assessment) {
    let passed = first.outcome == Outcome::Pass;
    let score = first.score.unwrap_or(0.0);
    let shown = format!("score {score}");
    match runs.state.expected {
        Expected::Golden if first.outcome == Outcome::Fail => {
            let predicate = "does not pass a completed task";
            findings.add(Severity::Error, "fails_golden", predicate, runs, &first.detail);
        }
        Expected::Nothing if passed => {
            let predicate = "passes a task of which nothing was done";
            findings.add(Severity::Error, "passes_nothing", predicate, runs, &first.detail);
        }
        Expected::Partial if passed => {
            let predicate = "passes a task of which a part was done";
            findings.add(Severity::Error, "passes_partial", predicate, runs, &shown);
        }
        Expected::WrongTarget if passed => {
            let predicate = "passes a task that was done to the wrong object";
            findings.add(Severity::Error, "passes_wrong_target", predicate, runs, &shown);
        }
        Expected::Nothing if score > 0.0 => {
            let predicate = "gives a score when nothing was done";
            findings.add(Severity::Warning, "score_for_nothing", predicate, runs, &shown);
        }
        Expected::Partial if first.outcome == Outcome::Fail && (score <= 0.0 || score >= FULL_SCORE) => {
            let predicate = "gives no score between 0 and 100 for a task of which a part was done";
            findings.add(Severity::Warning, "no_partial_score", predicate, runs, &shown);
        }
        Expected::WrongTarget if score > WRONG_TARGET_SCORE => {
            let predicate = "gives a score for work on the wrong object";
            findings.add(Severity::Warning, "score_for_wrong_target", predicate, runs, &shown);
        }
        _ => {}
    }
}

/// Whether it passes in all states in which nothing was done.
fn passes_all(states: &[StateRuns]) -> bool {
    let nothing = states.iter().filter(|runs| runs.state.expected == Expected::Nothing);
    let first: Vec<_> = nothing.filter_map(StateRuns::first).collect();
    !first.is_empty() && first.iter().all(|assessment| assessment.outcome == Outcome::Pass)
}

/// Findings by code: one issue each, in however many states.
#[derive(Default)]
struct Findings(BTreeMap<&'static str, Finding>);

struct Finding {
    severity: Severity,
    predicate: &'static str,
    states: Vec<String>,
    detail: String,
}

impl Findings {
    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        predicate: &'static str,
        runs: &StateRuns,
        detail: &str,
    ) {
        let finding = self.0.entry(code).or_insert_with(|| Finding {
            severity,
            predicate,
            states: Vec::new(),
            detail: detail.to_owned(),
        });
        finding.states.push(runs.state.name.clone());
    }

    /// The issues, errors first.
    fn into_issues(mut self, passes_all: bool) -> Vec<Issue> {
        if passes_all && let Some(finding) = self.0.remove("passes_nothing") {
            self.0.insert("constant_pass", Finding { predicate: "passes in every state", ..finding });
        }
        let mut findings: Vec<_> = self.0.into_iter().collect();
        findings.sort_by_key(|(code, finding)| (finding.severity, *code));
        findings.into_iter().map(|(code, finding)| issue(code, finding.severity, finding.message())).collect()
    }
}

impl Finding {
    fn message(&self) -> String {
        let detail = if self.detail.is_empty() { String::new() } else { format!(": {}", self.detail) };
        format!("the verifier {} (in {}){detail}", self.predicate, self.states.join(", "))
    }
}
