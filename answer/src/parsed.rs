//! The result of parsing an answer.

use std::collections::BTreeMap;

use common::record::Problem;

use super::problem_code::{ProblemCode, rejects};

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

    pub(super) fn add(&mut self, code: ProblemCode, message: impl Into<String>) {
        self.problems.push(code.problem(message));
    }
}
