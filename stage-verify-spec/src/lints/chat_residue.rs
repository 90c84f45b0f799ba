//! Words of a model to its user, left in a file that the model wrote.

use std::sync::LazyLock;

use regex::Regex;
use task_spec::pattern::compile;

use super::subject::has_ending;
use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "chat_residue",
    explanation: "a script, a verifier or a spec contains words of the answer that it was taken from",
    check,
};

/// Plain words, which are found fast: only lines with one of them are looked at closer.
static HINTS: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"omitted for brevity|<file name=|# Wait, |# Hmm|# Oops|# Below is the content|# Content for C:",
        r"|(?:This|this file) is actually a PowerShell|PowerShell script saved|rest of the (?:code|script)",
    ))
});

/// A line that is addressed to a reader of the answer: a remark, a thought, or a part that was left out.
static REMARK: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"^(?-u:\s)*(?:#+ ?)?<file name=",
        r"|^(?-u:\s)*# (?:Wait, [a-zI]|Hmm(?-u:\b)|Oops(?-u:\b))",
        r"|^# (?:Below is the content|Content for C:)",
        r"|^# .*(?:is actually a PowerShell|PowerShell script saved)",
        r"|^(?-u:\s)*(?:#|--) .*(?:omitted for brevity|rest of the (?:code|script) (?:is|remains|stays|as|here))",
    ))
});

#[cfg(test)]
pub(super) static PATTERNS: [&LazyLock<Regex>; 2] = [&HINTS, &REMARK];

/// Quotes in messages are cut to this many characters.
const MAX_QUOTE_CHARS: usize = 60;

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for name in subject.files().filter(|name| is_script(name) || is_broken_spec(subject, name)) {
        warnings.extend(subject.text(name).and_then(|text| find(name, text)));
    }
    if let Some(verifier) = subject.verifier() {
        warnings.extend(find(verifier.file, verifier.module.source()));
    }
    warnings
}

fn is_script(name: &str) -> bool {
    has_ending(name, "sh") || has_ending(name, "ps1")
}

fn is_broken_spec(subject: &Subject<'_>, name: &str) -> bool {
    subject.spec().is_none() && name.starts_with("task.")
}

fn find(file: &str, text: &str) -> Option<Warning> {
    let (line, words) = fence(text).or_else(|| remark(text))?;
    let words = common::text::shorten(words.trim(), MAX_QUOTE_CHARS);
    let message = format!("line {line}: \"{words}\" does not belong in the file; remove or fix it");
    Some(Warning::of_file(file, message))
}

/// A Markdown fence in the first or the last line: the number of the line, and the line.
fn fence(text: &str) -> Option<(usize, &str)> {
    if let Some(first) = text.trim_start().lines().next().filter(|line| is_fence(line)) {
        return Some((1, first));
    }
    let text = text.trim_end();
    let last = text.rsplit('\n').next().filter(|line| is_fence(line))?;
    Some((text.split('\n').count(), last))
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

/// The first remark: the number of the line, and the line. Each line is looked at once.
fn remark(text: &str) -> Option<(usize, &str)> {
    let mut from = 0;
    while let Some(hint) = HINTS.find_at(text, from) {
        let start = text.get(from..hint.start())?.rfind('\n').map_or(from, |end| from + end + 1);
        let end = text.get(hint.end()..)?.find('\n').map_or(text.len(), |length| hint.end() + length);
        let line = text.get(start..end)?;
        if REMARK.is_match(line) {
            return Some((text.get(..hint.start())?.split('\n').count(), line));
        }
        from = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn residue() {
        let check = |text: &str, expect: Option<&str>| {
            let task = Task::new("t").file("setup_task.sh", text);
            let expect =
                expect.map(|found| format!("line {found} does not belong in the file; remove or fix it"));
            assert_eq!(task.warnings(&super::LINT), Vec::from_iter(expect), "{text:?}");
        };
        check("#!/bin/sh\necho a\n", None);
        check("#!/bin/sh\necho a\n```\n", Some("3: \"```\""));
        check("```bash\n#!/bin/sh\n", Some("1: \"```bash\""));
        check("cat <<EOF\n```\na\n```\nEOF\n", None);
        check("echo a\n# Wait, that is not it.\n", Some("2: \"# Wait, that is not it.\""));
        check("# Wait for the window\n", None);
        check("<file name=\"setup_task.ps1\">\n", Some("1: \"<file name=\"setup_task.ps1\">\""));
        check("# checks (omitted for brevity)\n", Some("1: \"# checks (omitted for brevity)\""));
        check("echo '# Wait, what?'\n\n# Hmm\n", Some("3: \"# Hmm\""));
        check("echo 'names are omitted for brevity'\n", None);
    }

    #[test]
    fn verifiers_and_broken_specs() {
        let task = Task::new("t")
            .verifier("def verify_t(traj, env_info, task_info):\n  # Hmm, what now?\n  return {}\n");
        assert_eq!(task.files_warned_of(&super::LINT), ["verifier.py"]);
        let task = Task::new("t").file("task.json", "```json\n{}\n```\n");
        assert_eq!(task.files_warned_of(&super::LINT), ["task.json"]);
    }
}
