//! What the runs of a verifier say of it.

use std::collections::BTreeMap;

use common::record::{Issue, Outcome, ProbeState, Severity};
use common::text::{escape, shorten};
use serde_json::{Map, Value};

use crate::states::{Expected, State};
use crate::worker::{Raised, Report, Run};

/// The highest score that a verifier gives.
const FULL_SCORE: f64 = 100.0;

/// The highest score that a result of the wrong object may get.
const NEXT_TO_NOTHING: f64 = 10.0;

/// How much of what a verifier said is kept, in characters.
const MAX_DETAIL: usize = 300;

/// Error numbers of what the sandbox denies: EPERM, EACCES, EROFS, ENOSYS.
const DENIED: [i32; 4] = [1, 13, 30, 38];

/// What one run came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) score: Option<f64>,
    /// Why it is no answer, or not a proper one.
    fault: Option<Fault>,
    /// Feedback, exception or output.
    detail: String,
}

/// What keeps a run from being an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Raises,
    BadAnswer,
    Timeout,
    EndsInterpreter,
    Tampers,
    Refused,
    MissingPackage,
}

impl Fault {
    fn code(self) -> &'static str {
        match self {
            Self::Raises => "raises",
            Self::BadAnswer => "bad_answer",
            Self::Timeout => "timeout",
            Self::EndsInterpreter => "ends_interpreter",
            Self::Tampers => "tampers",
            Self::Refused => "needs_more_than_the_sandbox",
            Self::MissingPackage => "missing_package",
        }
    }

    /// What is missing where it runs is no fault of the verifier's.
    fn severity(self) -> Severity {
        match self {
            Self::Refused | Self::MissingPackage => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Raises => "raises an exception instead of answering",
            Self::BadAnswer => {
                "does not answer with a dict that holds a boolean passed and a score from 0 to 100"
            }
            Self::Timeout => "takes too long",
            Self::EndsInterpreter => "ends the interpreter instead of answering",
            Self::Tampers => "writes where only its answer belongs",
            Self::Refused => "needs what the sandbox does not give: network, other programs, other files",
            Self::MissingPackage => "imports a package that is not installed for the Python that runs it",
        }
    }
}

impl Answer {
    /// What a run says, taken at its word and not further.
    pub(crate) fn of(run: &Run) -> Self {
        let no_answer = |fault, detail: &str| Self {
            outcome: if fault == Fault::Refused { Outcome::Refused } else { Outcome::Error },
            score: None,
            fault: Some(fault),
            detail: brief(detail),
        };
        if run.tampered {
            return no_answer(Fault::Tampers, &run.output);
        }
        let report = run.report.as_deref().map(serde_json::from_str::<Report>);
        match (report, run.ended.as_str()) {
            (Some(Ok(report)), "exit 0") => Self::of_report(report, &run.output),
            (Some(Err(_)), "exit 0") => no_answer(Fault::Tampers, &run.output),
            (_, "timeout") => no_answer(Fault::Timeout, &run.output),
            (_, ended) => no_answer(Fault::EndsInterpreter, &format!("{ended}: {}", run.output)),
        }
    }

    fn of_report(report: Report, output: &str) -> Self {
        match report {
            Report::Returned(fields) => Self::of_fields(&fields),
            Report::NotADict(value) => Self::not_proper(Outcome::Error, None, &format!("returned {value}")),
            Report::Raised(raised) => Self::of_exception(&raised, output),
        }
    }

    fn of_fields(fields: &Map<String, Value>) -> Self {
        let feedback = fields.get("feedback").and_then(Value::as_str).unwrap_or_default();
        let score = fields.get("score").and_then(Value::as_f64);
        let shown = |key| fields.get(key).map_or_else(|| "missing".to_owned(), Value::to_string);
        let Some(passed) = fields.get("passed").and_then(Value::as_bool) else {
            return Self::not_proper(Outcome::Error, score, &format!("passed is {}", shown("passed")));
        };
        let outcome = if passed { Outcome::Pass } else { Outcome::Fail };
        if !score.is_some_and(|score| (0.0..=FULL_SCORE).contains(&score)) {
            return Self::not_proper(outcome, score, &format!("score is {}", shown("score")));
        }
        Self { outcome, score, fault: None, detail: brief(feedback) }
    }

    fn not_proper(outcome: Outcome, score: Option<f64>, detail: &str) -> Self {
        Self { outcome, score, fault: Some(Fault::BadAnswer), detail: brief(detail) }
    }

    fn of_exception(raised: &Raised, output: &str) -> Self {
        let fault = if raised.module.as_deref().is_some_and(|module| !module.is_empty()) {
            Fault::MissingPackage
        } else if raised.errno.is_some_and(|number| DENIED.contains(&number)) {
            Fault::Refused
        } else {
            Fault::Raises
        };
        let line = raised.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let mut detail = format!("{}: {} ({}{line})", raised.class, raised.message, raised.phase);
        if raised.class == "SystemExit" {
            detail = format!("{detail} {output}");
        }
        let outcome = if fault == Fault::Refused { Outcome::Refused } else { Outcome::Error };
        Self { outcome, score: None, fault: Some(fault), detail: brief(&detail) }
    }

    /// Whether a second run of the same state said the same.
    fn agrees(&self, other: &Self) -> bool {
        self.outcome == other.outcome && self.score == other.score && self.fault == other.fault
    }
}

fn brief(text: &str) -> String {
    escape(&shorten(text.trim(), MAX_DETAIL)).into_owned()
}

/// A state, and what the verifier said each time it was asked.
pub(crate) struct Asked<'a> {
    pub(crate) state: &'a State,
    /// At least one.
    pub(crate) answers: Vec<(Answer, f64)>,
}

impl Asked<'_> {
    fn first(&self) -> Option<&Answer> {
        self.answers.first().map(|(answer, _)| answer)
    }

    /// The entry of the record. Of several answers the first one counts.
    pub(crate) fn record(&self) -> Option<ProbeState> {
        let (answer, seconds) = self.answers.first()?;
        let expected = if self.state.expected == Expected::Golden { Outcome::Pass } else { Outcome::Fail };
        Some(ProbeState {
            state: self.state.name.clone(),
            expected,
            outcome: answer.outcome,
            score: answer.score,
            seconds: (seconds * 1000.0).round() / 1000.0,
            detail: answer.detail.clone(),
        })
    }
}

/// What is wrong with a verifier that answered like this.
pub(crate) fn issues(asked: &[Asked]) -> Vec<Issue> {
    let mut findings = Findings::default();
    for asked in asked {
        let Some(answer) = asked.first() else { continue };
        if let Some(fault) = answer.fault {
            findings.add(fault.severity(), fault.code(), fault.says(), asked, &answer.detail);
        }
        if asked.answers.iter().any(|(other, _)| !other.agrees(answer)) {
            let says = "answers differently when asked again";
            findings.add(Severity::Error, "flaky_verifier", says, asked, "");
        }
        judge_verdict(&mut findings, asked, answer);
    }
    findings.into_issues(passes_all(asked))
}

fn judge_verdict(findings: &mut Findings, asked: &Asked, answer: &Answer) {
    let passed = answer.outcome == Outcome::Pass;
    let score = answer.score.unwrap_or(0.0);
    let shown = format!("score {score}");
    match asked.state.expected {
        Expected::Golden if answer.outcome == Outcome::Fail => {
            let says = "does not pass a task that was done well";
            findings.add(Severity::Error, "fails_golden", says, asked, &answer.detail);
        }
        Expected::Nothing if passed => {
            let says = "passes a task of which nothing was done";
            findings.add(Severity::Error, "passes_nothing", says, asked, &answer.detail);
        }
        Expected::Partial if passed => {
            let says = "passes a task that was done in part";
            findings.add(Severity::Error, "passes_partial", says, asked, &shown);
        }
        Expected::WrongTarget if passed => {
            let says = "passes a task that was done to the wrong object";
            findings.add(Severity::Error, "passes_wrong_target", says, asked, &shown);
        }
        Expected::Nothing if score > 0.0 => {
            let says = "gives a score for nothing";
            findings.add(Severity::Warning, "score_for_nothing", says, asked, &shown);
        }
        Expected::Partial if answer.outcome == Outcome::Fail && (score <= 0.0 || score >= FULL_SCORE) => {
            let says = "does not give a task that was done in part a score in between";
            findings.add(Severity::Warning, "no_partial_score", says, asked, &shown);
        }
        Expected::WrongTarget if score > NEXT_TO_NOTHING => {
            let says = "gives a score for what was done to the wrong object";
            findings.add(Severity::Warning, "score_for_wrong_target", says, asked, &shown);
        }
        _ => {}
    }
}

/// Whether it passes whatever it is shown: the states in which nothing was done, all of them.
fn passes_all(asked: &[Asked]) -> bool {
    let nothing = asked.iter().filter(|asked| asked.state.expected == Expected::Nothing);
    let answers: Vec<_> = nothing.filter_map(Asked::first).collect();
    !answers.is_empty() && answers.iter().all(|answer| answer.outcome == Outcome::Pass)
}

/// Findings by code: an issue each, however many states show it.
#[derive(Default)]
struct Findings(BTreeMap<&'static str, Finding>);

struct Finding {
    severity: Severity,
    says: &'static str,
    states: Vec<String>,
    detail: String,
}

impl Findings {
    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        says: &'static str,
        asked: &Asked,
        detail: &str,
    ) {
        let finding = self.0.entry(code).or_insert_with(|| Finding {
            severity,
            says,
            states: Vec::new(),
            detail: detail.to_owned(),
        });
        finding.states.push(asked.state.name.clone());
    }

    /// The issues, errors first.
    fn into_issues(mut self, passes_all: bool) -> Vec<Issue> {
        if passes_all && let Some(finding) = self.0.remove("passes_nothing") {
            let says = "passes whatever it is shown";
            self.0.insert("constant_pass", Finding { says, ..finding });
        }
        let mut findings: Vec<_> = self.0.into_iter().collect();
        findings.sort_by_key(|(code, finding)| (finding.severity, *code));
        findings
            .into_iter()
            .map(|(code, Finding { severity, says, states, detail })| {
                let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
                let message = format!("the verifier {says} (in {}){detail}", states.join(", "));
                Issue { code: code.to_owned(), severity, message, path: None }
            })
            .collect()
    }
}
