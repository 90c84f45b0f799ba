//! Collects the files of an answer: decides between versions, recognises unnamed blocks, and checks names and
//! sizes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use common::record::Problem;
use task_spec::files::{MAX_FILE_BYTES, MAX_FILES};

use super::block::{Block, End};
use super::bundle;
use super::content_kind::ContentKind;
use super::guess::{self, Guess};
use super::name::{self, NameError, Said};
use super::parsed::ParsedAnswer;
use super::problem_code::{ProblemCode, quote};

/// The files of an answer, as they are found.
#[derive(Default)]
pub(super) struct Collected<'a> {
    versions: BTreeMap<String, Vec<Version<'a>>>,
    problems: Vec<Problem>,
}

/// A version of the content of a file. A later one may replace it.
struct Version<'a> {
    content: Cow<'a, str>,
    /// Whether it may be a fragment of the file: the name comes from a line near the block, not from its fence.
    may_be_fragment: bool,
}

impl<'a> Collected<'a> {
    pub(super) fn add(&mut self, file: Said, content: Cow<'a, str>) {
        self.add_version(file, Version { content, may_be_fragment: false });
    }

    fn add_version(&mut self, file: Said, version: Version<'a>) {
        match file {
            Ok(name) => self.versions.entry(name).or_default().push(version),
            Err((said, error)) => {
                let code = if error == NameError::Ending {
                    ProblemCode::UnknownFileType
                } else {
                    ProblemCode::BadFileName
                };
                self.problem(code, format!("the file name `{}` is not accepted: {error}", quote(&said)));
            }
        }
    }

    fn problem(&mut self, code: ProblemCode, message: impl Into<String>) {
        self.problems.push(code.problem(message));
    }

    pub(super) fn add_block(&mut self, block: &Block<'a>) {
        let line = block.line;
        let what = match &block.file {
            Some(Ok(name) | Err((name, _))) => quote(name),
            None => "a block".to_owned(),
        };
        match (block.end, &block.file) {
            (End::Unclosed, None) if block.content.trim().is_empty() => {}
            (End::Unclosed, _) => {
                self.problem(
                    ProblemCode::CutOff,
                    format!("{what}, which starts on line {line}, is not closed"),
                );
            }
            (End::Ambiguous, Some(_)) => self.problem(
                ProblemCode::AmbiguousBlock,
                format!(
                    "{what}, which starts on line {line}, may end at more than one fence; use a longer fence"
                ),
            ),
            (End::Ambiguous | End::Closed, None) => {}
            (End::Closed, Some(file)) => {
                let version = Version { content: block.content.clone(), may_be_fragment: !block.by_fence };
                self.add_version(file.clone(), version);
            }
        }
    }

    /// Assigns unnamed blocks to the files that their contents identify.
    pub(super) fn recognise<'b>(&mut self, blocks: impl Iterator<Item = &'b Block<'a>>)
    where
        'a: 'b,
    {
        let mut recognised: BTreeMap<&str, Vec<&Block<'a>>> = BTreeMap::new();
        let mut scripts = Vec::new();
        for block in blocks {
            if block.kind == ContentKind::Json
                && let Ok(json) = serde_json::from_str(&block.content)
                && let Some(files) = bundle::files(&json)
            {
                for (name, content) in files {
                    self.add(name::below_task_or_error(&name), Cow::Owned(content));
                }
                continue;
            }
            match guess::guess(block) {
                Guess::File(name) => recognised.entry(name).or_default().push(block),
                Guess::SomeScript => scripts.push(block.line),
                Guess::Talk => {}
            }
        }
        recognised.retain(|name, _| !self.versions.contains_key(*name));
        self.take_recognised(&recognised, scripts);
    }

    fn take_recognised(&mut self, recognised: &BTreeMap<&str, Vec<&Block<'a>>>, scripts: Vec<usize>) {
        // Every file equally often is a draft and its final version; anything else is ambiguous.
        let mut times = recognised.values().map(Vec::len);
        let first = times.next();
        let is_draft_and_final = recognised.len() > 1 && times.all(|times| Some(times) == first);
        for (&name, blocks) in recognised {
            let differ = blocks.windows(2).any(|two| two[0].content != two[1].content);
            if differ && !is_draft_and_final {
                let lines = list(blocks.iter().map(|block| block.line));
                self.problem(
                    ProblemCode::AmbiguousFile,
                    format!("{name} may be any of the unnamed blocks on lines {lines}"),
                );
                continue;
            }
            let line = blocks.last().map_or(0, |block| block.line);
            self.problem(
                ProblemCode::Recognised,
                format!("the unnamed block on line {line} was recognised as {name}"),
            );
            for block in blocks {
                self.add(Ok(name.to_owned()), block.content.clone());
            }
        }
        if !scripts.is_empty() {
            let lines = list(scripts.into_iter());
            self.problem(
                ProblemCode::AmbiguousFile,
                format!("the script on line {lines} has no name; name it"),
            );
        }
    }

    /// Decides between versions, and checks the files as a whole.
    pub(super) fn finish(mut self) -> ParsedAnswer {
        let mut answer =
            ParsedAnswer { files: BTreeMap::new(), problems: std::mem::take(&mut self.problems) };
        for (name, versions) in self.versions {
            if versions.windows(2).any(|two| two[0].content != two[1].content) {
                answer.add(
                    ProblemCode::GivenTwice,
                    format!("{name} is given {} times; the last one counts", versions.len()),
                );
            }
            if let Some(version) = last_complete(&name, versions) {
                answer.files.insert(name.clone(), tidy(&name, &version.content));
            }
        }
        answer.files = without_task_folder(answer.files);
        check_names(&mut answer);
        check_sizes(&mut answer);
        answer
    }
}

/// The last version of a file that is not a fragment quoted in the text.
fn last_complete<'a>(name: &str, mut versions: Vec<Version<'a>>) -> Option<Version<'a>> {
    let kind = ContentKind::of_file(name);
    while versions.len() > 1
        && versions.last().is_some_and(|last| last.may_be_fragment && kind.check(&last.content).is_err())
    {
        versions.pop();
    }
    versions.pop()
}

/// A content as it is written to a file.
fn tidy(name: &str, content: &str) -> String {
    let kind = ContentKind::of_file(name);
    let mut content = Cow::Borrowed(content);
    if kind != ContentKind::Text && kind != ContentKind::PowerShell {
        // PowerShell on Windows needs a byte order mark to read UTF-8; everything else fails on it.
        content = Cow::Owned(content.trim_start_matches('\u{feff}').to_owned());
    }
    if matches!(kind, ContentKind::Shell | ContentKind::Python) && content.contains("\r\n") {
        content = Cow::Owned(content.replace("\r\n", "\n"));
    }
    let body = content.trim_end_matches('\n');
    let body = if content.contains("\r\n") { body.trim_end_matches(['\r', '\n']) } else { body };
    match body {
        "" => String::new(),
        body if content.contains("\r\n") => format!("{body}\r\n"),
        body => format!("{body}\n"),
    }
}

/// The files, with names relative to the folder of `task.json`.
fn without_task_folder(files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut specs = files.keys().filter(|name| name.rsplit('/').next() == Some("task.json"));
    let (Some(spec), None) = (specs.next(), specs.next()) else { return files };
    let folder = spec.trim_end_matches("task.json").to_owned();
    if folder.is_empty() || !files.keys().all(|name| name.starts_with(&folder)) {
        return files;
    }
    files.into_iter().map(|(name, content)| (name[folder.len()..].to_owned(), content)).collect()
}

fn check_names(answer: &mut ParsedAnswer) {
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in answer.files.keys() {
        names.entry(name.to_ascii_lowercase()).or_default().push(name);
    }
    let clashes: Vec<String> =
        names.into_values().filter(|same| same.len() > 1).map(|same| same.join(" and ")).collect();
    for names in clashes {
        answer.add(ProblemCode::NamesDifferInCase, format!("{names} are the same file on many systems"));
    }
    let names: Vec<&String> = answer.files.keys().collect();
    let inside = names
        .windows(2)
        .find(|two| two[1].strip_prefix(two[0].as_str()).is_some_and(|rest| rest.starts_with('/')));
    if let Some(message) = inside.map(|two| format!("{} cannot be a file and contain {}", two[0], two[1])) {
        answer.add(ProblemCode::BadFileName, message);
    }
}

fn check_sizes(answer: &mut ParsedAnswer) {
    if answer.files.len() > MAX_FILES {
        answer.add(
            ProblemCode::TooManyFiles,
            format!("the answer has {} files, more than {MAX_FILES}", answer.files.len()),
        );
    }
    let large: Vec<(String, usize)> = answer
        .files
        .iter()
        .filter(|(_, content)| content.len() > MAX_FILE_BYTES)
        .map(|(name, content)| (name.clone(), content.len()))
        .collect();
    for (name, bytes) in large {
        answer.add(ProblemCode::TooLarge, format!("{name} has {bytes} bytes, more than {MAX_FILE_BYTES}"));
    }
}

fn list(lines: impl Iterator<Item = usize>) -> String {
    lines.map(|line| line.to_string()).collect::<Vec<_>>().join(", ")
}
