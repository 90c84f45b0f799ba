//! Names of a task's files, and the places where an answer gives them.

use std::sync::LazyLock;

use common::environment::is_device_name;
use regex::Regex;
use task_spec::pattern::compile;

/// Extensions of the files that a task may contain.
const ENDINGS: [&str; 52] = [
    "R",
    "bat",
    "bib",
    "c",
    "cfg",
    "cmd",
    "conf",
    "cpp",
    "css",
    "csv",
    "dot",
    "drawio",
    "eml",
    "geojson",
    "gpx",
    "h",
    "html",
    "ics",
    "ini",
    "java",
    "js",
    "json",
    "jsonl",
    "kml",
    "log",
    "m",
    "md",
    "mod",
    "patch",
    "po",
    "properties",
    "ps1",
    "py",
    "r",
    "rst",
    "script",
    "sh",
    "sql",
    "srt",
    "svg",
    "tex",
    "toml",
    "ts",
    "tsv",
    "txt",
    "urdf",
    "vcf",
    "wbt",
    "world",
    "xml",
    "yaml",
    "yml",
];

/// The maximum length of a name with its folders, in bytes.
const MAX_LENGTH: usize = 120;

/// The maximum number of parts of a name.
const MAX_PARTS: usize = 4;

/// Why a name is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    #[error("it leads out of the task folder")]
    Outside,
    #[error("it is not portable: use letters, digits, `_`, `-` and `.`")]
    Characters,
    #[error("it is too long or too deep")]
    Long,
    #[error("a task has no files of this type")]
    Ending,
}

/// The name below the task folder for `path`: a path below the task folder, below `tasks/<task>/`, or in the
/// environment, where the task folder is `/workspace/tasks/<task>/`.
pub(super) fn below_task(path: &str) -> Result<String, NameError> {
    let slashes = path.trim().replace('\\', "/");
    let mut name = slashes.as_str();
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    if let Some((before, rest)) = name.split_once("tasks/")
        && (before.is_empty() || before.ends_with('/'))
        && let Some((_, below)) = rest.split_once('/')
    {
        name = below;
    }
    check(name)?;
    Ok(name.to_owned())
}

fn check(name: &str) -> Result<(), NameError> {
    if name.len() > MAX_LENGTH || name.split('/').count() > MAX_PARTS {
        return Err(NameError::Long);
    }
    if name.starts_with('/') || name.split('/').any(|part| part == "..") || name.get(1..3) == Some(":/") {
        return Err(NameError::Outside);
    }
    if !name.split('/').all(is_portable) {
        return Err(NameError::Characters);
    }
    if ending(name).is_some_and(|ending| ENDINGS.contains(&ending)) { Ok(()) } else { Err(NameError::Ending) }
}

/// Whether a part of a path is valid on every system.
fn is_portable(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && !part.ends_with('.')
        && !is_device_name(part)
}

/// The extension of a name.
pub(super) fn ending(name: &str) -> Option<&str> {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('.').map(|(_, ending)| ending)
}

/// [`below_task`], with the path as written beside the error.
pub(super) fn below_task_or_error(path: &str) -> Said {
    below_task(path).map_err(|error| (path.to_owned(), error))
}

/// The name that an answer gives to a file; if it is not accepted, the name as written and the reason.
pub(super) type Said = Result<String, (String, NameError)>;

/// The file that a word names, if any. `python3.11` and `1.5` do not name files.
fn said(word: &str) -> Option<Said> {
    let word = word.trim_matches(|c| DECORATION.contains(&c)).trim_end_matches(['.', '-', '/', '\\']);
    let ending = ending(word).filter(|ending| {
        (1..=10).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && ending.bytes().any(|byte| byte.is_ascii_alphabetic())
    });
    let has_stem = word.rsplit('/').next().is_some_and(|file| file.rfind('.') != Some(0));
    if ending.is_none() || !has_stem || word.contains("://") {
        return None;
    }
    Some(below_task_or_error(word))
}

/// Characters around names in Markdown and in comments.
const DECORATION: [char; 20] =
    ['*', '`', '"', '\'', '(', ')', '[', ']', '{', '}', '<', '>', ':', ',', ';', '#', '!', '“', '”', '='];

/// The language and the file that a fence's info string names: `task.json`, `json title="task.json"`,
/// `json:task.json`, `bash # tasks/x/setup_task.sh`.
pub(super) fn in_info(info: &str) -> (String, Option<Said>) {
    static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
        compile(r#"(?i)\b(?:title|filename|file|path|name|label)\s*[=:]\s*(?:"([^"]*)"|'([^']*)'|([^\s}]+))"#)
    });
    let first = info.split_whitespace().next().unwrap_or_default();
    let language =
        first.trim_start_matches(['{', '.']).split([':', '{', ',', '=']).next().unwrap_or_default();
    let language = language.trim_end_matches('}').to_ascii_lowercase();
    let file = match ATTRIBUTE.captures(info).and_then(|found| found.iter().skip(1).find_map(|group| group)) {
        Some(value) => said(value.as_str()),
        None => one_of(
            info.split_whitespace()
                .flat_map(|word| word.split_once(':').map_or(word, |(_, after)| after).split('|')),
        ),
    };
    match file {
        // The whole info string is the name, without a language.
        Some(file) if said(first).is_some() && !first.contains(':') => (String::new(), Some(file)),
        file => (language, file),
    }
}

/// How the line above a block names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// The line is a label.
    Sure(Said),
    /// A sentence mentions one file and introduces the block.
    Mention(Said),
}

/// The file that the line above a block names: `### 1. task.json`, `**tasks/x/setup_task.sh** (executable)`,
/// `Now the verifier, `verifier.py`:`.
pub(super) fn in_label(line: &str) -> Option<Label> {
    if line.len() > 400 {
        return None;
    }
    let file = one_of(line.split_whitespace())?;
    // A description may follow the name in parentheses or after a dash.
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| said(word).is_some())?;
    let (before, after) = words.split_at(at);
    let described =
        after.get(1).is_none_or(|word| word.starts_with(['(', '-', '–', '—', ':']) || is_filler(word));
    let trimmed = line.trim_start();
    let heading = trimmed.starts_with('#');
    if before.iter().all(is_filler) && (described || heading) {
        return Some(Label::Sure(file));
    }
    if heading || line.trim_end().trim_end_matches(['*', '`']).ends_with(':') {
        return Some(Label::Mention(file));
    }
    None
}

/// Whether a word belongs to a label besides the name.
fn is_filler(word: &&str) -> bool {
    const FILLERS: [&str; 6] = ["file", "filename", "name", "path", "the", "final"];
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    bare.is_empty() || FILLERS.contains(&bare.as_str()) || bare.chars().all(|c| c.is_ascii_digit())
}

/// How the first line inside a block names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstLine {
    /// The line is only a name, so it is not part of the file.
    Bare(Said),
    /// The line is a comment that names the file, and may be part of it.
    Comment(Said),
}

/// The file that the first line inside a block names: `task.json`, `"verifier.py"`, `# setup_task.sh`,
/// `<!-- README.md -->`, `// File: task.json`.
pub(super) fn in_first_line(line: &str) -> Option<FirstLine> {
    const OPENINGS: [&str; 7] = ["//", "#", "--", ";", "<!--", "/*", "\"\"\""];
    const CLOSINGS: [&str; 3] = ["-->", "*/", "\"\"\""];
    let line = line.trim();
    if line.len() > 200 || line.starts_with("```") || line.starts_with("~~~") {
        return None;
    }
    let Some(mut inside) = OPENINGS.iter().find_map(|opening| line.strip_prefix(opening)) else {
        let bare = line.trim_matches(['*', '`', '"', '\'', ':']);
        let is_word = !bare.contains(|c: char| c.is_whitespace() || DECORATION.contains(&c));
        return if is_word { said(bare).map(FirstLine::Bare) } else { None };
    };
    for closing in CLOSINGS {
        inside = inside.trim_end().strip_suffix(closing).unwrap_or(inside);
    }
    let mut words: Vec<&str> = inside.split_whitespace().collect();
    while words.len() > 1 && words.first().is_some_and(is_field) {
        words.remove(0);
    }
    let [word] = words[..] else { return None };
    said(word).map(FirstLine::Comment)
}

/// Whether a word introduces a name: `File:`.
fn is_field(word: &&str) -> bool {
    let word = word.trim_end_matches(':').to_ascii_lowercase();
    ["file", "filename", "path", "name", "title"].contains(&word.as_str())
}

/// The file that these words name, if they name exactly one.
fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> Option<Said> {
    let mut files = words.filter_map(said);
    let file = files.next()?;
    files.all(|other| other == file).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(said: &Said) -> String {
        said.as_ref().map_or_else(|(word, _)| format!("!{word}"), Clone::clone)
    }

    #[test]
    fn paths_below_the_task_folder_are_taken() {
        let cases = [
            ("task.json", Ok("task.json")),
            (" ./setup_task.sh", Ok("setup_task.sh")),
            ("tasks/x/data/rows.csv", Ok("data/rows.csv")),
            ("/workspace/tasks/x/verifier.py", Ok("verifier.py")),
            (r"C:\workspace\tasks\x\setup_task.ps1", Ok("setup_task.ps1")),
            ("../task.json", Err(NameError::Outside)),
            ("tasks/x/../../env.json", Err(NameError::Outside)),
            ("/etc/cron.d/x.sh", Err(NameError::Outside)),
            ("C:/x.txt", Err(NameError::Outside)),
            ("a//b.txt", Err(NameError::Characters)),
            (".bashrc.sh", Err(NameError::Characters)),
            ("con.txt", Err(NameError::Characters)),
            ("data/LPT1.csv", Err(NameError::Characters)),
            ("a\0.txt", Err(NameError::Characters)),
            ("ta\u{202e}sk.json", Err(NameError::Characters)),
            ("a b.txt", Err(NameError::Characters)),
            ("", Err(NameError::Characters)),
            ("a/b/c/d/e.txt", Err(NameError::Long)),
            ("tool.exe", Err(NameError::Ending)),
            ("Makefile", Err(NameError::Ending)),
        ];
        for (path, expect) in cases {
            assert_eq!(below_task(path).as_deref(), expect.as_ref().map(|name| *name), "{path}");
        }
        let long = format!("{}.txt", "x".repeat(200));
        assert_eq!(below_task(&long), Err(NameError::Long));
    }

    #[test]
    fn an_info_string_names_a_language_and_a_file() {
        let cases = [
            ("", "", ""),
            ("json", "json", ""),
            ("task.json", "", "task.json"),
            ("tasks/x/task.json", "", "task.json"),
            ("json task.json", "json", "task.json"),
            ("json:task.json", "json", "task.json"),
            ("json title=\"task.json\"", "json", "task.json"),
            ("python filename='verifier.py' linenums=\"1\"", "python", "verifier.py"),
            ("{.bash file=setup_task.sh}", "bash", "setup_task.sh"),
            ("bash # setup_task.sh", "bash", "setup_task.sh"),
            ("Python3.11", "python3.11", ""),
            ("../x.sh", "", "!../x.sh"),
            ("json a.json b.json", "json", ""),
        ];
        for (info, language, file) in cases {
            let (said_language, said) = in_info(info);
            assert_eq!(
                (said_language.as_str(), said.as_ref().map_or(String::new(), name)),
                (language, file.to_owned()),
                "{info}"
            );
        }
    }

    #[test]
    fn a_line_above_a_block_may_name_it() {
        let cases = [
            ("### task.json", "sure task.json"),
            ("## 2. `setup_task.sh` (executable)", "sure setup_task.sh"),
            ("**tasks/x/verifier.py**", "sure verifier.py"),
            ("File: `export_result.sh`", "sure export_result.sh"),
            ("- README.md:", "sure README.md"),
            ("vlm_checklist.json — what a judge looks for", "sure vlm_checklist.json"),
            ("Here is the `verifier.py` that goes with it:", "mention verifier.py"),
            ("It reads task.json and writes verifier.py:", ""),
            ("The verifier is strict about version 1.5:", ""),
            ("See https://example.org/task.json:", ""),
            ("I changed task.json.", ""),
            ("**../../task.json**", "sure !../../task.json"),
        ];
        for (line, expect) in cases {
            let found = match in_label(line) {
                Some(Label::Sure(said)) => format!("sure {}", name(&said)),
                Some(Label::Mention(said)) => format!("mention {}", name(&said)),
                None => String::new(),
            };
            assert_eq!(found, expect, "{line}");
        }
    }

    #[test]
    fn the_first_line_inside_may_name_a_block() {
        let cases = [
            ("task.json", "bare task.json"),
            ("\"setup_task.sh\"", "bare setup_task.sh"),
            ("# setup_task.sh", "comment setup_task.sh"),
            ("# File: tasks/x/verifier.py", "comment verifier.py"),
            ("// task.json", "comment task.json"),
            ("<!-- README.md -->", "comment README.md"),
            ("\"\"\"verifier.py\"\"\"", "comment verifier.py"),
            ("# Sets up task.json", ""),
            ("{\"id\": \"a.json\"}", ""),
            ("#!/bin/bash", ""),
            ("source utils.sh", ""),
        ];
        for (line, expect) in cases {
            let found = match in_first_line(line) {
                Some(FirstLine::Bare(said)) => format!("bare {}", name(&said)),
                Some(FirstLine::Comment(said)) => format!("comment {}", name(&said)),
                None => String::new(),
            };
            assert_eq!(found, expect, "{line}");
        }
    }
}
