//! A provider's key: it goes into one header and nowhere else.

/// The shortest key that is removed from messages, in bytes.
pub(super) const MIN_LENGTH_IN_MESSAGE: usize = 6;
/// The shortest key that is removed from answers, which must not be damaged.
pub(super) const MIN_LENGTH_IN_ANSWER: usize = 12;

/// A provider's key.
pub(super) enum Key {
    Given(String),
    NotNeeded,
}

impl Key {
    pub(super) fn new(key: &str) -> Self {
        Self::Given(key.trim().to_owned())
    }

    /// `text` without the key, in case a server sends it back. Keys shorter than `min_length` bytes are not
    /// secrets: people give `x` or `test` to their own servers, and such words may stand anywhere.
    pub(super) fn redact(&self, text: String, min_length: usize) -> String {
        match self {
            Self::Given(key) if key.len() >= min_length && text.contains(key) => text.replace(key, "[key]"),
            _ => text,
        }
    }
}
