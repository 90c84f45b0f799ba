//! Telling whether two tasks are the same task in other words.
//!
//! What is compared is what the agent would be given, as sets of five words in a row. The sets of all tasks
//! of an environment are small enough to be compared as they are, so nothing is estimated.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

/// How many words in a row are compared.
const SHINGLE: usize = 5;

/// The texts that new ones are compared with.
pub(crate) struct Seen {
    threshold: f64,
    texts: Vec<(String, Shingles)>,
}

/// A text as a sorted set of hashes.
struct Shingles(Vec<u64>);

impl Seen {
    /// Nothing yet. Texts are the same from `threshold` on: the share of their shingles that they have in
    /// common.
    pub(crate) fn new(threshold: f64) -> Self {
        Self { threshold, texts: Vec::new() }
    }

    /// The name and likeness of the text that `text` is nearest to, if the two are the same.
    pub(crate) fn nearest(&self, text: &str) -> Option<(&str, f64)> {
        let shingles = Shingles::of(text);
        self.texts
            .iter()
            .map(|(name, other)| (name.as_str(), shingles.likeness(other)))
            .filter(|&(_, likeness)| likeness >= self.threshold)
            .max_by(|left, right| left.1.total_cmp(&right.1))
    }

    /// Remembers a text.
    pub(crate) fn add(&mut self, name: &str, text: &str) {
        self.texts.push((name.to_owned(), Shingles::of(text)));
    }
}

impl Shingles {
    fn of(text: &str) -> Self {
        let words = words(text);
        let hash = |words: &[String]| xxh3_64(words.join(" ").as_bytes());
        let set: BTreeSet<u64> = match words.len() {
            0 => BTreeSet::new(),
            n if n < SHINGLE => BTreeSet::from([hash(&words)]),
            _ => words.windows(SHINGLE).map(hash).collect(),
        };
        Self(set.into_iter().collect())
    }

    /// The share of both sets that is in both, from 0 to 1. An empty text is like no other.
    fn likeness(&self, other: &Self) -> f64 {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = 0_usize;
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(left.next()),
                std::cmp::Ordering::Greater => drop(right.next()),
                std::cmp::Ordering::Equal => {
                    common += 1;
                    left.next();
                    right.next();
                }
            }
        }
        let all = self.0.len() + other.0.len() - common;
        if all == 0 { 0.0 } else { share(common, all) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no text has 2^52 words")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// The words of a text, in lower case. `_` separates words, so that names count by what they say.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Move the shifts of ward three, within the contracted hours in each nurse's record, until \
                        nobody overlaps and each night has two qualified nurses.";

    #[test]
    fn the_same_in_another_dress_is_found() {
        let mut seen = Seen::new(0.8);
        seen.add("a", TEXT);
        let dressed = TEXT.to_uppercase().replace(", ", " - ");
        assert_eq!(seen.nearest(&dressed), Some(("a", 1.0)));
    }

    #[test]
    fn another_object_is_another_task() {
        let mut seen = Seen::new(0.8);
        seen.add("a", TEXT);
        assert_eq!(seen.nearest(&TEXT.replace("shifts of ward three", "invoices of March")), None);
        assert_eq!(seen.nearest(""), None);
    }
}
