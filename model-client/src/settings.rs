//! What a person may want to set about asking.

use std::time::Duration;

/// What a person may want to set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most calls in flight.
    pub workers: usize,
    /// The most that this run may spend, in US dollars.
    pub max_cost: Option<f64>,
    /// When to begin no further call, counted from the start.
    pub deadline: Option<Duration>,
    /// How long calls that begin alike wait, at most, for the first of them to be answered: from then on the
    /// vendor's cache serves the others. A model that thinks for minutes before its first word is not waited
    /// for.
    pub warm_up: Duration,
    /// How often a call is tried that breaks off, before it is given up.
    pub attempts: u32,
    /// How long a call is tried that the server turns away for having too much to do, before it is given up.
    pub patience: Duration,
    /// The wait before the second try, where the server names none. It doubles from try to try.
    pub backoff: Duration,
    /// How long to wait for a server.
    pub timeouts: Timeouts,
    /// The run stops when so many calls in a row were given up.
    pub max_failures: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 8,
            max_cost: None,
            deadline: None,
            warm_up: Duration::from_secs(30),
            attempts: 6,
            patience: Duration::from_mins(15),
            backoff: Duration::from_secs(1),
            timeouts: Timeouts::default(),
            max_failures: 10,
        }
    }
}

/// How long to wait for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the beginning of a response. Models that think say nothing meanwhile.
    pub first_byte: Duration,
    /// For the next piece of a response; before its beginning, too.
    pub idle: Duration,
    /// For the end of the response, from the beginning of the call.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            first_byte: Duration::from_mins(3),
            idle: Duration::from_mins(3),
            total: Duration::from_mins(20),
        }
    }
}
