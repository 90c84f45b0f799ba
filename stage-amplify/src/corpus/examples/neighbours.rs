//! Environments whose software is alike.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use common::environment::Environment;
use fs_err as fs;
use rayon::prelude::*;
use task_spec::platform::Platform;
use task_spec::value::Value;
use task_spec::words::words;

use crate::corpus::source::Source;

/// The other environments below `root` on this platform, the most similar to `environment` first.
pub(super) fn neighbours(
    environment: &Environment,
    platform: Platform,
    root: &Path,
) -> Result<Vec<Environment>> {
    let mut dirs = Vec::new();
    for entry in fs::read_dir(root).context("cannot read the folder given with --examples-root")? {
        dirs.push(entry?.path());
    }
    dirs.sort_unstable();
    let others: Vec<(BTreeSet<String>, Environment)> = dirs
        .par_iter()
        .filter_map(|dir| Environment::open(dir).ok())
        .filter(|other| other.name != environment.name && Platform::of(other) == platform)
        .map(|other| (topic(&other), other))
        .collect();
    let mut frequency: BTreeMap<&str, f64> = BTreeMap::new();
    for word in others.iter().flat_map(|(topic, _)| topic) {
        *frequency.entry(word).or_default() += 1.0;
    }
    let own = topic(environment);
    let mut ranked: Vec<(f64, &Environment)> = Vec::new();
    for (topic, other) in &others {
        // A word that few environments share counts more than one that most have.
        let shared = topic.intersection(&own);
        let similarity = shared.map(|word| 1.0 / frequency.get(word.as_str()).unwrap_or(&1.0)).sum();
        ranked.push((similarity, other));
    }
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.name.cmp(&right.1.name)));
    Ok(ranked.into_iter().map(|(_, other)| other.clone()).collect())
}

/// The words in an environment's name, tags and description.
fn topic(environment: &Environment) -> BTreeSet<String> {
    let spec = Source::of(environment, &[]).spec();
    let tags = spec.get("tags").and_then(Value::as_list).unwrap_or_default();
    let tags = tags.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let description = spec.get("description").and_then(Value::as_str).unwrap_or_default();
    words(&format!("{} {tags} {description}", environment.name))
        .into_iter()
        .filter(|word| word.len() > 3 && word != "environment")
        .collect()
}
