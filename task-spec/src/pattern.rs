//! Regular expressions that are constants of a program.

use regex::Regex;

/// Compiles a constant pattern. One that does not compile is a bug, which the first use shows: a test of each module
/// compiles all of its patterns. A pattern that holds anything from outside must not come here.
pub fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is valid")
}
