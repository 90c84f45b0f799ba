//! A shell script with the line ends of Windows, which no shell runs.

use std::path::Path;

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "windows_line_ends",
    explanation: "a shell script has the line ends of Windows (CRLF), which a shell takes for part of its words",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let scripts =
        subject.files().iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "sh"));
    let has_crlf = |name: &&String| {
        subject.content(name).is_some_and(|content| content.windows(2).any(|pair| pair == b"\r\n"))
    };
    let warning = |name: &String| Warning {
        message: format!("{name} has the line ends of Windows; end its lines with \\n alone"),
        file: Some(name.clone()),
    };
    scripts.filter(has_crlf).map(warning).collect()
}
