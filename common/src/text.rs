//! Text from outside, made fit for a person's terminal.

use std::borrow::Cow;
use std::fmt::Display;

/// A number and what is counted, for messages: `1 call`, `2 calls`.
///
/// ```
/// use common::text::count;
///
/// assert_eq!([count(0, "call"), count(1, "call"), count(2, "call")], ["0 calls", "1 call", "2 calls"]);
/// ```
pub fn count(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{end}")
}

/// The candidate that is spelled most like `name`, if any is: what a user may have meant.
pub fn similar(name: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    let scored = candidates.into_iter().map(|candidate| (strsim::jaro_winkler(name, &candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
    best.filter(|(score, _)| *score > SIMILAR).map(|(_, candidate)| candidate)
}

/// How similar a name must be to be suggested, from 0 to 1.
const SIMILAR: f64 = 0.85;

/// `text` with everything that could move a cursor, change a colour or reorder what a person reads written
/// out as an escape such as `\n` or `\u{1b}`: control characters, and the Unicode characters that are
/// invisible or change direction. What comes back is always a single line.
///
/// ```
/// use common::text::escape;
///
/// assert_eq!(escape("Zürich 東京"), "Zürich 東京");
/// assert_eq!(escape("a\u{1b}[2Jb\n"), r"a\u{1b}[2Jb\n");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_except(text, &[])
}

/// `text` escaped as by [`escape`], but for the characters in `kept`.
pub fn escape_except<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let is_escaped = |c: char| is_unprintable(c) && !kept.contains(&c);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// The first `max_chars` characters of `text`, with `…` in place of what was cut off.
pub fn shorten(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// `text` on one line, with one space for each run of spaces and line breaks.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    line
}

/// A message and what to do about it, on one line.
pub fn with_hint(message: impl Display, hint: Option<&str>) -> String {
    hint.map_or_else(|| message.to_string(), |hint| format!("{message}; {hint}"))
}

/// Whether a character moves a cursor, changes a colour, is invisible or changes the direction of the text around it.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{escape, shorten};

    #[test]
    fn what_could_fool_a_reader_is_written_out() {
        assert_eq!(escape("a\tb\r\n"), r"a\tb\r\n");
        assert_eq!(escape("\u{9b}31m"), r"\u{9b}31m");
        assert_eq!(escape("user\u{202e}txt.exe"), r"user\u{202e}txt.exe");
        assert_eq!(escape("zero\u{200b}width"), r"zero\u{200b}width");
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöü", 2), "äö…");
        assert_eq!(shorten("", 0), "");
    }
}
