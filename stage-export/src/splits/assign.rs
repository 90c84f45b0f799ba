//! Training or test: the side that a new task goes to.
//!
//! It depends on the name alone, so that more tasks do not move those that are there. The exceptions keep a model from
//! being trained on what it is tested with: seeds are training tasks, and a task that is nearly another one goes to
//! the side of that one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use task_spec::duplicates::Seen;
use xxhash_rust::xxh3::xxh3_64;

/// Two tasks are nearly the same if their descriptions share this part of their shingles. It is less than the 0.9 at
/// which stage-amplify rejects a task: what is different enough to be kept can still give a test away.
const NEARLY_THE_SAME: f64 = 0.5;

/// A side of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// For training.
    Train,
    /// For tests.
    Test,
}

impl Side {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// A task that is not listed yet.
pub(super) struct Task<'a> {
    pub(super) name: &'a str,
    pub(super) description: String,
    pub(super) is_seed: bool,
}

/// The sides of the tasks of an environment.
pub(super) struct Assignment<'a> {
    env: &'a str,
    train_ratio: f64,
    sides: BTreeMap<String, Side>,
    seen: Seen,
}

impl<'a> Assignment<'a> {
    /// The sides for an environment where this share of the tasks is for training, from 0 to 1.
    pub(super) fn new(env: &'a str, train_ratio: f64) -> Self {
        Self { env, train_ratio, sides: BTreeMap::new(), seen: Seen::new(NEARLY_THE_SAME) }
    }

    /// Adds a task that is on this side.
    pub(super) fn listed(&mut self, name: &str, description: &str, side: Side) {
        self.seen.add(name, description);
        self.sides.insert(name.to_owned(), side);
    }

    /// The sides of all tasks.
    pub(super) fn into_sides(self) -> BTreeMap<String, Side> {
        self.sides
    }

    /// Whether the task is on a side.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sides.contains_key(name)
    }

    /// Decides the side of a new task.
    pub(super) fn assign(&mut self, task: &Task<'_>) -> Side {
        let side = if task.is_seed {
            Side::Train
        } else {
            let nearest = self.seen.nearest(&task.description);
            nearest.and_then(|name| self.sides.get(name)).copied().unwrap_or_else(|| self.by_name(task.name))
        };
        self.listed(task.name, &task.description, side);
        side
    }

    fn by_name(&self, name: &str) -> Side {
        if portion(&format!("{}/{name}", self.env)) < self.train_ratio { Side::Train } else { Side::Test }
    }
}

/// A number from 0 to 1 that depends on the key alone, and is spread evenly over keys.
#[expect(clippy::cast_precision_loss, reason = "53 of 64 bits suffice")]
pub(crate) fn portion(key: &str) -> f64 {
    xxh3_64(key.as_bytes()) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task<'a>(name: &'a str, description: &str) -> Task<'a> {
        Task { name, description: description.to_owned(), is_seed: false }
    }

    #[test]
    fn the_share_of_training_tasks_is_the_ratio() {
        let mut assignment = Assignment::new("demo_env", 0.8);
        let names: Vec<String> = (0..2000).map(|n| format!("task_{n}")).collect();
        let train = names.iter().filter(|name| assignment.assign(&task(name, "")) == Side::Train).count();
        assert!((1550..1650).contains(&train), "{train}");
    }

    #[test]
    fn nearly_the_same_tasks_are_on_one_side() {
        let text =
            "Enter the invoices of March into the ledger and close the period with a reconciled balance";
        for side in [Side::Train, Side::Test] {
            let mut assignment = Assignment::new("demo_env", 0.5);
            assignment.listed("first", text, side);
            for n in 0..50 {
                let name = format!("again_{n}");
                assert_eq!(assignment.assign(&task(&name, &format!("{text}, number {n}"))), side);
            }
        }
    }
}
