//! A shell script with the line ends of Windows, which no shell runs.

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "windows_line_ends",
    explanation: "a shell script has the line ends of Windows (CRLF), which a shell takes for part of its words",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let scripts = subject.shell_scripts();
    let has_crlf = |name: &&str| subject.text(name).is_some_and(|text| text.contains("\r\n"));
    let warning = |name| Warning::of_file(name, "its lines end as on Windows; end them with \\n alone");
    scripts.filter(has_crlf).map(warning).collect()
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn line_ends() {
        let check = |text: &str, expect: &[&str]| {
            let task = Task::new("t").file("setup_task.sh", text).file("notes.txt", "a\r\n");
            assert_eq!(task.files_warned_of(&super::LINT), expect, "{text:?}");
        };
        check("#!/bin/sh\necho a\n", &[]);
        check("#!/bin/sh\nprintf 'a\\r\\n'\n", &[]);
        check("#!/bin/sh\r\necho a\r\n", &["setup_task.sh"]);
    }
}
