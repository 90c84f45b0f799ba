//! The wanted distribution of tasks over categories: `--profile`.
//!
//! A profile is a JSON file in the form of gym-anything's distribution profiles: categories with a `weight`
//! each (`"25%"` or `25`) and a description, for one environment, or for several, keyed by folder name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::existing::ExistingTask;
use task_spec::words::words;

/// Words that do not identify a category.
const COMMON_WORDS: [&str; 16] = [
    "and",
    "the",
    "for",
    "with",
    "from",
    "into",
    "task",
    "tasks",
    "create",
    "specific",
    "simple",
    "where",
    "that",
    "requested",
    "correct",
    "available",
];

/// The wanted distribution: a variable of the templates.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Profile {
    summary: String,
    distribution_goal: String,
    current_strengths: Vec<String>,
    desired_shift: Vec<String>,
    pub(crate) categories: Vec<Category>,
    rules: Vec<String>,
}

/// A category of tasks.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Category {
    pub(crate) name: String,
    weight: Value,
    difficulty: String,
    examples: Vec<String>,
    avoid: Vec<String>,
}

/// The number of rows wanted of a category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Quota {
    pub(crate) name: String,
    pub(crate) count: usize,
}

impl Profile {
    /// Reads a profile: the file itself, or its entry for `env`.
    pub(crate) fn read(path: &Path, env: &str) -> Result<Self> {
        let text = fs::read_to_string(path).context("cannot read the profile")?;
        let invalid = format!("{} is not a valid distribution profile", path.display());
        let mut whole: Value = serde_json::from_str(&text).context(invalid.clone())?;
        let found = if whole.get("categories").is_some() { Some(&mut whole) } else { whole.get_mut(env) };
        let Some(found) = found else {
            bail!("{} has neither `categories` nor a profile for {env}", path.display());
        };
        let profile: Self = serde_json::from_value(found.take()).context(invalid.clone())?;
        profile.check().context(invalid)?;
        Ok(profile)
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.categories.is_empty(), "no categories");
        let mut names = BTreeSet::new();
        for category in &self.categories {
            ensure!(!category.name.trim().is_empty(), "a category has no name");
            ensure!(names.insert(&category.name), "duplicate category {:?}", category.name);
            let weight = category.weight();
            ensure!(
                weight.is_some_and(|weight| weight.is_finite() && weight >= 0.0),
                "the weight of {:?} is not a number",
                category.name
            );
        }
        ensure!(
            self.categories.iter().filter_map(Category::weight).sum::<f64>() > 0.0,
            "all weights are zero"
        );
        Ok(())
    }

    /// The category that `name` means: the same words, whatever the case and punctuation.
    pub(crate) fn category(&self, name: &str) -> Option<&str> {
        let wanted = words(name);
        self.categories.iter().map(|category| category.name.as_str()).find(|name| words(name) == wanted)
    }

    /// The number of new rows for each category, so that all tasks together match the weights as closely as
    /// possible. `existing` tasks and the categories of accepted rows (`planned`) are counted. The quotas add
    /// up to `new`.
    pub(crate) fn quotas(&self, new: usize, existing: &[ExistingTask], planned: &[&str]) -> Vec<Quota> {
        let mut present: BTreeMap<&str, usize> = BTreeMap::new();
        let of_existing = existing.iter().filter_map(|task| self.classify(task));
        for name in of_existing.chain(planned.iter().filter_map(|name| self.category(name))) {
            *present.entry(name).or_default() += 1;
        }
        let total = real(new + present.values().sum::<usize>());
        let weights: Vec<f64> =
            self.categories.iter().map(|category| category.weight().unwrap_or(0.0)).collect();
        let all: f64 = weights.iter().sum();
        let mut needed: Vec<f64> = self
            .categories
            .iter()
            .zip(&weights)
            .map(|(category, weight)| {
                let count = present.get(category.name.as_str()).copied().unwrap_or(0);
                (total * weight / all - real(count)).max(0.0)
            })
            .collect();
        if needed.iter().sum::<f64>() <= 0.0 {
            needed = weights;
        }
        let counts = apportion(new, &needed);
        let names = self.categories.iter().map(|category| category.name.clone());
        names.zip(counts).map(|(name, count)| Quota { name, count }).collect()
    }

    /// The category that shares most words with a task.
    fn classify(&self, task: &ExistingTask) -> Option<&str> {
        let text: BTreeSet<String> =
            words(&format!("{} {}", task.name, task.description)).into_iter().collect();
        let mut best = None;
        for category in &self.categories {
            let score = category.keywords().intersection(&text).count();
            if score > 0 && best.is_none_or(|(most, _)| score > most) {
                best = Some((score, category.name.as_str()));
            }
        }
        best.map(|(_, name)| name)
    }
}

impl Category {
    fn weight(&self) -> Option<f64> {
        match &self.weight {
            Value::String(text) => text.trim().trim_end_matches('%').trim().parse().ok(),
            number => number.as_f64(),
        }
    }

    fn keywords(&self) -> BTreeSet<String> {
        words(&format!("{} {}", self.name, self.examples.join(" ")))
            .into_iter()
            .filter(|word| word.len() > 2 && !COMMON_WORDS.contains(&word.as_str()))
            .collect()
    }
}

/// Divides `count` in proportion to `weights` into whole numbers; the largest remainders are rounded up.
fn apportion(count: usize, weights: &[f64]) -> Vec<usize> {
    let all: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| real(count) * weight / all).collect();
    let mut counts: Vec<usize> = exact.iter().map(|&share| whole(share)).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&left, &right| exact[right].fract().total_cmp(&exact[left].fract()));
    let given: usize = counts.iter().sum();
    for &index in order.iter().take(count.saturating_sub(given)) {
        counts[index] += 1;
    }
    counts
}

#[expect(clippy::cast_precision_loss, reason = "no environment has 2^52 tasks")]
fn real(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count, rounded down"
)]
fn whole(share: f64) -> usize {
    share as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(weights: &[(&str, Value)]) -> Profile {
        let categories = weights
            .iter()
            .map(|(name, weight)| Category {
                name: (*name).to_owned(),
                weight: weight.clone(),
                ..Category::default()
            })
            .collect();
        Profile { categories, ..Profile::default() }
    }

    fn counts(quotas: &[Quota]) -> Vec<usize> {
        quotas.iter().map(|quota| quota.count).collect()
    }

    #[test]
    fn quotas_add_up_and_follow_the_weights() {
        let profile = profile(&[("Grades", "50%".into()), ("Users", 30.into()), ("Files", 20.into())]);
        assert_eq!(counts(&profile.quotas(10, &[], &[])), [5, 3, 2]);
        assert_eq!(counts(&profile.quotas(7, &[], &[])), [4, 2, 1]);
        assert_eq!(counts(&profile.quotas(1, &[], &[])), [1, 0, 0]);
    }

    #[test]
    fn existing_tasks_count() {
        let profile = profile(&[("Grades", 1.into()), ("Users", 1.into())]);
        let existing: Vec<ExistingTask> = (0..4)
            .map(|n| ExistingTask { name: format!("export_grades_{n}"), description: String::new() })
            .collect();
        assert_eq!(counts(&profile.quotas(6, &existing, &[])), [1, 5]);
        assert_eq!(counts(&profile.quotas(6, &existing, &["users", "Users"])), [2, 4]);
        assert_eq!(counts(&profile.quotas(2, &existing, &[])), [0, 2]);
    }

    #[test]
    fn a_category_is_identified_by_its_words() {
        let profile = profile(&[("Downloads, Files, and Print/PDF", 1.into())]);
        assert_eq!(
            profile.category("downloads files and print pdf"),
            Some("Downloads, Files, and Print/PDF")
        );
        assert_eq!(profile.category("History"), None);
    }
}
