//! Detects tasks with nearly the same description.
//!
//! The descriptions are compared as sets of five consecutive words. Nothing is estimated: the sets of an environment are
//! small enough to compare each with each, and [`pairs`] compares only those of a corpus that can be alike.

use std::collections::HashMap;

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

    /// The rarest shingles, of which every text that shares `threshold` of all has one.
    fn rarest(&self, threshold: f64, frequency: &HashMap<u64, u32>) -> Vec<u64> {
        let mut hashes = self.0.clone();
        hashes.sort_unstable_by_key(|hash| (frequency.get(hash), *hash));
        let shared = (1..=hashes.len()).find(|&shared| share(shared, hashes.len()) >= threshold);
        hashes.truncate(shared.map_or(0, |shared| hashes.len() - shared + 1));
        hashes
    }
}

/// Two texts that are alike, by their places in the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alike {
    /// The place of the one that comes first.
    pub first: usize,
    /// The place of the other.
    pub second: usize,
    /// The similarity, from 0 to 1.
    pub similarity: f64,
}

/// All pairs of texts with a similarity of at least `threshold`, which is above 0.
///
/// Two texts that share `threshold` of their shingles have one in common among the first `n - threshold * n + 1` of the
/// `n` shingles of each, in whichever order all shingles are put. In the order from the rarest one on, few texts have
/// one of these in common, so few are compared: Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", 2007.
pub fn pairs(texts: &[Shingles], threshold: f64) -> Vec<Alike> {
    let mut frequency: HashMap<u64, u32> = HashMap::new();
    for hash in texts.iter().flat_map(|text| &text.0) {
        *frequency.entry(*hash).or_default() += 1;
    }
    let mut alike = Vec::new();
    // The texts so far, by each of their rarest shingles.
    let mut earlier: HashMap<u64, Vec<usize>> = HashMap::new();
    for (second, text) in texts.iter().enumerate() {
        let mut candidates = Vec::new();
        for hash in text.rarest(threshold, &frequency) {
            let others = earlier.entry(hash).or_default();
            candidates.extend_from_slice(others);
            others.push(second);
        }
        candidates.sort_unstable();
        candidates.dedup();
        let compared = candidates.into_iter().map(|first| {
            let similarity = texts.get(first).map_or(0.0, |other| text.similarity(other));
            Alike { first, second, similarity }
        });
        alike.extend(compared.filter(|pair| pair.similarity >= threshold));
    }
    alike
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
    fn all_pairs_that_are_alike_are_found() {
        let word = |n: usize| ["open", "close", "file", "ward", "nurse"][n % 5].to_owned();
        let text =
            |seed: usize| -> Vec<String> { (0..12).map(|n| word(n * n + seed * n / 7 + seed)).collect() };
        let texts: Vec<Shingles> = (0..60).map(|seed| Shingles::of(&text(seed))).collect();
        for threshold in [0.1, 0.5, 0.9, 1.0] {
            let mut found = pairs(&texts, threshold);
            found.sort_by_key(|pair| (pair.first, pair.second));
            let mut expected = Vec::new();
            for (first, ours) in texts.iter().enumerate() {
                for (second, theirs) in texts.iter().enumerate().skip(first + 1) {
                    let similarity = theirs.similarity(ours);
                    if similarity >= threshold {
                        expected.push(Alike { first, second, similarity });
                    }
                }
            }
            assert!(!expected.is_empty(), "{threshold}");
            assert_eq!(found, expected, "{threshold}");
        }
        assert_eq!(pairs(&[Shingles::of(&[]), Shingles::of(&[])], 0.1), []);
    }

    #[test]
    fn a_different_object_is_a_different_task() {
        let mut seen = Seen::new(0.8);
        seen.add("a", TEXT);
        assert_eq!(seen.nearest(&TEXT.replace("shifts of ward three", "invoices of March")), None);
        assert_eq!(seen.nearest(""), None);
    }
}
