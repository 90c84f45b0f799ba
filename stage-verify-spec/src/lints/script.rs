//! The commands of a shell script, line by line.

use memchr::{memchr, memchr_iter};

/// A line of a script that is neither empty, nor a comment, nor in the body of a heredoc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The line without the white space around it.
    pub text: &'a str,
}

/// The lines of a script that are commands, or parts of commands.
pub(super) fn lines(script: &str) -> impl Iterator<Item = Line<'_>> {
    let mut heredoc: Option<&str> = None;
    let mut start = 0;
    let ends = memchr_iter(b'\n', script.as_bytes()).chain([script.len()]);
    ends.enumerate().filter_map(move |(index, end)| {
        let text = script.get(start..end)?.trim();
        start = end + 1;
        if let Some(end) = heredoc {
            if text == end {
                heredoc = None;
            }
            return None;
        }
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        heredoc = heredoc_end(text);
        Some(Line { number: index + 1, text })
    })
}

/// The word that ends the heredoc which a line opens: `EOF` in `cat > a <<-'EOF'`.
fn heredoc_end(line: &str) -> Option<&str> {
    // Most lines have no `<` at all. Looking for one is faster than looking for two.
    let first = memchr(b'<', line.as_bytes())?;
    let (_, after) = line.get(first..)?.split_once("<<")?;
    // `<<<` takes a string, not lines.
    let word = after.strip_prefix('-').unwrap_or(after).trim_start().trim_start_matches(['\'', '"', '\\']);
    let length = word.find(|end: char| !end.is_alphanumeric() && end != '_').unwrap_or(word.len());
    word.get(..length).filter(|word| word.starts_with(|first: char| first.is_alphabetic() || first == '_'))
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn commands() {
        let check = |script: &str, expect: &[(usize, &str)]| {
            let found: Vec<_> = lines(script).map(|line| (line.number, line.text)).collect();
            assert_eq!(found, expect, "{script:?}");
        };
        check("#!/bin/sh\n\n  echo a # b\n", &[(3, "echo a # b")]);
        check("cat <<EOF\na\nEOF\nb", &[(1, "cat <<EOF"), (4, "b")]);
        check("cat > f <<-'END' | sort\n\ta\n\tEND\nb", &[(1, "cat > f <<-'END' | sort"), (4, "b")]);
        check(
            "cat <<< word\nb\nx=$((1 << 3))\nc",
            &[(1, "cat <<< word"), (2, "b"), (3, "x=$((1 << 3))"), (4, "c")],
        );
        check("cat <<EOF\na", &[(1, "cat <<EOF")]);
    }
}
