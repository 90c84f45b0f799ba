//! What can be set about calls.

use std::path::PathBuf;
use std::time::Duration;

/// Limits of the calls of a run.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// The maximum number of calls in flight.
    pub workers: usize,
    /// The maximum that may be spent, in US dollars, together with what the answers in the journal cost.
    pub max_cost: Option<f64>,
    /// The most that calls of earlier runs may have cost without an answer, in US dollars.
    pub lost_before: f64,
    /// Whether only answers to the very same request count, and not those of another model.
    pub fresh: bool,
    /// Stop starting calls after this long, counted from the start of the run.
    pub deadline: Option<Duration>,
    /// How long calls with the same prefix wait for the first of them to start its answer, which warms the
    /// provider's cache for the others. Limited, as a model may think for minutes before its first word.
    pub warm_up: Duration,
    /// The number of attempts at a call that breaks off, before it fails.
    pub attempts: u32,
    /// How long a call is retried that an overloaded server rejects, before it fails.
    pub patience: Duration,
    /// The wait before the second attempt, where the server names none. It doubles with each attempt.
    pub backoff: Duration,
    /// How long to wait for a server.
    pub timeouts: Timeouts,
    /// The run stops after this many failed calls in a row.
    pub max_failures: u32,
    /// The ledger that limits the calls of all runs, if there is one.
    pub ledger: Option<LedgerSettings>,
}

/// A ledger, and what it is told of the run.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// Its address file.
    pub file: PathBuf,
    /// What the run works on, for people.
    pub run: String,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            workers: 8,
            max_cost: None,
            lost_before: 0.0,
            fresh: false,
            deadline: None,
            warm_up: Duration::from_secs(30),
            attempts: 6,
            patience: Duration::from_mins(15),
            backoff: Duration::from_secs(1),
            timeouts: Timeouts::default(),
            max_failures: 10,
            ledger: None,
        }
    }
}

/// How long to wait for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the start of a response, and for each piece of it. `None`: by the effort that the model is asked for,
    /// as it may think silently.
    pub silence: Option<Duration>,
    /// For the end of the response, from the start of the call. `None`: four times the
    /// silence, or more where the effort is high.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(30), silence: None, total: None }
    }
}
