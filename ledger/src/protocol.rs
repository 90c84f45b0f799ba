//! What a stage and the ledger say to each other: lines of JSON over TCP.
//!
//! A connection carries one request. [`Request::Ask`] is answered when it is the call's turn; then the connection
//! stays open during the call, and ends with its [`Outcome`]. If it breaks before, the call has ended with its
//! process.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The maximum length of a line in bytes. Only a [`Status`] of many runs is longer than a few hundred.
const MAX_LINE: u64 = 4 << 20;

/// The first line of a connection.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// The secret of the address file.
    pub(crate) token: String,
    pub(crate) request: Request,
}

/// What a stage wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// To call the provider.
    Ask(Ask),
    /// To report the outcome of a call whose connection broke, as after a restart of the ledger.
    Settle {
        /// The number of the ticket.
        ticket: u64,
        outcome: Outcome,
    },
    /// To set money aside for a batch, which is not a call in flight: it needs no turn, and outlives its process.
    ReserveBatch {
        /// Its name. What is set aside under a name is set aside once.
        batch: String,
        /// The most that it may cost, in US dollars.
        worst: f64,
    },
    /// To report what a batch cost.
    SettleBatch {
        /// Its name. The first report counts.
        batch: String,
        /// In US dollars.
        cost: f64,
    },
    /// To see what is spent, and by whom.
    Status,
}

/// A call that waits for its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// The process that calls. Runs are served in turn.
    pub(crate) run: String,
    /// The provider and the model that share a rate limit.
    pub(crate) provider: String,
    /// The most that the call may cost, in US dollars.
    pub(crate) worst: f64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What it cost, or the most that it may have cost where that is unknown, in US dollars.
    pub cost: f64,
    /// What it tells of the load of the provider.
    pub flow: Flow,
    /// How long the provider asks to wait before another call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Duration>,
}

/// What the end of a call tells of the load of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// It was answered: more calls may be in flight.
    Answered,
    /// It was rejected for overload, or not answered in time: fewer calls may be in flight.
    Overloaded,
    /// It failed for another reason, which tells nothing.
    Failed,
}

/// What the ledger says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Response {
    /// The call may start.
    Granted {
        /// The number of the ticket.
        ticket: u64,
    },
    /// The budget is spent.
    Refused(Refused),
    /// The money is set aside.
    Reserved,
    /// It does not fit into what is left of the budget now.
    Short,
    /// The outcome was recorded.
    Settled,
    Status(Status),
    /// The request is not served.
    Denied {
        /// The reason, for people.
        message: String,
    },
}

/// A call that does not fit into what is left of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// The budget, in US dollars.
    pub(crate) max: f64,
    /// What is spent.
    pub(crate) spent: f64,
    /// The most that the call may cost.
    pub(crate) next: f64,
}

/// The state of the ledger. Costs are in US dollars.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The budget; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_cost: Option<f64>,
    /// What the settled calls cost.
    pub(crate) spent: f64,
    /// The most that the calls in flight may cost, those that ended with their process, and the batches.
    pub(crate) reserved: f64,
    /// The number of batches that are not settled.
    #[serde(default)]
    pub(crate) batches: u32,
    /// By provider and model.
    pub(crate) providers: Vec<ProviderStatus>,
}

/// The calls to a provider and model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProviderStatus {
    pub(crate) name: String,
    /// The number of calls that may be in flight now.
    pub(crate) limit: u32,
    pub(crate) in_flight: u32,
    pub(crate) waiting: u32,
    /// The number of runs with calls in flight or waiting.
    pub(crate) runs: u32,
}

/// Writes a message as one line, in one write.
pub(crate) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads a message; `None` at the end of the connection.
pub(crate) fn receive<T: DeserializeOwned>(from: impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
