//! What a lint is.

use common::record::{Issue, Severity};

use super::subject::Subject;

/// A check that warns.
#[derive(Debug)]
pub(crate) struct Lint {
    /// Its name, which is the code of its warnings.
    pub name: &'static str,
    /// The defect that it looks for, in one line.
    pub explanation: &'static str,
    /// Looks for the defect in a task.
    pub check: fn(&Subject<'_>) -> Vec<Warning>,
}

/// A defect that [`Lint::check`] found.
#[derive(Debug)]
pub(crate) struct Warning {
    /// What is wrong and what to do, for people.
    pub message: String,
    /// The file in the task folder that has the defect; `None` if it is the task as a whole.
    pub file: Option<String>,
}

impl Lint {
    /// The warnings about a task, as issues.
    pub(crate) fn issues(&self, subject: &Subject<'_>) -> impl Iterator<Item = Issue> {
        let folder = subject.folder();
        (self.check)(subject).into_iter().map(move |warning| {
            let path = warning.file.map_or_else(|| folder.to_owned(), |file| folder.join(file));
            Issue {
                code: self.name.to_owned(),
                severity: Severity::Warning,
                message: warning.message,
                path: Some(path.to_string_lossy().into_owned()),
            }
        })
    }
}

impl Warning {
    pub(super) fn of_task(message: impl Into<String>) -> Self {
        Self { message: message.into(), file: None }
    }

    pub(super) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), file: Some(file.to_owned()) }
    }
}
