//! What the answers in the journal of a run cost. The journal is only read, and never repaired.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

use common::jsonl::MAX_LINE;
use common::record::Usage;
use serde::{Deserialize, Serialize};

/// What calls took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spent {
    /// The number of answers.
    pub(crate) answers: u64,
    /// How many of them replaced an answer that could not be used.
    pub(crate) again: u64,
    /// Their tokens.
    pub(crate) usage: Usage,
    /// How long the calls took, in seconds, one after the other.
    pub(crate) seconds: f64,
    /// What they cost in US dollars, as they were bought. Without the answers whose price was not known.
    pub(crate) dollars: f64,
    /// The number of answers whose price was not known.
    pub(crate) unpriced: u64,
}

impl Spent {
    fn add(&mut self, call: &Call, is_again: bool) {
        self.answers += 1;
        self.again += u64::from(is_again);
        self.usage += call.usage;
        self.seconds += call.seconds;
        self.dollars += call.cost.unwrap_or_default();
        self.unpriced += u64::from(call.cost.is_none());
    }

    /// Adds what other calls took.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.answers += other.answers;
        self.again += other.again;
        self.usage += other.usage;
        self.seconds += other.seconds;
        self.dollars += other.dollars;
        self.unpriced += other.unpriced;
    }

    /// The share of the input that a cache served, from 0 to 1.
    pub(crate) fn cache_share(&self) -> Option<f64> {
        let input = self.usage.input();
        (input > 0).then(|| ratio(self.usage.cache_read, input))
    }
}

/// `part` of `whole`, which is not 0.
fn ratio(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far fewer tokens than a float can count")]
    let (part, whole) = (part as f64, whole as f64);
    part / whole
}

/// What the calls of a run took, in three divisions of the same total.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Spending {
    /// All calls.
    pub(crate) total: Spent,
    /// By pass: `plan`, `readme`, `files`, ….
    pub(crate) passes: BTreeMap<String, Spent>,
    /// By the provider's name of the model.
    pub(crate) models: BTreeMap<String, Spent>,
    /// When answers arrived, in seconds since 1970.
    #[serde(skip)]
    pub(crate) arrivals: Vec<u64>,
    /// By task; without the calls of the plan.
    #[serde(skip)]
    pub(crate) tasks: BTreeMap<String, Spent>,
}

/// A line of the journal, without its text.
#[derive(Deserialize)]
struct Call {
    label: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    usage: Usage,
    #[serde(default)]
    seconds: f64,
    /// In US dollars, as it was bought.
    cost: Option<f64>,
    #[serde(default)]
    at: u64,
}

impl Spending {
    /// Reads a journal. Adds to `problems` what of it is not an answer.
    pub(crate) fn of_journal(mut lines: impl BufRead, problems: &mut Vec<String>) -> Self {
        let mut spending = Self::default();
        let mut labels = BTreeSet::new();
        for number in 1_u64.. {
            let mut line = Vec::new();
            match lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    problems.push(format!("answers.jsonl cannot be read to its end: {}", error.kind()));
                    break;
                }
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<Call>(&line) {
                Ok(call) => spending.add(&call, !labels.insert(call.label.clone())),
                Err(_) => problems.push(format!("answers.jsonl:{number}: not an answer")),
            }
        }
        spending
    }

    fn add(&mut self, call: &Call, is_again: bool) {
        let (pass, task) = call.label.split_once('/').unwrap_or((&call.label, ""));
        self.total.add(call, is_again);
        self.arrivals.extend((call.at > 0).then_some(call.at));
        self.passes.entry(pass.to_owned()).or_default().add(call, is_again);
        self.models.entry(call.model.clone()).or_default().add(call, is_again);
        if pass != "plan" {
            self.tasks.entry(task.to_owned()).or_default().add(call, is_again);
        }
    }

    /// Adds the calls of another run. Tasks stay apart: names are those of one run.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.total.merge(&other.total);
        self.arrivals.extend(&other.arrivals);
        for (name, spent) in &other.passes {
            self.passes.entry(name.clone()).or_default().merge(spent);
        }
        for (name, spent) in &other.models {
            self.models.entry(name.clone()).or_default().merge(spent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_pass_and_damage_is_named() {
        let journal = concat!(
            r#"{"label":"plan/1","text":"","usage":{"uncached_input":10,"cache_read":30},"seconds":2}"#,
            "\n{\"label\n",
            r#"{"label":"files/a","text":"","model":"x"}"#,
            "\n",
            r#"{"label":"files/a","text":"","model":"x"}"#,
        );
        let mut problems = Vec::new();
        let spending = Spending::of_journal(journal.as_bytes(), &mut problems);
        assert_eq!(problems, ["answers.jsonl:2: not an answer"]);
        assert_eq!((spending.total.answers, spending.total.again, spending.total.unpriced), (3, 1, 3));
        assert_eq!(spending.total.cache_share(), Some(0.75));
        assert_eq!(spending.tasks.keys().collect::<Vec<_>>(), ["a"]);
    }
}
