//! Fences: lines that may open or close a fenced block, by the rules of [CommonMark 0.31, 4.5][spec].
//!
//! [spec]: https://spec.commonmark.org/0.31.2/#fenced-code-blocks

use std::ops::Range;

/// The maximum number of fences of an answer. A long answer has a few dozen.
pub const MAX_FENCES: usize = 10_000;

/// The minimum length of the fence around a file. Fences in Markdown files are usually shorter.
const MIN_LENGTH: usize = 4;

/// A line that may open or close a fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence<'a> {
    /// The range of the line, its end of line included.
    pub line: Range<usize>,
    /// The number of columns before the fence.
    pub indent: usize,
    /// Whether it may open a block. A fence that is indented by four columns or more, not counting lists, is text.
    pub opens: bool,
    mark: u8,
    length: usize,
    /// The text after the fence.
    pub info: &'a str,
}

impl Fence<'_> {
    /// Whether a block that this line opens may follow one that `opener` opened. A shorter fence, or one of other
    /// marks, is part of that block.
    pub fn may_follow(&self, opener: &Fence<'_>) -> bool {
        self.mark == opener.mark && self.length >= opener.length
    }

    /// Whether this line closes a block that `opener` opened. In CommonMark, a less indented line ends a list and a
    /// block in it; models close the block there.
    pub fn closes(&self, opener: &Fence<'_>) -> bool {
        self.mark == opener.mark
            && self.length >= opener.length
            && self.info.is_empty()
            && self.indent <= opener.indent + 3
    }
}

/// Finds the fences of `text`; at most one more than [`MAX_FENCES`].
pub fn find(text: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    // The columns at which the contents of the open list items start.
    let mut lists: Vec<usize> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        let indent = line.len() - line.trim_start_matches(' ').len();
        let rest = line.get(indent..).unwrap_or_default().trim_end();
        if rest.is_empty() {
            continue;
        }
        while lists.last().is_some_and(|&content| content > indent) {
            lists.pop();
        }
        let container = lists.last().copied().unwrap_or(0);
        let marker = list_marker(rest);
        if marker > 0 {
            lists.push(indent + marker);
        }
        let (indent, rest) = (indent + marker, rest.get(marker..).unwrap_or_default());
        if let Some((mark, length, info)) = fence(rest) {
            let opens = indent < container + 4 || marker > 0;
            fences.push(Fence { line: range, indent, opens, mark, length, info });
            if fences.len() > MAX_FENCES {
                break;
            }
        }
    }
    fences
}

/// `text` in a fence that none of its lines can close, with `info` after the opening fence.
pub fn wrap(text: &str, info: &str) -> String {
    let longest = text.lines().map(backticks).max().unwrap_or(0);
    let fence = "`".repeat(MIN_LENGTH.max(longest + 1));
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{info}\n{text}{end}{fence}")
}

/// The number of backticks at the start of a line, after its indentation.
fn backticks(line: &str) -> usize {
    let line = line.trim_start();
    line.len() - line.trim_start_matches('`').len()
}

/// Splits a line into the mark and the length of its fence, and the text after it.
fn fence(line: &str) -> Option<(u8, usize, &str)> {
    let mark = *line.as_bytes().first().filter(|mark| matches!(mark, b'`' | b'~'))?;
    let length = line.bytes().take_while(|&byte| byte == mark).count();
    let info = line.get(length..)?.trim();
    // With a later backtick, the line is a code span: ```like this``` .
    let is_fence = length >= 3 && !(mark == b'`' && info.contains('`'));
    is_fence.then_some((mark, length, info))
}

/// The number of bytes of the list marker at the start of `line`, with the spaces after it; 0 without one.
fn list_marker(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mark = match bytes.first() {
        Some(b'-' | b'*' | b'+') => 1,
        Some(b'0'..=b'9') => {
            let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > 9 || !matches!(bytes.get(digits), Some(b'.' | b')')) {
                return 0;
            }
            digits + 1
        }
        _ => return 0,
    };
    let spaces = bytes.iter().skip(mark).take_while(|&&byte| byte == b' ').count();
    if (1..=4).contains(&spaces) { mark + spaces } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{find, wrap};

    /// Each fence as its indentation, whether it opens, and its info string.
    fn check(text: &str, expect: &[(usize, bool, &str)]) {
        let found: Vec<_> =
            find(text).into_iter().map(|fence| (fence.indent, fence.opens, fence.info)).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn fences_are_found_by_the_rules_of_commonmark() {
        check("```\n``\n", &[(0, true, "")]);
        check("~~~ a`b\n````x y \r\n", &[(0, true, "a`b"), (0, true, "x y")]);
        check("```a``` b\n a ```\n", &[]);
        check("   ```\n    ```\n", &[(3, true, ""), (4, false, "")]);
        check("1. one\n\n   - two\n\n     ```sh\n     ```\n", &[(5, true, "sh"), (5, true, "")]);
        check("- one\ntwo\n    ```\n", &[(4, false, "")]);
        check("- ```json\n  ```\n10) ~~~\n", &[(2, true, "json"), (2, true, ""), (4, true, "")]);
        check("-```\n**bold**\n1.5\n", &[]);
    }

    #[test]
    fn a_fence_is_longer_than_any_in_its_content() {
        assert_eq!(wrap("a", "x"), "````x\na\n````");
        assert_eq!(wrap("a\n", ""), "````\na\n````");
        assert_eq!(wrap("  `````\n", "x"), "``````x\n  `````\n``````");
    }
}
