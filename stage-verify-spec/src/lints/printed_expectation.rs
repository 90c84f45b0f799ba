//! A set-up script that prints what the verifier expects.
//!
//! gym-anything keeps what the pre_task hook prints in a file inside the environment, where the agent can
//! read it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use task_spec::value::Value;

use super::{Lint, Subject, Warning, script};

/// Expected values that are looked for. The published benchmark has no task with more than a few dozen.
const MAX_EXPECTATIONS: usize = 200;

/// The longest name of a value, in bytes.
const MAX_KEY: usize = 200;

/// The longest line of a script that is looked at, in bytes.
const MAX_LINE: usize = 1_000;

pub(super) static LINT: Lint = Lint {
    name: "printed_expectation",
    explanation: "the pre_task script prints a value that the metadata expects and the description does not tell",
    check,
};

/// Words by which a line says that it tells what is right. One that reports a failure is meant for people.
static TELLS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i-u)\b(?:expected|correct|answer|hint|ground(?u:.)?truth|solution",
        r"|should (?:be|find|show|have|identify))\b",
    ))
    .ok()
});

static FAILS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i-u)\b(?:error|warn|warning|fail|failed|fatal)\b").ok());

static ASSIGNMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^(?:export )?((?-u:\w)+)=["']?([^"'$`]+?)["']?$"#).ok());

static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{?((?-u:\w)+)\}?").ok());

fn check(subject: &Subject<'_>) -> Vec<Warning> {
    find(subject).into_iter().collect()
}

fn find(subject: &Subject<'_>) -> Option<Warning> {
    let (name, text) = subject.setup_script()?;
    let mut printed = printed(text).peekable();
    // Few scripts tell anything at all.
    printed.peek()?;
    let expectations = expectations(subject);
    let (line, key) = printed.find_map(|(line, printed)| {
        let expectation = expectations.iter().find(|expectation| has_words(&printed, &expectation.words))?;
        Some((line, &expectation.key))
    })?;
    let message = format!(
        "line {line}: it prints the expected value of metadata.{key}, where the agent can read it; leave it out"
    );
    Some(Warning::of_file(name, message))
}

/// A value that only the verifier should know.
struct Expectation {
    key: String,
    /// The value, in small words.
    words: String,
}

/// What the metadata expects and the agent is not told.
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
                collect(value, if key.is_empty() { name.clone() } else { format!("{key}.{name}") }, found);
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, key.clone(), found)),
        Value::String(_) | Value::Int(_) | Value::Float(_) if is_expectation(&key) => {
            let words = words(&value.to_text());
            found.push(Expectation { key, words });
        }
        _ => {}
    }
}

fn is_expectation(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let says = ["expected", "answer", "correct", "ground_truth", "solution"];
    // Where things lie, and what is wrong on purpose, is no secret.
    let is_place = ["incorrect", "path", "file", "dir", "url", "window", "title"];
    says.iter().any(|word| key.contains(word)) && !is_place.iter().any(|word| key.contains(word))
}

/// Lines that a script prints and that tell what is right: their numbers, and what they tell, in small words.
fn printed(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut variables = BTreeMap::new();
    // Few scripts tell anything: what lines assign is found out when that is needed.
    let mut unread = Vec::new();
    script::lines(text).filter(|line| line.text.len() <= MAX_LINE).filter_map(move |line| {
        let Some(told) = told(line.text) else {
            unread.push(line.text);
            return None;
        };
        variables.extend(unread.drain(..).filter_map(assignment));
        let value = |found: &regex::Captures<'_>| {
            let name = found.get(1).map_or("", |name| name.as_str());
            variables.get(name).copied().unwrap_or_default().to_owned()
        };
        Some((line.number, words(&VARIABLE.as_ref()?.replace_all(told, value))))
    })
}

/// What a line tells that is printed for everybody to read.
fn told(line: &str) -> Option<&str> {
    if !line.starts_with("echo ") && !line.starts_with("printf ") {
        return None;
    }
    let told = line.get(TELLS.as_ref()?.find(line)?.end()..)?;
    let goes_elsewhere = || line.replace(">&2", "").replace("->", "").contains(['>', '|']);
    (!FAILS.as_ref()?.is_match(line) && !goes_elsewhere()).then_some(told)
}

/// The name and the value that a line gives to a variable.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (_, [name, value]) = ASSIGNMENT.as_ref()?.captures(line)?.extract();
    Some((name, value))
}

/// A text in small words, each with a blank before and behind it. A point counts inside a number only.
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

/// Whether these words stand in a text. Digits and short words stand everywhere.
fn has_words(text: &str, words: &str) -> bool {
    let is_number = words.trim().parse::<f64>().is_ok();
    words.trim().len() > if is_number { 1 } else { 3 } && text.contains(words)
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
                       read it; leave it out";
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
