//! A set-up script that prints what the verifier expects.
//!
//! gym-anything keeps the output of the pre_task hook in a file inside the environment, where the agent can read
//! it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use task_spec::pattern::compile;
use task_spec::shell;
use task_spec::value::Value;

use super::{Lint, Subject, Warning};

/// The most expected values that are looked for. The published benchmark has no task with more than a few dozen.
const MAX_EXPECTATIONS: usize = 200;

/// The longest name of a value, in bytes.
const MAX_KEY: usize = 200;

/// The longest line of a script that is looked at, in bytes.
const MAX_LINE: usize = 1_000;

pub(super) static LINT: Lint = Lint {
    name: "printed_expectation",
    explanation: "the pre_task script prints an expected value of the metadata that is not in the description",
    check,
};

/// Words that announce an expected value.
static ANNOUNCEMENT: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"(?i-u)\b(?:expected|correct|answer|hint|ground(?u:.)?truth|solution",
        r"|should (?:be|find|show|have|identify))\b",
    ))
});

/// Words of a failure message. It is meant for people who run the script.
static FAILURE: LazyLock<Regex> =
    LazyLock::new(|| compile(r"(?i-u)\b(?:error|warn|warning|fail|failed|fatal)\b"));

static ASSIGNMENT: LazyLock<Regex> =
    LazyLock::new(|| compile(r#"^(?:export )?((?-u:\w)+)=["']?([^"'$`]+?)["']?$"#));

static VARIABLE: LazyLock<Regex> = LazyLock::new(|| compile(r"\$\{?((?-u:\w)+)\}?"));

#[cfg(test)]
pub(super) static PATTERNS: [&LazyLock<Regex>; 4] = [&ANNOUNCEMENT, &FAILURE, &ASSIGNMENT, &VARIABLE];

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let (name, text) = subject.setup_script()?;
    // Few scripts announce anything at all, which shows before their heredocs are found.
    if !text.lines().any(|line| announced(line.trim()).is_some()) {
        return None;
    }
    let expectations = expectations(subject);
    let (line, key) = announcements(text).find_map(|(line, words)| {
        let expectation = expectations.iter().find(|expectation| has_words(&words, &expectation.words))?;
        Some((line, &expectation.key))
    })?;
    let message = format!(
        "line {line}: it prints the expected value of metadata.{key}, where the agent can read it; remove it"
    );
    Some(Warning::of_file(name, message))
}

/// A value that only the verifier should know.
struct Expectation {
    key: String,
    /// The value, as [`words`].
    words: String,
}

/// The expected values of the metadata that the agent is not told.
fn expectations(subject: &Subject<'_>) -> Vec<Expectation> {
    let Some(metadata) = subject.spec().and_then(|spec| spec.get("metadata")) else { return Vec::new() };
    let mut found = Vec::new();
    collect(metadata, String::new(), &mut found);
    if found.is_empty() {
        return found;
    }
    let told =
        ["description", "natural_language"].map(|key| subject.field(key).map(words).unwrap_or_default());
    found.retain(|expectation| !told.iter().any(|told| has_words(told, &expectation.words)));
    found
}

fn collect(value: &Value, key: String, found: &mut Vec<Expectation>) {
    if found.len() == MAX_EXPECTATIONS || key.len() > MAX_KEY {
        return;
    }
    match value {
        Value::Map(map) => {
            for (name, value) in &map.entries {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                collect(value, key, found);
            }
        }
        Value::List(items) => {
            for item in items {
                collect(item, key.clone(), found);
            }
        }
        Value::String(_) | Value::Int(_) | Value::Float(_) if is_expectation(&key) => {
            let words = words(&value.to_text());
            found.push(Expectation { key, words });
        }
        _ => {}
    }
}

fn is_expectation(key: &str) -> bool {
    const EXPECTED: [&str; 5] = ["expected", "answer", "correct", "ground_truth", "solution"];
    // Places, and values that are wrong on purpose, are not secret.
    const NOT_SECRET: [&str; 7] = ["incorrect", "path", "file", "dir", "url", "window", "title"];
    let key = key.to_ascii_lowercase();
    contains_any(&key, &EXPECTED) && !contains_any(&key, &NOT_SECRET)
}

fn contains_any(key: &str, words: &[&str]) -> bool {
    words.iter().any(|word| key.contains(word))
}

/// The printed lines that announce an expected value: the number of the line, and the [`words`] after the
/// announcement, with the values of variables filled in.
fn announcements(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut variables = BTreeMap::new();
    // Few scripts announce anything: assignments are parsed when they are needed.
    let mut unread = Vec::new();
    shell::lines(text).filter(|line| line.text.len() <= MAX_LINE).filter_map(move |line| {
        let Some(announced) = announced(line.text) else {
            unread.push(line.text);
            return None;
        };
        variables.extend(unread.drain(..).filter_map(assignment));
        Some((line.number, words(&fill_in(announced, &variables))))
    })
}

/// The text with each variable replaced by its value; unknown ones by nothing.
fn fill_in(text: &str, variables: &BTreeMap<&str, &str>) -> String {
    let value = |variable: &Captures<'_>| variables.get(&variable[1]).copied().unwrap_or_default().to_owned();
    VARIABLE.replace_all(text, value).into_owned()
}

/// What a line prints after an announcement, if the output of the line is kept.
fn announced(line: &str) -> Option<&str> {
    if !line.starts_with("echo ") && !line.starts_with("printf ") {
        return None;
    }
    let announced = line.get(ANNOUNCEMENT.find(line)?.end()..)?;
    (!FAILURE.is_match(line) && !is_redirected(line)).then_some(announced)
}

/// Whether the output of a line goes to a file or another command.
fn is_redirected(line: &str) -> bool {
    line.replace(">&2", "").replace("->", "").contains(['>', '|'])
}

/// The name and the value of an assignment to a variable.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (_, [name, value]) = ASSIGNMENT.captures(line)?.extract();
    Some((name, value))
}

/// A text in lower-case words, each with a space before and after it. A dot counts only inside a number.
fn words(text: &str) -> String {
    let mut words = String::from(" ");
    for character in text.chars() {
        if character.is_alphanumeric() || character == '.' {
            words.extend(character.to_lowercase());
        } else if !words.ends_with(' ') {
            words.push(' ');
        }
    }
    words.push(' ');
    words.replace(". ", " ")
}

/// Whether a text contains these words. Single digits and short words are too common to count.
fn has_words(text: &str, words: &str) -> bool {
    let is_number = words.trim().parse::<f64>().is_ok();
    let min_length = if is_number { 2 } else { 4 };
    words.trim().len() >= min_length && text.contains(words)
}

#[cfg(test)]
mod tests {
    use crate::lints::testing::Task;

    #[test]
    fn prints() {
        let check = |line: &str, expect: &[&str]| {
            let task = Task::new("t")
                .spec("description", "\"Find the taller one of the two, near Lake Bled.\"")
                .spec(
                    "metadata",
                    r#"{"expected_height": 1532, "expected": {"lake": "Lake Bled"}, "file": 77}"#,
                )
                .spec("hooks", r#"{"pre_task": "/workspace/tasks/t/setup_task.sh"}"#)
                .file("setup_task.sh", &format!("#!/bin/sh\nHEIGHT=1532\n{line}\n"));
            assert_eq!(task.warnings(&super::LINT), expect, "{line}");
        };
        let warning = "line 3: it prints the expected value of metadata.expected_height, where the agent can \
                       read it; remove it";
        check("echo \"Expected: about 1532 m\"", &[warning]);
        check("echo \"Hint: ${HEIGHT} m\"", &[warning]);
        check("echo \"Expected: about 11532 m\"", &[]);
        check("echo \"Expected: Lake Bled\"", &[]);
        check("echo \"1532 rows, as expected\"", &[]);
        check("echo \"1532 rows loaded\"", &[]);
        check("echo \"ERROR: expected 1532\"", &[]);
        check("echo \"expected 1532\" > /opt/truth", &[]);
        check("# expected 1532", &[]);
        check("cat > /opt/truth <<EOF\necho expected 1532\nEOF", &[]);
    }
}
