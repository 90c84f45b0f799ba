//! Tasks that resemble one another: the share of five-word sequences that two descriptions have in common.

use std::collections::BTreeMap;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::task::Task;

/// The number of words in a sequence.
const SHINGLE: usize = 5;

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
    let mut by_env: BTreeMap<&str, Vec<(usize, Vec<u64>)>> = BTreeMap::new();
    for (place, task) in tasks.iter().enumerate() {
        let shingles = shingles(&task.description);
        if !shingles.is_empty() {
            by_env.entry(&task.env).or_default().push((place, shingles));
        }
    }
    let mut pairs = Vec::new();
    for group in by_env.values() {
        for (number, (first, ours)) in group.iter().enumerate() {
            for (second, theirs) in &group[number + 1..] {
                let similarity = similarity(ours, theirs);
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

/// The hashes of the sequences of a text, sorted.
fn shingles(text: &str) -> Vec<u64> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut hashes: Vec<u64> =
        words.windows(SHINGLE).map(|window| xxh3_64(window.join(" ").as_bytes())).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The size of the intersection divided by the size of the union.
fn similarity(a: &[u64], b: &[u64]) -> f64 {
    let (mut left, mut right, mut shared) = (0, 0, 0_usize);
    while let (Some(x), Some(y)) = (a.get(left), b.get(right)) {
        shared += usize::from(x == y);
        left += usize::from(x <= y);
        right += usize::from(y <= x);
    }
    let all = a.len() + b.len() - shared;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand words")]
    let (shared, all) = (shared as f64, all.max(1) as f64);
    shared / all
}
