//! Expected results that a set-up script leaves where the agent can read them.
//!
//! The agent's user can read `/tmp` and its own home folder. What is only for the verifier belongs in a folder of root
//! with mode 700, or is computed by the verifier.

use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::compile;

/// Writing a file whose name says that it holds the expected result.
static STORED: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r#"(?:>{1,2}|\btee(?: -a)?|\bopen\()\s*["']?"#,
        r#"((?:/tmp|/home/(?-u:\w)+)/[\w./-]*"#,
        r#"(?:(?:ground_?truth|expected_|solution_|answer_key)[\w.-]*|_gt\.json\b))"#,
    ))
});

/// The longest line that is looked at, in bytes.
const MAX_LINE: usize = 1_000;

/// A file with an expected result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// The number of the line that writes it.
    pub line: usize,
    /// Its path.
    pub path: &'a str,
}

/// The first file of a script that holds an expected result, by its name, and that the agent can read.
pub fn stored(script: &str) -> Option<Stored<'_>> {
    script.lines().zip(1..).find_map(|(text, line)| {
        if text.len() > MAX_LINE || text.trim_start().starts_with('#') {
            return None;
        }
        let path = STORED.captures(text)?.get(1)?.as_str();
        // Reading is not storing, and what is protected or removed later cannot be read.
        (!reads(text) && !is_protected(script.lines().skip(line), path)).then_some(Stored { line, path })
    })
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
    use super::stored;

    #[test]
    fn files_with_expected_results_are_found() {
        let check = |lines: &str, expect: Option<(usize, &str)>| {
            let script = format!("#!/bin/sh\n{lines}\n");
            assert_eq!(stored(&script).map(|found| (found.line, found.path)), expect, "{lines}");
        };
        check("echo 7 > /tmp/ground_truth.json", Some((2, "/tmp/ground_truth.json")));
        check(
            "python3 - <<'E'\nwith open('/tmp/x_groundtruth.json', 'w') as f: f.write('7')\nE",
            Some((3, "/tmp/x_groundtruth.json")),
        );
        check("echo 7 | tee /home/ga/.expected_total", Some((2, "/home/ga/.expected_total")));
        check("cat > /tmp/rota_gt.json << EOF", Some((2, "/tmp/rota_gt.json")));
        check("cat > /tmp/rota_gt.jsonl << EOF", None);
        check("with open('/tmp/ground_truth.json') as f: pass", None);
        check("echo 7 > /tmp/ground_truth.json\nchmod 600 /tmp/ground_truth.json", None);
        check("echo 7 > /tmp/ground_truth.json\nrm -f /tmp/ground_truth.json", None);
        check(
            "rm -f /tmp/ground_truth.json\necho 7 > /tmp/ground_truth.json",
            Some((3, "/tmp/ground_truth.json")),
        );
        check(
            "with open('/tmp/ground_truth.json', 'w') as f: pass\nos.chmod('/tmp/ground_truth.json', 0o600)",
            None,
        );
        check("echo 7 > /var/lib/app/ground_truth.json", None);
        check("# > /tmp/ground_truth.json", None);
        check("rm -f /tmp/ground_truth.json", None);
        check("echo 7 > /tmp/total.json", None);
    }
}
