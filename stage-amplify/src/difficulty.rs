//! Difficulty labels, as tasks use them.

/// All labels, the easiest first.
pub(crate) const LABELS: [&str; 4] = ["easy", "medium", "hard", "very_hard"];

/// A label in its one spelling: `Very Hard` and `very-hard` are `very_hard`.
pub(crate) fn normalize(label: &str) -> String {
    label.trim().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_one_spelling() {
        assert_eq!(normalize(" Very Hard"), "very_hard");
        assert_eq!(normalize("very-hard"), "very_hard");
    }
}
