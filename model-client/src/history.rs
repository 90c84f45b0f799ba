//! What the answers in a journal took, without their texts.

use std::collections::HashSet;

use common::record::Usage;
use serde::Deserialize;

/// What the answers in a journal took.
#[derive(Clone, Debug, Default)]
pub struct History {
    answers: Vec<Paid>,
}

/// What an answer took.
#[derive(Clone, Debug, Deserialize)]
pub struct Paid {
    /// The label of its request.
    pub label: String,
    /// The model that answered, by the provider's name for it.
    #[serde(default)]
    pub model: String,
    /// Its tokens.
    #[serde(default)]
    pub usage: Usage,
    /// What it cost when it was bought, in US dollars.
    #[serde(default)]
    pub cost: Option<f64>,
}

impl Paid {
    /// The kind of the call: the label up to the first slash.
    pub fn pass(&self) -> &str {
        pass(&self.label)
    }
}

/// The kind of a call: its label up to the first slash.
pub(crate) fn pass(label: &str) -> &str {
    label.split_once('/').map_or(label, |(pass, _)| pass)
}

impl History {
    pub(crate) fn add(&mut self, paid: Paid) {
        self.answers.push(paid);
    }

    /// The answers, in the order in which they were bought.
    pub fn answers(&self) -> &[Paid] {
        &self.answers
    }

    /// The labels of all answers.
    pub fn labels(&self) -> HashSet<&str> {
        self.answers.iter().map(|paid| paid.label.as_str()).collect()
    }

    /// What all answers cost, in US dollars, without those of unknown cost.
    pub fn dollars(&self) -> f64 {
        self.answers.iter().filter_map(|paid| paid.cost).sum()
    }

    /// The mean number of output tokens of the answers to calls of this kind, reasoning included.
    pub fn mean_output_tokens(&self, pass: &str) -> Option<u64> {
        let of_pass = self.answers.iter().filter(|paid| paid.pass() == pass && paid.usage.output() > 0);
        let (count, sum) = of_pass.fold((0, 0), |(count, sum), paid| (count + 1, sum + paid.usage.output()));
        u64::checked_div(sum, count)
    }
}
