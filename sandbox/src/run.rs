//! What runs result in.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The runs of a program in a list of states.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The runs in each state, in the order of the states. Empty for an unreadable state.
    pub by_state: Vec<Vec<Run>>,
    /// States that could not be set up.
    pub unreadable: Vec<Unreadable>,
    /// Why the program does not compile. Then nothing was run.
    pub uncompilable: Option<String>,
    /// Why the process failed that holds the program. Some or all runs are missing then.
    pub broken: Option<String>,
}

/// A state that could not be set up.
#[derive(Clone, Debug, Deserialize)]
pub struct Unreadable {
    /// The index of the state.
    pub state: usize,
    /// Why.
    pub reason: String,
}

/// One call of the function.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: RunEnd,
    /// The start of what it printed.
    pub output: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// The function returned a dict. A value that is not a number, a Boolean, text or None is represented by the
    /// name of its type.
    Returned(Map<String, Value>),
    /// The function returned something else.
    NotADict(Value),
    /// The function, or the import of its file, raised an exception.
    Raised(Exception),
    /// The report is not one of the sandbox.
    Tampered,
    /// The time limit was reached.
    TimedOut,
    /// The process ended without a report: `exit 0`, or the name of a signal.
    Exited(String),
}

/// An exception that the program did not catch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Exception {
    /// `import` or `call`.
    pub phase: String,
    /// Its class.
    #[serde(rename = "type")]
    pub class: String,
    /// Its text.
    pub message: String,
    /// The last line of the program's file in its traceback.
    pub line: Option<u64>,
    /// The error number of an `OSError`.
    pub errno: Option<i32>,
    /// The module that could not be imported, where that is the cause.
    pub module: Option<String>,
}

/// A run as the harness describes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RawRun {
    /// The index of the state.
    pub(crate) state: usize,
    /// The report of the run, where it wrote one.
    report: Option<String>,
    /// Whether it wrote something else instead.
    tampered: bool,
    /// `exit 0`, the name of a signal, or `timeout`.
    ended: String,
    output: String,
    seconds: f64,
}

/// The report of a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Report {
    Returned(Map<String, Value>),
    NotADict(Value),
    Raised(Exception),
}

impl RawRun {
    /// Interprets the report.
    pub(crate) fn into_run(self) -> Run {
        let end =
            if self.tampered { RunEnd::Tampered } else { Self::end(self.report.as_deref(), self.ended) };
        Run { end, output: self.output, seconds: self.seconds }
    }

    fn end(report: Option<&str>, ended: String) -> RunEnd {
        let report = report.map(serde_json::from_str::<Report>);
        match (report, ended.as_str()) {
            (Some(Ok(Report::Returned(fields))), "exit 0") => RunEnd::Returned(fields),
            (Some(Ok(Report::NotADict(value))), "exit 0") => RunEnd::NotADict(value),
            (Some(Ok(Report::Raised(exception))), "exit 0") => RunEnd::Raised(exception),
            (Some(Err(_)), "exit 0") => RunEnd::Tampered,
            (_, "timeout") => RunEnd::TimedOut,
            _ => RunEnd::Exited(ended),
        }
    }
}
