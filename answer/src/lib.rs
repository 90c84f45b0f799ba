//! From the text of a model's answer to the files of a validated task.
//!
//! An answer is untrusted text. What is not certain is a [`Problem`], not a guess, and a doubtful answer never
//! becomes a task.
//!
//! Two steps lead from an answer to a task. [`parse`] finds the files in the text: in fenced blocks that are named
//! on the fence, above it or on the first line inside, or in one JSON object. [`ParsedAnswer::validate`] then
//! checks whether the files make a task, and fixes names that differ.
//!
//! ```
//! use common::record::StopReason;
//!
//! let text = "Here it is.\n\n````README.md\n# Title\n\n```\ncode\n```\n````\n";
//! let answer = answer::parse(text, StopReason::End);
//! assert_eq!(answer.files["README.md"], "# Title\n\n```\ncode\n```\n");
//! ```

mod block;
mod bundle;
mod collect;
mod edit;
pub mod fence;
mod guess;
mod kind;
mod name;
mod parse;
mod problem_code;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;

use common::record::Problem;
use common::text::{escape, shorten};

pub use self::parse::{MAX_ANSWER, from_files, parse};
pub use self::problem_code::{ProblemCode, rejects};
pub use self::validate::Validation;

/// The files of an answer, and its problems.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedAnswer {
    /// The content of each file by name. Names are portable and lead below the task folder. Contents end in one
    /// newline, and scripts have no carriage returns.
    pub files: BTreeMap<String, String>,
    /// The problems, fixed or not: [`rejects`] tells which.
    pub problems: Vec<Problem>,
}

impl ParsedAnswer {
    /// Whether none of the problems found so far rejects the answer.
    pub fn is_valid(&self) -> bool {
        !self.problems.iter().any(rejects)
    }

    fn add(&mut self, code: ProblemCode, message: impl Into<String>) {
        self.problems.push(code.problem(message));
    }
}

/// A word of the answer, shortened and escaped for a message.
fn quote(word: &str) -> String {
    escape(&shorten(word, 80)).into_owned()
}
