//! Lines that may open or close a fenced block, by the rules of [CommonMark 0.31, 4.5][spec].
//!
//! [spec]: https://spec.commonmark.org/0.31.2/#fenced-code-blocks

use std::ops::Range;

/// The most such lines that an answer is looked through for. A long answer has a few dozen.
pub(super) const MAX_FENCES: usize = 10_000;

/// A line that may open or close a fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fence<'a> {
    /// Where the line is, its end of line included.
    pub line: Range<usize>,
    /// Columns before the fence.
    pub indent: usize,
    /// Whether it may open a block. One that is indented by four columns or more, but not by a list, is
    /// text.
    pub opens: bool,
    mark: u8,
    length: usize,
    /// What follows the fence.
    pub info: &'a str,
}

impl Fence<'_> {
    /// Whether a block that this line opens may come after one that `opener` opened. A shorter fence, or one
    /// of other marks, is a part of that block.
    pub(super) fn may_follow(&self, opener: &Fence<'_>) -> bool {
        self.mark == opener.mark && self.length >= opener.length
    }

    /// Whether this line closes a block that `opener` opened. CommonMark lets a list end at a line that is
    /// less indented than its items, and a block with it; people's models close it there.
    pub(super) fn closes(&self, opener: &Fence<'_>) -> bool {
        self.mark == opener.mark
            && self.length >= opener.length
            && self.info.is_empty()
            && self.indent <= opener.indent + 3
    }
}

/// Finds the lines of `text` that may open or close a block; one more than [`MAX_FENCES`] at most.
pub(super) fn find(text: &str) -> Vec<Fence<'_>> {
    let mut fences = Vec::new();
    // Columns at which the content of the open list items begins.
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

/// Takes a line apart into its fence and what follows, if it begins with one.
fn fence(line: &str) -> Option<(u8, usize, &str)> {
    let mark = *line.as_bytes().first().filter(|mark| matches!(mark, b'`' | b'~'))?;
    let length = line.bytes().take_while(|&byte| byte == mark).count();
    let info = line.get(length..)?.trim();
    // A backtick after backticks makes them a span of code: ```so``` .
    let is_fence = length >= 3 && !(mark == b'`' && info.contains('`'));
    is_fence.then_some((mark, length, info))
}

/// How many bytes at the start of `line` mark it as an item of a list, the spaces after the mark included.
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
    use super::find;

    /// Each fence as its number of columns, whether it opens, and what follows it.
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
}
