//! A set-up script that stores what the verifier expects where the agent can read it.
//!
//! The agent's user can read `/tmp` and its own home folder. What is only for the verifier belongs in a folder of root
//! with mode 700, or is computed by the verifier.

use std::sync::LazyLock;

use regex::Regex;
use task_spec::pattern::compile;

use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "stored_expectation",
    explanation: "the pre_task script stores the expected result in a file that the agent can read",
    check,
};

/// Writing a file whose name says that it holds the expected result.
static STORED: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r#"(?:>{1,2}|\btee(?: -a)?|\bopen\()\s*["']?"#,
        r#"((?:/tmp|/home/(?-u:\w)+)/[\w./-]*(?:ground_?truth|expected_|solution_|answer_key)[\w.-]*)"#,
    ))
});

/// The longest line that is looked at, in bytes.
const MAX_LINE: usize = 1_000;

#[cfg(test)]
pub(super) static PATTERNS: [&LazyLock<Regex>; 1] = [&STORED];

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let (name, text) = subject.setup_script()?;
    let (line, path) = text.lines().zip(1..).find_map(|(line, number)| {
        if line.len() > MAX_LINE || line.trim_start().starts_with('#') {
            return None;
        }
        let path = STORED.captures(line)?.get(1)?.as_str();
        // Reading is not storing, and what is protected or removed later cannot be read.
        (!reads(line) && !is_protected(text.lines().skip(number), path)).then_some((number, path))
    })?;
    let message = format!(
        "line {line}: it stores {path}, where the agent can read it; store it in a folder of root with mode 700, or \
         let the verifier compute it"
    );
    Some(Warning::of_file(name, message))
}

/// Whether a line of Python opens a file for reading.
fn reads(line: &str) -> bool {
    line.split_once("open(").is_some_and(|(_, rest)| {
        let arguments = rest.split_once(')').map_or(rest, |(arguments, _)| arguments);
        !["'w", "\"w", "'a", "\"a", "'x", "\"x"].iter().any(|mode| arguments.contains(mode))
    })
}

/// Whether one of these lines takes the file away from other users.
fn is_protected<'a>(mut lines: impl Iterator<Item = &'a str>, path: &str) -> bool {
    const COMMANDS: [&str; 8] =
        ["chmod 600", "chmod 400", "chmod 0600", "chmod 0400", "chmod 000", "mv ", "rm ", "shred "];
    lines.any(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("sudo ").unwrap_or(line);
        let is_command = COMMANDS.iter().any(|command| line.starts_with(command));
        let is_python = line.starts_with("os.chmod(") && (line.contains("0o600") || line.contains("0o400"));
        (is_command || is_python) && line.contains(path)
    })
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn stores() {
        let check = |lines: &str, expect: &[&str]| {
            let task = Task::new("t")
                .spec("hooks", r#"{"pre_task": "/workspace/tasks/t/setup_task.sh"}"#)
                .file("setup_task.sh", &format!("#!/bin/sh\n{lines}\n"));
            let found = task.warnings(&super::LINT);
            let starts: Vec<&str> = found.iter().map(|message| message.split(',').next().unwrap()).collect();
            assert_eq!(starts, expect, "{lines}");
        };
        check("echo 7 > /tmp/ground_truth.json", &["line 2: it stores /tmp/ground_truth.json"]);
        check(
            "python3 - <<'E'\nwith open('/tmp/x_groundtruth.json', 'w') as f: f.write('7')\nE",
            &["line 3: it stores /tmp/x_groundtruth.json"],
        );
        check("echo 7 | tee /home/ga/.expected_total", &["line 2: it stores /home/ga/.expected_total"]);
        check("with open('/tmp/ground_truth.json') as f: pass", &[]);
        check("echo 7 > /tmp/ground_truth.json\nchmod 600 /tmp/ground_truth.json", &[]);
        check("echo 7 > /tmp/ground_truth.json\nrm -f /tmp/ground_truth.json", &[]);
        check(
            "rm -f /tmp/ground_truth.json\necho 7 > /tmp/ground_truth.json",
            &["line 3: it stores /tmp/ground_truth.json"],
        );
        check(
            "with open('/tmp/ground_truth.json', 'w') as f: pass\nos.chmod('/tmp/ground_truth.json', 0o600)",
            &[],
        );
        check("echo 7 > /var/lib/app/ground_truth.json", &[]);
        check("# > /tmp/ground_truth.json", &[]);
        check("rm -f /tmp/ground_truth.json", &[]);
        check("echo 7 > /tmp/total.json", &[]);
    }
}
