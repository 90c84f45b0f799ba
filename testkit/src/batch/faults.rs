//! What goes wrong with batches.

use super::formats::{Call, Verb};

/// What goes wrong with batches. Numbers count from 1.
#[derive(Clone, Debug)]
pub struct BatchFaults {
    /// A batch ends when it was looked at this often.
    pub looks: usize,
    /// These creations are done, and then the connection is cut instead of an answer.
    pub cut_creations: Vec<usize>,
    /// Each look whose number is divisible by this is answered with 503; 0 for none.
    pub fail_looks: usize,
    /// These downloads break off half-way.
    pub cut_downloads: Vec<usize>,
    /// Whether downloads can start in the middle.
    pub ranges: bool,
    /// How each batch ends, by its number; later ones end well.
    pub endings: Vec<Ending>,
    /// The longest page of a list.
    pub page: usize,
}

impl Default for BatchFaults {
    fn default() -> Self {
        Self {
            looks: 2,
            cut_creations: Vec::new(),
            fail_looks: 0,
            cut_downloads: Vec::new(),
            ranges: true,
            endings: Vec::new(),
            page: 100,
        }
    }
}

/// How a batch ends. Of some requests, each second one is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All requests are answered.
    Completed,
    /// Some requests were not reached within a day.
    Expired,
    /// Some requests were not reached before a person cancelled the batch.
    Cancelled,
    /// Some requests are answered with an error of the server.
    PartlyFailed,
    /// Some requests are rejected as invalid.
    PartlyInvalid,
    /// The batch is rejected as a whole, where the provider does that.
    Failed,
}

impl BatchFaults {
    /// Whether the connection is cut instead of an answer to this call, the `number`th of its kind.
    pub(super) fn is_cut(&self, call: &Call, number: usize) -> bool {
        call.verb == Verb::Create && self.cut_creations.contains(&number)
    }

    /// Whether this look fails.
    pub(super) fn fails_look(&self, number: usize) -> bool {
        self.fail_looks > 0 && number.is_multiple_of(self.fail_looks)
    }

    pub(super) fn ending(&self, batch: usize) -> Ending {
        self.endings.get(batch).copied().unwrap_or(Ending::Completed)
    }
}
