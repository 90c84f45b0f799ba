//! What a single run says about its verifier.

use common::record::{Outcome, Severity};
use common::text::{escape, shorten};
use serde_json::{Map, Value};

use crate::run::{Exception, Run, RunEnd};

/// The highest score.
pub const FULL_SCORE: f64 = 100.0;

/// The longest detail that is kept, in characters.
const MAX_DETAIL: usize = 300;

/// Error numbers of what the sandbox denies: EPERM, EACCES, EROFS, ENOSYS.
const DENIED: [i32; 4] = [1, 13, 30, 38];

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// Whether it passed.
    pub outcome: Outcome,
    /// Its score, where it gave a finite one.
    pub score: Option<f64>,
    /// Why the run gave no verdict, or one of another shape.
    pub fault: Option<Fault>,
    /// Feedback, exception or output.
    pub detail: String,
    /// How long the run took, in seconds.
    pub seconds: f64,
}

/// What is wrong with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It raises an exception.
    Raises,
    /// It returns something else than a verdict.
    BadAnswer,
    /// It exceeds the time limit.
    Timeout,
    /// It ends its process.
    EndsInterpreter,
    /// It writes to the channel of its report.
    Tampers,
    /// It needs what the sandbox denies.
    Refused,
    /// It imports a package that is not installed.
    MissingPackage,
}

impl Fault {
    /// The code of the issue.
    pub fn code(self) -> &'static str {
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

    /// What this machine lacks is not the verifier's fault.
    pub fn severity(self) -> Severity {
        match self {
            Self::Refused | Self::MissingPackage => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What the verifier does, as the predicate of a message.
    pub fn predicate(self) -> &'static str {
        match self {
            Self::Raises => "raises an exception instead of returning a verdict",
            Self::BadAnswer => "does not return a dict with a Boolean `passed` and a `score` from 0 to 100",
            Self::Timeout => "exceeds the time limit",
            Self::EndsInterpreter => "ends the interpreter instead of returning a verdict",
            Self::Tampers => "writes to the channel that is reserved for its verdict",
            Self::Refused => "needs what the sandbox denies: network, other programs, other files",
            Self::MissingPackage => "imports a package that is not installed for the Python that runs it",
        }
    }
}

impl Assessment {
    /// The assessment of a run.
    pub fn of(run: &Run) -> Self {
        let assessment = match &run.end {
            RunEnd::Returned(fields) => Self::of_fields(fields),
            RunEnd::NotADict(value) => Self::bad_answer(Outcome::Error, None, &format!("returned {value}")),
            RunEnd::Raised(exception) => Self::of_exception(exception, &run.output),
            RunEnd::Tampered => Self::without_verdict(Fault::Tampers, &run.output),
            RunEnd::TimedOut => Self::without_verdict(Fault::Timeout, &run.output),
            RunEnd::Exited(how) => {
                Self::without_verdict(Fault::EndsInterpreter, &format!("{how}: {}", run.output))
            }
        };
        Self { seconds: run.seconds, ..assessment }
    }

    fn of_fields(fields: &Map<String, Value>) -> Self {
        let feedback = fields.get("feedback").and_then(Value::as_str).unwrap_or_default();
        let score = fields.get("score").and_then(Value::as_f64);
        let Some(passed) = fields.get("passed").and_then(Value::as_bool) else {
            return Self::bad_answer(
                Outcome::Error,
                score,
                &format!("passed is {}", shown(fields, "passed")),
            );
        };
        let outcome = if passed { Outcome::Pass } else { Outcome::Fail };
        if !score.is_some_and(|score| (0.0..=FULL_SCORE).contains(&score)) {
            return Self::bad_answer(outcome, score, &format!("score is {}", shown(fields, "score")));
        }
        Self::new(outcome, score, None, feedback)
    }

    fn of_exception(exception: &Exception, output: &str) -> Self {
        let fault = if exception.module.as_deref().is_some_and(|module| !module.is_empty()) {
            Fault::MissingPackage
        } else if exception.errno.is_some_and(|number| DENIED.contains(&number)) {
            Fault::Refused
        } else {
            Fault::Raises
        };
        let line = exception.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let Exception { class, message, phase, .. } = exception;
        let mut detail = format!("{class}: {message} ({phase}{line})");
        if class == "SystemExit" {
            detail = format!("{detail} {output}");
        }
        Self::without_verdict(fault, &detail)
    }

    fn without_verdict(fault: Fault, detail: &str) -> Self {
        let outcome = if fault == Fault::Refused { Outcome::Refused } else { Outcome::Error };
        Self::new(outcome, None, Some(fault), detail)
    }

    fn bad_answer(outcome: Outcome, score: Option<f64>, detail: &str) -> Self {
        Self::new(outcome, score, Some(Fault::BadAnswer), detail)
    }

    fn new(outcome: Outcome, score: Option<f64>, fault: Option<Fault>, detail: &str) -> Self {
        let detail = escape(&shorten(detail.trim(), MAX_DETAIL)).into_owned();
        Self { outcome, score, fault, detail, seconds: 0.0 }
    }

    /// Whether another run in the same state gave the same verdict.
    pub fn agrees(&self, other: &Self) -> bool {
        self.outcome == other.outcome && self.score == other.score && self.fault == other.fault
    }
}

fn shown(fields: &Map<String, Value>, key: &str) -> String {
    fields.get(key).map_or_else(|| "missing".to_owned(), Value::to_string)
}
