//! Detects tasks with nearly the same description.
//!
//! The descriptions are compared as sets of five consecutive words. The sets of all tasks of an environment
//! are small enough for an exact comparison, so nothing is estimated.

use xxhash_rust::xxh3::xxh3_64;

use crate::words::words;

/// The number of consecutive words in a shingle.
pub const SHINGLE: usize = 5;

/// The texts that a new one is compared with.
pub struct Seen {
    threshold: f64,
    texts: Vec<(String, Shingles)>,
}

/// The shingles of a text: hashes, sorted and each once.
pub struct Shingles(Vec<u64>);

impl Seen {
    /// No texts yet. Two texts count as the same if they share at least `threshold` of their shingles.
    pub fn new(threshold: f64) -> Self {
        Self { threshold, texts: Vec::new() }
    }

    /// The name of the text most similar to `text`, if the two count as the same.
    pub fn nearest(&self, text: &str) -> Option<&str> {
        let shingles = Shingles::of(&words(text));
        self.texts
            .iter()
            .map(|(name, other)| (name.as_str(), shingles.similarity(other)))
            .filter(|&(_, similarity)| similarity >= self.threshold)
            .max_by(|left, right| left.1.total_cmp(&right.1))
            .map(|(name, _)| name)
    }

    /// Adds a text.
    pub fn add(&mut self, name: &str, text: &str) {
        self.texts.push((name.to_owned(), Shingles::of(&words(text))));
    }
}

impl Shingles {
    /// The shingles of a text with these words. A text of fewer words than a shingle is one shingle.
    pub fn of(words: &[String]) -> Self {
        let mut hashes: Vec<u64> = match words.len() {
            0 => Vec::new(),
            n if n < SHINGLE => vec![hash(words)],
            _ => words.windows(SHINGLE).map(hash).collect(),
        };
        hashes.sort_unstable();
        hashes.dedup();
        Self(hashes)
    }

    /// The size of the intersection divided by the size of the union, from 0 to 1. An empty text is similar
    /// to no other.
    pub fn similarity(&self, other: &Self) -> f64 {
        let (mut ours, mut theirs, mut common) = (0, 0, 0_usize);
        while let (Some(x), Some(y)) = (self.0.get(ours), other.0.get(theirs)) {
            common += usize::from(x == y);
            ours += usize::from(x <= y);
            theirs += usize::from(y <= x);
        }
        let all = self.0.len() + other.0.len() - common;
        if all == 0 { 0.0 } else { share(common, all) }
    }
}

fn hash(words: &[String]) -> u64 {
    xxh3_64(words.join(" ").as_bytes())
}

#[expect(clippy::cast_precision_loss, reason = "no text has 2^52 words")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Move the shifts of ward three, within the contracted hours in each nurse's record, until \
                        no two overlap and each night has two qualified nurses.";

    #[test]
    fn case_and_punctuation_do_not_matter() {
        let mut seen = Seen::new(0.8);
        seen.add("a", TEXT);
        let reformatted = TEXT.to_uppercase().replace(", ", " - ");
        assert_eq!(seen.nearest(&reformatted), Some("a"));
    }

    #[test]
    fn a_different_object_is_a_different_task() {
        let mut seen = Seen::new(0.8);
        seen.add("a", TEXT);
        assert_eq!(seen.nearest(&TEXT.replace("shifts of ward three", "invoices of March")), None);
        assert_eq!(seen.nearest(""), None);
    }
}
