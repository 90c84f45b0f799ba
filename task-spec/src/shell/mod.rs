//! Shell scripts: whether quotes, heredocs and blocks close, and where heredocs are.
//!
//! This is not a shell parser. It finds where each construct ends, and reports a construct that does not: so a
//! complete script can be told from one that was cut off, and the place be named. Commands that bash rejects
//! for another reason pass.
//!
//! It was compared with `bash -n` and with brush-parser 0.4.0 on the 24,295 scripts (82 MB) of the published
//! benchmark, in November 2026 on one core:
//!
//! | | speed | all scripts | of the 112 that bash rejects | rejected, though bash accepts |
//! |---|---|---|---|---|
//! | this module | 238 MB/s | 0.35 s | 97 | 21 |
//! | brush-parser | 15 MB/s | 5.5 s | 112 | 22 |
//!
//! The 15 that this module misses mostly hold a stray line, which opens nothing. The 21 have an unclosed heredoc,
//! for which bash only prints a warning. This module is kept for its speed: stage-verify-spec checks the whole
//! benchmark in less time than brush-parser takes for its scripts.

mod grammar;
mod lines;
mod scanner;
#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::memmem;
use thiserror::Error;

pub use self::lines::{Line, lines};
use self::scanner::Scanner;

/// Something in a script that does not close, or closes what is not open.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct ShellError {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Checks that everything that `script` opens is closed.
///
/// ```
/// assert!(task_spec::shell::check("if true; then echo \"$(date)\"; fi\n").is_ok());
/// let error = task_spec::shell::check("cat <<EOF\nsome\n").unwrap_err();
/// assert_eq!(error.to_string(), "line 1: the heredoc is not closed: no line `EOF`");
/// ```
pub fn check(script: &str) -> Result<(), ShellError> {
    Scanner::new(script).script()
}

/// A document inside a script. Offsets are in bytes from the start of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// Where its `<<` is.
    pub operator: usize,
    /// Whether its delimiter is quoted, so that the shell expands nothing in the body.
    pub is_quoted: bool,
    /// Its lines, without the line that closes it.
    pub body: Range<usize>,
    /// Where the line after it begins.
    pub end: usize,
    /// Whether a line closes it. If not, it extends to the end of the script.
    pub is_closed: bool,
}

/// The heredocs of a script, in the order of their bodies. If the script has an error, those before it.
///
/// ```
/// let script = "cat > /tmp/a <<'EOF'\n$HOME\nEOF\n";
/// let [heredoc] = &task_spec::shell::heredocs(script)[..] else { panic!() };
/// assert_eq!((heredoc.command(script), heredoc.body(script)), ("cat > /tmp/a <<'EOF'", "$HOME\n"));
/// ```
pub fn heredocs(script: &str) -> Vec<Heredoc> {
    if memmem::find(script.as_bytes(), b"<<").is_none() {
        return Vec::new();
    }
    let mut scanner = Scanner::new(script);
    // What an error says is for `check`; the heredocs before it are known.
    scanner.script().ok();
    scanner.into_heredocs()
}

impl Heredoc {
    /// The line of the script with its `<<`.
    pub fn command<'a>(&self, script: &'a str) -> &'a str {
        let before = script.get(..self.operator).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        script.get(start..).unwrap_or_default().lines().next().unwrap_or_default()
    }

    /// The text of its body.
    pub fn body<'a>(&self, script: &'a str) -> &'a str {
        script.get(self.body.clone()).unwrap_or_default()
    }
}
