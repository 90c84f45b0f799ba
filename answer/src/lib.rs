//! From the text of a model's answer to the files of a validated task.
//!
//! An answer is untrusted text. What is not certain is a [`Problem`](common::record::Problem), not a guess, and a doubtful answer never
//! becomes a task.
//!
//! Two steps lead from an answer to a task. [`parse()`] finds the files in the text: in fenced blocks that are named
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
mod content_kind;
mod edit;
pub mod fence;
mod guess;
mod name;
mod parse;
mod parsed;
mod problem_code;
#[cfg(test)]
mod tests;
mod validate;

pub use self::parse::{MAX_ANSWER, from_files, parse};
pub use self::parsed::ParsedAnswer;
pub use self::problem_code::{ProblemCode, rejects};
pub use self::validate::Validation;
