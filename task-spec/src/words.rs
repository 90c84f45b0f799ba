//! The words of a text.

/// The words of a text, in lower case. `_` separates words, so that a task's name counts by its words.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
