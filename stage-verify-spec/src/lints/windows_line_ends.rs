//! A shell script with Windows line endings, which shells do not understand.

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "windows_line_ends",
    explanation: "a shell script has Windows line endings (CRLF), which a shell reads as part of the last word",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for name in subject.shell_scripts() {
        if subject.text(name).is_some_and(|text| text.contains("\r\n")) {
            warnings.push(Warning::of_file(name, "it has Windows line endings (CRLF); use \\n alone"));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn line_endings() {
        let check = |text: &str, expect: &[&str]| {
            let task = Task::new("t").file("setup_task.sh", text).file("notes.txt", "a\r\n");
            assert_eq!(task.files_warned_of(&super::LINT), expect, "{text:?}");
        };
        check("#!/bin/sh\necho a\n", &[]);
        check("#!/bin/sh\nprintf 'a\\r\\n'\n", &[]);
        check("#!/bin/sh\r\necho a\r\n", &["setup_task.sh"]);
    }
}
