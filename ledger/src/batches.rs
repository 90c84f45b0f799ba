//! What is set aside for batches.

use std::collections::BTreeMap;

/// Batches by name: what is set aside for each, in US dollars; `None` once it has ended.
#[derive(Debug, Default)]
pub(crate) struct Batches(BTreeMap<String, Option<f64>>);

impl Batches {
    /// Whether a batch was reserved or settled before.
    pub(crate) fn know(&self, batch: &str) -> bool {
        self.0.contains_key(batch)
    }

    /// Whether a batch was settled before.
    pub(crate) fn has_settled(&self, batch: &str) -> bool {
        self.0.get(batch).is_some_and(Option::is_none)
    }

    /// Sets money aside for a batch, until it is settled. Only the first reservation counts.
    pub(crate) fn reserve(&mut self, batch: String, worst: f64) {
        self.0.entry(batch).or_insert(Some(worst));
    }

    /// Gives back what was set aside.
    pub(crate) fn settle(&mut self, batch: String) {
        self.0.insert(batch, None);
    }

    /// What is set aside for each batch that has not ended, in US dollars.
    pub(crate) fn reserved(&self) -> impl Iterator<Item = f64> {
        self.0.values().flatten().copied()
    }
}
