//! The commands of a shell script, line by line.

use memchr::memchr_iter;

use super::heredocs;

/// A line of a script that is neither empty, nor a comment, nor in the body of a heredoc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The line without the white space around it.
    pub text: &'a str,
}

/// The lines of a script that are commands, or parts of commands.
pub fn lines(script: &str) -> impl Iterator<Item = Line<'_>> {
    let mut heredocs = heredocs(script).into_iter().peekable();
    let mut next = 0;
    let ends = memchr_iter(b'\n', script.as_bytes()).chain([script.len()]);
    ends.enumerate().filter_map(move |(index, end)| {
        let start = next;
        next = end + 1;
        while heredocs.next_if(|heredoc| heredoc.end <= start).is_some() {}
        if heredocs.peek().is_some_and(|heredoc| heredoc.body.start <= start) {
            return None;
        }
        let text = script.get(start..end)?.trim();
        (!text.is_empty() && !text.starts_with('#')).then_some(Line { number: index + 1, text })
    })
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
