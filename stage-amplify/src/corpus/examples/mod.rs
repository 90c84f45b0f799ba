//! The tasks that are shown as examples.
//!
//! An example is whole: its scripts are complete, its hooks run them, and its verifier looks at what the agent did.
//! Of those, the environment's own come first: the ones that leave no expected result where the agent can read it, then
//! the ones whose difficulty is wanted, the hardest first, seeds before others, the newest seeds first. Then those of
//! similar environments on the same platform, the hard ones of the most similar first, chosen so that together they
//! show every kind of evidence. The choice depends only on the files and on `--seed`.

mod candidate;
mod evidence;
mod neighbours;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use common::environment::Environment;
use rayon::prelude::*;
use task_spec::platform::Platform;
use task_spec::seeds;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) use self::candidate::Example;
use self::evidence::KINDS;
use self::neighbours::neighbours;
use super::source::Refused;

/// The maximum number of examples from the environment itself.
const OWN: usize = 4;

/// The maximum number of examples from other environments.
const OTHERS: usize = 4;

/// The maximum number of all examples. Fewer of others are shown if the environment has good ones.
const ALL: usize = 6;

/// The maximum size of all examples together, in bytes. The first is shown whatever its size.
const ALL_BYTES: usize = 72_000;

/// An example of a kind of evidence is drawn from this many of the nearest candidates.
const DRAWN_FROM: usize = 6;

/// The number of similar environments that are searched.
const NEIGHBOURS: usize = 24;

/// The number of tasks of a similar environment that are read. Seeds are read first.
const TASKS_READ: usize = 40;

/// How examples are picked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Tasks with one of these labels come first; empty for all.
    pub(crate) difficulties: &'a [String],
    /// Selects one of several equally good examples.
    pub(crate) seed: u64,
    /// Canonical paths of the files that are sent even if they look like secrets.
    pub(crate) sent: &'a [PathBuf],
}

/// The examples, and the files that are not shown of them and of the seeds.
pub(crate) struct Picked {
    pub(crate) examples: Vec<Example>,
    pub(crate) refused: Refused,
}

/// Picks the examples: of the environment's own tasks, `seeds` before `others`, then of the environments below
/// `root`.
pub(crate) fn pick(
    environment: &Environment,
    seeds: &[String],
    others: &[String],
    root: Option<&Path>,
    wanted: Wanted<'_>,
) -> Result<Picked> {
    let platform = Platform::of(environment);
    let mut examples: Vec<Example> = Vec::new();
    let mut left = Room { bytes: ALL_BYTES };
    let Ranked { examples: own, refused } =
        Ranked::of(environment, platform, &newest_first(seeds, others), wanted);
    let mut all_refused = Refused::default();
    for (_, refused) in refused.iter().filter(|(name, _)| seeds.contains(name)) {
        all_refused.add(refused);
    }
    for example in own {
        if examples.len() < OWN && left.takes(&example, examples.is_empty()) {
            examples.push(example);
        }
    }
    if let Some(root) = root {
        let most = OTHERS.min(ALL - examples.len());
        let nearest = neighbours(environment, platform, root)?;
        for example in from_others(&nearest, platform, most, wanted) {
            if left.takes(&example, examples.is_empty()) {
                examples.push(Example { is_own: false, ..example });
            }
        }
    }
    for example in &examples {
        all_refused.add(&example.refused);
    }
    Ok(Picked { examples, refused: all_refused })
}

/// What is left of [`ALL_BYTES`].
struct Room {
    bytes: usize,
}

impl Room {
    /// Whether there is room for this example. If so, it is taken.
    fn takes(&mut self, example: &Example, is_first: bool) -> bool {
        let fits = is_first || example.bytes() <= self.bytes;
        if fits {
            self.bytes = self.bytes.saturating_sub(example.bytes());
        }
        fits
    }
}

/// The names of tasks, the newest seeds first, then the others.
fn newest_first(seeds: &[String], others: &[String]) -> Vec<String> {
    let others = others.iter().filter(|name| !seeds.contains(name));
    seeds.iter().rev().chain(others).cloned().collect()
}

/// Tasks as examples.
struct Ranked {
    /// The good ones: those that leak no expected result first, then those with a wanted difficulty, then the harder
    /// ones, then those with a README. Of equal ones, those named first come first.
    examples: Vec<Example>,
    /// The names of the others, and their files that may not be shown.
    refused: Vec<(String, Refused)>,
}

impl Ranked {
    fn of(environment: &Environment, platform: Platform, names: &[String], wanted: Wanted<'_>) -> Self {
        let read: Vec<Result<Example, (String, Refused)>> = names
            .par_iter()
            .map(|name| {
                Example::read(environment, platform, name, wanted).map_err(|refused| (name.clone(), refused))
            })
            .collect();
        let (mut examples, mut others) = (Vec::new(), Vec::new());
        for read in read {
            match read {
                Ok(example) => examples.push(example),
                Err(other) => others.push(other),
            }
        }
        examples.sort_by_key(|example| (example.place(wanted.difficulties), !example.has_readme));
        Self { examples, refused: others }
    }
}

/// At most `most` examples, one of each kind of evidence in turn, each from a different environment.
fn from_others(nearest: &[Environment], platform: Platform, most: usize, wanted: Wanted<'_>) -> Vec<Example> {
    let of_each = nearest.iter().take(NEIGHBOURS).map(|neighbour| of_neighbour(neighbour, platform, wanted));
    let mut candidates: Vec<Example> = of_each.flatten().collect();
    // As among the environment's own tasks, but that hard and very hard ones count alike: of these, the nearest come
    // first.
    let place = |example: &Example| {
        let (leaks, distance) = example.place(wanted.difficulties);
        (leaks, distance / 2)
    };
    candidates.sort_by_key(place);
    let mut picked: Vec<Example> = Vec::new();
    let mut used = BTreeSet::new();
    for kind in KINDS.iter().cycle().take(most * KINDS.len()) {
        if picked.len() == most {
            break;
        }
        let of_kind = || candidates.iter().filter(|one| one.kinds.contains(kind) && !used.contains(&one.env));
        let best = of_kind().next().map(place);
        let equal = of_kind().take_while(|example| Some(place(example)) == best);
        let drawn = equal.take(DRAWN_FROM).min_by_key(|example| {
            xxh3_64_with_seed(format!("{}/{}", example.env, example.task).as_bytes(), wanted.seed)
        });
        if let Some(example) = drawn {
            used.insert(example.env.clone());
            picked.push(example.clone());
        }
    }
    picked
}

/// The best examples of another environment: one of each kind of evidence, as far as it has them.
fn of_neighbour(environment: &Environment, platform: Platform, wanted: Wanted<'_>) -> Vec<Example> {
    let seeds = seeds::names(environment).unwrap_or_default();
    let others = environment.task_names().unwrap_or_default();
    let mut names = newest_first(&seeds, &others);
    names.truncate(TASKS_READ);
    let mut examples: Vec<Example> = Vec::new();
    for example in Ranked::of(environment, platform, &names, wanted).examples {
        let is_new = |kind| !examples.iter().any(|shown| shown.kinds.contains(kind));
        if example.kinds.iter().any(is_new) {
            examples.push(example);
        }
    }
    examples
}

#[cfg(test)]
mod tests;
