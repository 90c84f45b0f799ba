//! Tasks that resemble one another: the share of five-word sequences that two descriptions have in common.

use std::collections::BTreeMap;

use serde::Serialize;
use task_spec::duplicates::{SHINGLE, Shingles};
use task_spec::words::words;

use crate::task::Task;

/// Descriptions that share less of their sequences are not called alike, from 0 to 1.
const ALIKE: f64 = 0.1;

/// The most pairs that are named.
const MAX_PAIRS: usize = 12;

/// Two tasks of one environment.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Pair {
    /// The place of the first in the list of tasks.
    pub(crate) first: usize,
    /// The place of the second.
    pub(crate) second: usize,
    /// The share of sequences that both have, from 0 to 1.
    pub(crate) similarity: f64,
}

/// Notes in each task how similar its nearest neighbour is, and returns the most similar pairs.
pub(crate) fn find(tasks: &mut [Task]) -> Vec<Pair> {
    let mut by_env: BTreeMap<&str, Vec<(usize, Shingles)>> = BTreeMap::new();
    for (place, task) in tasks.iter().enumerate() {
        let words = words(&task.description);
        // A few words are too little to call tasks alike by.
        if words.len() >= SHINGLE {
            by_env.entry(&task.env).or_default().push((place, Shingles::of(&words)));
        }
    }
    let mut pairs = Vec::new();
    for group in by_env.values() {
        for (number, (first, ours)) in group.iter().enumerate() {
            for (second, theirs) in &group[number + 1..] {
                let similarity = ours.similarity(theirs);
                if similarity >= ALIKE {
                    pairs.push(Pair { first: *first, second: *second, similarity });
                }
            }
        }
    }
    for pair in &pairs {
        for place in [pair.first, pair.second] {
            if let Some(task) = tasks.get_mut(place) {
                task.nearest =
                    Some(task.nearest.map_or(pair.similarity, |nearest| nearest.max(pair.similarity)));
            }
        }
    }
    pairs.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.first.cmp(&b.first)));
    pairs.truncate(MAX_PAIRS);
    pairs
}
