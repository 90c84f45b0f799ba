//! Why the client has no answer, and what that means for the run.

use common::exit::ExitStatus;
use thiserror::Error;

/// Why a request has no answer.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AskError {
    /// The run cannot continue: every other call would fail too.
    #[error("{message}")]
    Stopped {
        /// What went wrong, for people.
        message: String,
        /// What to do next, for people.
        hint: Option<String>,
    },
    /// The run has reached a limit of its settings.
    #[error("{0}")]
    Limit(Limit),
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// The request was put into a batch that is not answered yet.
    #[error("it is in a batch that is not answered yet")]
    Deferred,
    /// This call failed; others may succeed. Worth a `failure` record.
    #[error("{message}")]
    GaveUp {
        /// A stable name in `snake_case`, for programs.
        code: &'static str,
        /// What went wrong, for people.
        message: String,
        /// What to do next, for people.
        hint: Option<String>,
        /// The number of attempts.
        attempts: u32,
    },
}

/// A limit that stops a run.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum Limit {
    /// The next call might cost more than is left.
    #[error("stopped at ${spent:.2} of ${max:.2}: the next call may cost ${next:.2}")]
    Cost {
        /// The cost limit, in US dollars.
        max: f64,
        /// What was spent, or may have been.
        spent: f64,
        /// The worst-case cost of the next call.
        next: f64,
    },
    /// The next call might cost more than is left of the budget of all runs.
    #[error("stopped at ${spent:.2} of the ${max:.2} of all runs: the next call may cost ${next:.2}")]
    Budget {
        /// The budget, in US dollars.
        max: f64,
        /// What was spent, or may have been, by all runs.
        spent: f64,
        /// The worst-case cost of the next call.
        next: f64,
    },
    /// The deadline has passed.
    #[error("stopped at the deadline")]
    Deadline,
    /// Too many calls in a row failed for good.
    #[error("stopped after {0} failed calls in a row")]
    Failures(u32),
}

impl AskError {
    /// Whether every later call ends the same way.
    pub fn ends_run(&self) -> bool {
        match self {
            Self::Stopped { .. } | Self::Limit(_) | Self::Interrupted => true,
            Self::GaveUp { .. } | Self::Deferred => false,
        }
    }

    /// The exit status of a run that ends with this error; `None` where the run cannot go on, which is an
    /// error of the stage itself ([`ExitStatus::CANNOT`]).
    pub fn exit_status(&self) -> Option<ExitStatus> {
        match self {
            Self::Stopped { .. } => None,
            Self::Limit(_) => Some(ExitStatus::Limit),
            Self::Interrupted => Some(ExitStatus::Interrupted),
            Self::GaveUp { .. } | Self::Deferred => Some(ExitStatus::SomeFailed),
        }
    }

    /// What to do next, for people.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Stopped { hint, .. } | Self::GaveUp { hint, .. } => hint.as_deref(),
            Self::Limit(Limit::Cost { .. }) => Some("raise --max-cost to continue"),
            Self::Limit(Limit::Budget { .. }) => Some("raise --max-cost of fleet-ledger to continue"),
            Self::Limit(_) | Self::Interrupted | Self::Deferred => None,
        }
    }
}
