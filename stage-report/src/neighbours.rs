//! Tasks that resemble one another: the share of five-word sequences that two descriptions have in common.

use serde::Serialize;
use task_spec::duplicates::{self, Alike, SHINGLE, Shingles};
use task_spec::words::words;

use crate::task::Task;

/// Descriptions in one environment that share less of their sequences are not called alike, from 0 to 1.
const ALIKE: f64 = 0.1;
/// The same for two environments. Descriptions that are less alike often have only their first sentences in common, such
/// as how to log in; short ones, where to save the result.
const ALIKE_ACROSS: f64 = 0.2;
const SHORT_ALIKE_ACROSS: f64 = 0.5;
/// A description of fewer words is short.
const SHORT: usize = 20;

/// The most pairs of tasks of one environment that are named.
const MAX_WITHIN: usize = 12;
/// The most pairs of tasks of two environments that are named.
const MAX_ACROSS: usize = 10_000;

/// Tasks that resemble one another, the most similar first.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    /// In one environment.
    pub(crate) within: Vec<Pair>,
    /// In two.
    pub(crate) across: Vec<Pair>,
}

/// Two tasks.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Pair {
    /// The place of the first in the list of tasks.
    pub(crate) first: usize,
    /// The place of the second.
    pub(crate) second: usize,
    /// The share of sequences that both have, from 0 to 1.
    pub(crate) similarity: f64,
}

/// Finds the tasks that resemble one another. Notes in each how similar its nearest neighbour is.
pub(crate) fn find(tasks: &mut [Task]) -> Neighbours {
    let mut places = Vec::new();
    let mut lengths = Vec::new();
    let mut texts = Vec::new();
    for (place, task) in tasks.iter().enumerate() {
        let words = words(&task.description);
        // A few words are too little to call tasks alike by.
        if words.len() >= SHINGLE {
            places.push(place);
            lengths.push(words.len());
            texts.push(Shingles::of(&words));
        }
    }
    let mut found = Neighbours::default();
    for Alike { first, second, similarity } in duplicates::pairs(&texts, ALIKE) {
        let pair = Pair { first: places[first], second: places[second], similarity };
        let is_within = tasks[pair.first].env == tasks[pair.second].env;
        let is_short = lengths[first].min(lengths[second]) < SHORT;
        if is_within || similarity >= if is_short { SHORT_ALIKE_ACROSS } else { ALIKE_ACROSS } {
            tasks[pair.first].note_neighbour(similarity);
            tasks[pair.second].note_neighbour(similarity);
            if is_within { &mut found.within } else { &mut found.across }.push(pair);
        }
    }
    keep_most_similar(&mut found.within, MAX_WITHIN);
    keep_most_similar(&mut found.across, MAX_ACROSS);
    found
}

fn keep_most_similar(pairs: &mut Vec<Pair>, most: usize) {
    pairs.sort_by(|a, b| {
        b.similarity.total_cmp(&a.similarity).then((a.first, a.second).cmp(&(b.first, b.second)))
    });
    pairs.truncate(most);
}
