//! The calls of all runs take turns, where a ledger limits them together. Batches need no turn, but share its budget.

use ledger::{Flow, Ledger, LedgerError, Outcome, Room, Ticket};

use crate::error::{AskError, Limit};
use crate::facts::ModelFacts;
use crate::model::{CallError, Fault, Reply};
use crate::settings::CallSettings;

/// The turns of a run among all runs. Without a ledger it is always this run's turn.
pub(crate) struct Turns(Option<Ledger>);

/// The turn of one attempt at a call.
pub(crate) struct Turn<'a>(Option<Ticket<'a>>);

impl Turns {
    pub(crate) fn new(settings: &CallSettings, model: &str) -> Self {
        Self(settings.ledger.as_ref().map(|ledger| Ledger::new(&ledger.file, &ledger.run, model)))
    }

    /// Whether a ledger adapts the number of calls in flight.
    pub(crate) fn are_shared(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for the turn of a call that may cost `worst` US dollars. The error ends the run.
    pub(crate) fn wait(&self, worst: f64, has_ended: impl Fn() -> bool) -> Result<Turn<'_>, AskError> {
        let Some(ledger) = &self.0 else { return Ok(Turn(None)) };
        Ok(Turn(Some(ledger.ticket(worst, has_ended)?)))
    }

    /// Reports, at the end of the run, the outcomes that could not be reported before.
    pub(crate) fn finish(&self) -> Result<(), LedgerError> {
        self.0.as_ref().map_or(Ok(()), Ledger::finish)
    }

    /// What is left for batches of the budget of all runs; `None` without a budget.
    pub(crate) fn room(&self) -> Result<Option<Room>, AskError> {
        self.0.as_ref().map_or(Ok(None), |ledger| Ok(ledger.room()?))
    }

    /// Sets `worst` US dollars aside for a batch. Returns whether they fit into the budget of all runs.
    pub(crate) fn reserve_batch(&self, batch: &str, worst: f64) -> Result<bool, AskError> {
        self.0.as_ref().map_or(Ok(true), |ledger| Ok(ledger.reserve_batch(batch, worst)?))
    }

    /// Reports what a batch cost, in US dollars. It may be reported before.
    pub(crate) fn settle_batch(&self, batch: &str, cost: f64) -> Result<(), AskError> {
        self.0.as_ref().map_or(Ok(()), |ledger| Ok(ledger.settle_batch(batch, cost)?))
    }
}

/// Each of them ends the run.
impl From<LedgerError> for AskError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Budget { max, spent, next } => Self::Limit(Limit::Budget { max, spent, next }),
            // The run has its own reason already.
            LedgerError::Ended => Self::Interrupted,
            LedgerError::Unreachable { .. } => Self::Stopped {
                message: error.to_string(),
                hint: Some(
                    "start it with `fleet-ledger serve DIR`, and run the same command again".to_owned(),
                ),
            },
        }
    }
}

impl Turn<'_> {
    /// Ends the turn with the result of the attempt, which may have cost `worst` US dollars.
    pub(crate) fn end(self, result: &Result<Reply, CallError>, worst: f64, facts: &ModelFacts) {
        let Some(ticket) = self.0 else { return };
        ticket.settle(match result {
            Ok(reply) => {
                Outcome { cost: facts.cost(&reply.usage).unwrap_or(worst), flow: Flow::Answered, wait: None }
            }
            Err(error) => Outcome {
                cost: if error.charged { worst } else { 0.0 },
                flow: if tells_overload(error.fault) { Flow::Overloaded } else { Flow::Failed },
                wait: error.wait,
            },
        });
    }
}

/// Whether the provider is, or may be, overloaded.
pub(crate) fn tells_overload(fault: Fault) -> bool {
    matches!(fault, Fault::Overload | Fault::Slow)
}
