//! What a model says to whoever asked it, left in a file that it wrote.

use std::sync::LazyLock;

use regex::Regex;

use super::subject::has_ending;
use super::{Lint, Subject, Warning};

pub(super) static LINT: Lint = Lint {
    name: "chat_residue",
    explanation: "a script, a verifier or a spec holds words of the answer that it was taken from",
    check,
};

/// Where to look closer; plain words, which are found fast.
static HINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"omitted for brevity|<file name=|# Wait, |# Hmm|# Oops|# Below is the content|# Content for C:",
        r"|(?:This|this file) is actually a PowerShell|PowerShell script saved|rest of the (?:code|script)",
    ))
    .ok()
});

/// A line that is addressed to somebody: a note on the answer, a thought, or a part that was left out.
static ADDRESSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?-u:\s)*(?:#+ ?)?<file name=",
        r"|^(?-u:\s)*# (?:Wait, [a-zI]|Hmm(?-u:\b)|Oops(?-u:\b))",
        r"|^# (?:Below is the content|Content for C:)",
        r"|^# .*(?:is actually a PowerShell|PowerShell script saved)",
        r"|^(?-u:\s)*(?:#|--) .*(?:omitted for brevity|rest of the (?:code|script) (?:is|remains|stays|as|here))",
    ))
    .ok()
});

/// The longest part of a line that is shown, in characters.
const SHOWN: usize = 60;

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    let verifier = subject.verifier();
    let in_scripts = subject.files().filter_map(|name| {
        let is_script = ["sh", "ps1"].iter().any(|ending| has_ending(name, ending));
        let is_broken_spec = subject.spec().is_none() && name.starts_with("task.");
        (is_script || is_broken_spec).then(|| warning(name, subject.text(name)?)).flatten()
    });
    let in_verifier = verifier.and_then(|verifier| warning(verifier.file, verifier.module.source()));
    in_scripts.chain(in_verifier).collect()
}

fn warning(file: &str, text: &str) -> Option<Warning> {
    let (line, words) = fence(text).or_else(|| address(text))?;
    let words = common::text::shorten(words.trim(), SHOWN);
    Some(Warning::of_file(
        file,
        format!("line {line}: \"{words}\" is no part of the file; take it out, or mend it"),
    ))
}

/// A fence of Markdown as the first or the last line.
fn fence(text: &str) -> Option<(usize, &str)> {
    let is_fence = |line: &&str| line.trim_start().starts_with("```");
    if let Some(first) = text.trim_start().lines().next().filter(is_fence) {
        return Some((1, first));
    }
    let whole = text.trim_end();
    whole.rsplit('\n').next().filter(is_fence).map(|last| (whole.split('\n').count(), last))
}

/// The first line that is addressed to somebody. Each line is looked at once.
fn address(text: &str) -> Option<(usize, &str)> {
    let mut from = 0;
    while let Some(hint) = HINTS.as_ref()?.find_at(text, from) {
        let start = text.get(from..hint.start())?.rfind('\n').map_or(from, |end| from + end + 1);
        let end = text.get(hint.end()..)?.find('\n').map_or(text.len(), |length| hint.end() + length);
        let line = text.get(start..end)?;
        if ADDRESSED.as_ref()?.is_match(line) {
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
                expect.map(|found| format!("line {found} is no part of the file; take it out, or mend it"));
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
