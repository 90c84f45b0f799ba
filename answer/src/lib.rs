//! Answers of a model, taken apart into the files of a task.
//!
//! An answer is text from outside, and it is treated as such: what cannot be told for certain is a
//! [`Problem`], not a guess, and nothing that is doubtful comes out as a task.
//!
//! Two steps lead from an answer to a task. [`parse`] finds the files in the text, however they are
//! written: in fenced blocks that are named on the fence, above it or on the first line inside, or as one
//! JSON object. [`Answer::judge`] then asks whether the files make a task, and mends what is a mere
//! difference of name.
//!
//! ```
//! use answer;
//! use common::record::StopReason;
//!
//! let text = "Here it is.\n\n````README.md\n# Title\n\n```\ncode\n```\n````\n";
//! let answer = answer::parse(text, StopReason::End);
//! assert_eq!(answer.files["README.md"], "# Title\n\n```\ncode\n```\n");
//! ```

mod block;
mod bundle;
mod code;
mod fence;
mod guess;
mod kind;
mod name;
mod task;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use memchr::memchr;
use serde_json::Value;

use self::block::{Block, End};
use self::guess::Guess;
use self::kind::Kind;
use self::name::{NameError, Said};
use common::record::Problem;
use common::record::StopReason;
use common::text::{escape, shorten};
use task_spec::files::{MAX_FILE_BYTES, MAX_FILES};

pub use self::code::{Code, rejects};
pub use self::task::Judged;

/// The longest answer that is looked at, in bytes. The longest that a model gives today has about 0.5 MB.
pub const MAX_ANSWER: usize = 16 << 20;

/// How many fences around a whole answer are taken off.
const MAX_WRAPPERS: u32 = 3;

/// The files that an answer holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Name and content of each file. Names are fit for any system and lead below the task folder. Contents
    /// end in one newline, and scripts have no carriage returns.
    pub files: BTreeMap<String, String>,
    /// What is wrong, mended or not: [`rejects`] tells which.
    pub problems: Vec<Problem>,
}

/// Finds the files in the text of an answer, which ended because of `stop`.
pub fn parse(text: &str, stop: StopReason) -> Answer {
    let mut answer = Answer::default();
    match stop {
        StopReason::End | StopReason::Other => {}
        StopReason::MaxTokens => answer.add(Code::CutOff, "the answer was cut off at the limit of tokens"),
        StopReason::Refused => answer.add(Code::NoAnswer, "the model refused to answer"),
        StopReason::Filtered => answer.add(Code::NoAnswer, "the vendor kept the answer back"),
    }
    if text.len() > MAX_ANSWER {
        answer.add(Code::TooLarge, format!("the answer has {} bytes, more than {MAX_ANSWER}", text.len()));
        return answer;
    }
    let found = unpack(&unix_lines(text.trim_start_matches('\u{feff}')), MAX_WRAPPERS);
    answer.files = found.files;
    answer.problems.extend(found.problems);
    if answer.files.is_empty() && answer.problems.is_empty() {
        answer.add(Code::NoFiles, "there is no file in the answer");
    }
    answer
}

/// Takes files that are given one by one for an answer.
pub fn from_files<'a>(files: impl IntoIterator<Item = (&'a String, &'a String)>) -> Answer {
    let mut collected = Collected::default();
    for (name, content) in files {
        collected.add(name::below_task(name).map_err(|error| (name.clone(), error)), Cow::Borrowed(content));
    }
    collected.finish()
}

impl Answer {
    /// Whether nothing keeps the answer from being published, as far as this was looked at.
    pub fn is_sound(&self) -> bool {
        !self.problems.iter().any(rejects)
    }

    fn add(&mut self, code: Code, message: impl Into<String>) {
        self.problems.push(code.problem(message));
    }
}

/// A text all of whose lines end as Windows ends them was sent that way: the ends are no part of its files.
fn unix_lines(text: &str) -> Cow<'_, str> {
    if memchr(b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let returns = text.matches("\r\n").count();
    if returns > 0 && returns == text.matches('\n').count() {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Unpacks a text: its blocks, or the JSON object that it is, or what a fence around all of it holds.
fn unpack(text: &str, wrappers: u32) -> Answer {
    // A line of JSON never begins with a fence, as its strings cannot hold a line break.
    if let Some(json) = bare_json(text)
        && fence::find(text).is_empty()
    {
        return from_json(json);
    }
    let Some(blocks) = block::find(text) else {
        let mut answer = Answer::default();
        answer.add(Code::TooManyBlocks, format!("the answer has more than {} fences", fence::MAX_FENCES));
        return answer;
    };
    let answer = from_blocks(&blocks);
    if answer.files.contains_key("task.json") || wrappers == 0 {
        return answer;
    }
    let inside = blocks.iter().filter_map(|block| may_wrap(block).then_some(&*block.content));
    let wrapped = inside.chain(within_outer_fence(text)).map(|inside| unpack(inside, wrappers - 1));
    wrapped
        .into_iter()
        .find(|answer| answer.files.contains_key("task.json") && answer.is_sound())
        .unwrap_or(answer)
}

/// Whether a block may hold a whole answer.
fn may_wrap(block: &Block<'_>) -> bool {
    block.file.is_none()
        && matches!(block.kind, Kind::Markdown | Kind::Text)
        && block.end == End::Closed
        && block.content.contains("task.json")
}

/// What is between the first fence of `text` and the last, if they can be one block's.
fn within_outer_fence(text: &str) -> Option<&str> {
    let fences = fence::find(text);
    let (first, last) = (fences.first()?, fences.last()?);
    let (language, file) = name::in_info(first.info);
    let may_wrap = file.is_none() && Kind::Markdown.fits(&language) && last.closes(first);
    if may_wrap { text.get(first.line.end..last.line.start) } else { None }
}

/// The JSON object that a text is, or leads up to.
fn bare_json(text: &str) -> Option<&str> {
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') { Some(trimmed) } else { text.get(text.find("\n{")? + 1..) }
}

fn from_json(json: &str) -> Answer {
    let mut answer = Answer::default();
    match serde_json::Deserializer::from_str(json).into_iter::<Value>().next() {
        Some(Ok(json)) => match bundle::files(&json) {
            Some(files) => return from_bundle(files),
            None => answer.add(Code::NoFiles, "the answer is a JSON object, but not one of files"),
        },
        Some(Err(error)) if error.is_eof() => {
            answer.add(Code::CutOff, format!("the answer is a JSON object that does not end: {error}"));
        }
        Some(Err(error)) => answer.add(Code::InvalidJson, format!("the answer is no JSON object: {error}")),
        None => {}
    }
    answer
}

fn from_bundle(files: Vec<(String, String)>) -> Answer {
    let mut collected = Collected::default();
    for (name, content) in files {
        collected.add(name::below_task(&name).map_err(|error| (name, error)), Cow::Owned(content));
    }
    collected.finish()
}

fn from_blocks(blocks: &[Block<'_>]) -> Answer {
    let mut collected = Collected::default();
    for block in blocks {
        collected.add_block(block);
    }
    collected.recognise(blocks.iter().filter(|block| block.file.is_none() && block.end == End::Closed));
    collected.finish()
}

/// A content of a file. The file may have more of them, given later.
struct Version<'a> {
    content: Cow<'a, str>,
    /// Whether it may be a mere piece of the file: a line near it names the file, not the block itself.
    may_be_piece: bool,
}

/// Files as they are collected from an answer.
#[derive(Default)]
struct Collected<'a> {
    versions: BTreeMap<String, Vec<Version<'a>>>,
    problems: Vec<Problem>,
}

impl<'a> Collected<'a> {
    fn add(&mut self, file: Said, content: Cow<'a, str>) {
        self.add_version(file, Version { content, may_be_piece: false });
    }

    fn add_version(&mut self, file: Said, version: Version<'a>) {
        match file {
            Ok(name) => self.versions.entry(name).or_default().push(version),
            Err((said, error)) => {
                let code = if error == NameError::Ending { Code::UnknownFileType } else { Code::BadFileName };
                self.problem(code, format!("the file name `{}` is not taken: {error}", quote(&said)));
            }
        }
    }

    fn problem(&mut self, code: Code, message: impl Into<String>) {
        self.problems.push(code.problem(message));
    }

    fn add_block(&mut self, block: &Block<'a>) {
        let line = block.line;
        let what = match &block.file {
            Some(Ok(name) | Err((name, _))) => quote(name),
            None => "a block".to_owned(),
        };
        match (block.end, &block.file) {
            (End::Unclosed, None) if block.content.trim().is_empty() => {}
            (End::Unclosed, _) => {
                self.problem(Code::CutOff, format!("{what}, which begins on line {line}, is not closed"));
            }
            (End::Ambiguous, Some(_)) => self.problem(
                Code::AmbiguousBlock,
                format!("{what}, which begins on line {line}, may end at more than one fence; a longer fence tells"),
            ),
            (End::Ambiguous | End::Closed, None) => {}
            (End::Closed, Some(file)) => {
                let version = Version { content: block.content.clone(), may_be_piece: !block.by_fence };
                self.add_version(file.clone(), version);
            }
        }
    }

    /// Takes nameless blocks for the files that they can only be.
    fn recognise<'b>(&mut self, blocks: impl Iterator<Item = &'b Block<'a>>)
    where
        'a: 'b,
    {
        let mut recognised: BTreeMap<&str, Vec<&Block<'a>>> = BTreeMap::new();
        let mut scripts = Vec::new();
        for block in blocks {
            if block.kind == Kind::Json
                && let Ok(json) = serde_json::from_str(&block.content)
                && let Some(files) = bundle::files(&json)
            {
                for (name, content) in files {
                    self.add(name::below_task(&name).map_err(|error| (name, error)), Cow::Owned(content));
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
        // Every file equally often is a draft and its final version; anything else is a riddle.
        let mut times = recognised.values().map(Vec::len);
        let first = times.next();
        let is_draft_and_final = recognised.len() > 1 && times.all(|times| Some(times) == first);
        for (&name, blocks) in recognised {
            let differ = blocks.windows(2).any(|two| two[0].content != two[1].content);
            if differ && !is_draft_and_final {
                let lines = list(blocks.iter().map(|block| block.line));
                self.problem(
                    Code::AmbiguousFile,
                    format!("{name} may be any of the nameless blocks on lines {lines}"),
                );
                continue;
            }
            let line = blocks.last().map_or(0, |block| block.line);
            self.problem(Code::Recognised, format!("the nameless block on line {line} was taken for {name}"));
            for block in blocks {
                self.add(Ok(name.to_owned()), block.content.clone());
            }
        }
        if !scripts.is_empty() {
            let lines = list(scripts.into_iter());
            self.problem(
                Code::AmbiguousFile,
                format!("nothing says which script begins on line {lines}; name it"),
            );
        }
    }

    /// Decides between versions, and checks what was collected as a whole.
    fn finish(mut self) -> Answer {
        let mut answer = Answer { files: BTreeMap::new(), problems: std::mem::take(&mut self.problems) };
        for (name, versions) in self.versions {
            if versions.windows(2).any(|two| two[0].content != two[1].content) {
                answer.add(
                    Code::GivenTwice,
                    format!("{name} is given {} times; the last one counts", versions.len()),
                );
            }
            if let Some(version) = last_whole(&name, versions) {
                answer.files.insert(name.clone(), tidy(&name, &version.content));
            }
        }
        answer.files = without_task_folder(answer.files);
        check_names(&mut answer);
        check_sizes(&mut answer);
        answer
    }
}

/// The last version of a file, but for pieces of it that the answer talks about.
fn last_whole<'a>(name: &str, mut versions: Vec<Version<'a>>) -> Option<Version<'a>> {
    let kind = Kind::of_file(name);
    while versions.len() > 1
        && versions.last().is_some_and(|last| last.may_be_piece && kind.flaw(&last.content).is_err())
    {
        versions.pop();
    }
    versions.pop()
}

/// A content as it is written to a file.
fn tidy(name: &str, content: &str) -> String {
    let kind = Kind::of_file(name);
    let mut content = Cow::Borrowed(content);
    if kind != Kind::Text && kind != Kind::PowerShell {
        // PowerShell on Windows takes a mark for a reason to read UTF-8; everything else stumbles over it.
        content = Cow::Owned(content.trim_start_matches('\u{feff}').to_owned());
    }
    if matches!(kind, Kind::Shell | Kind::Python) && content.contains("\r\n") {
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

/// The files with their names below the folder that `task.json` is in.
fn without_task_folder(files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut specs = files.keys().filter(|name| name.rsplit('/').next() == Some("task.json"));
    let (Some(spec), None) = (specs.next(), specs.next()) else { return files };
    let folder = spec.trim_end_matches("task.json").to_owned();
    if folder.is_empty() || !files.keys().all(|name| name.starts_with(&folder)) {
        return files;
    }
    files.into_iter().map(|(name, content)| (name[folder.len()..].to_owned(), content)).collect()
}

fn check_names(answer: &mut Answer) {
    let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in answer.files.keys() {
        names.entry(name.to_ascii_lowercase()).or_default().push(name);
    }
    let clashes: Vec<String> =
        names.into_values().filter(|same| same.len() > 1).map(|same| same.join(" and ")).collect();
    for names in clashes {
        answer.add(Code::NamesDifferInCase, format!("{names} are one file on many systems"));
    }
    let names: Vec<&String> = answer.files.keys().collect();
    let inside = names
        .windows(2)
        .find(|two| two[1].strip_prefix(two[0].as_str()).is_some_and(|rest| rest.starts_with('/')));
    if let Some(message) = inside.map(|two| format!("{} cannot be a file and hold {}", two[0], two[1])) {
        answer.add(Code::BadFileName, message);
    }
}

fn check_sizes(answer: &mut Answer) {
    if answer.files.len() > MAX_FILES {
        answer.add(Code::TooManyFiles, format!("{} files, more than {MAX_FILES}", answer.files.len()));
    }
    let large: Vec<(String, usize)> = answer
        .files
        .iter()
        .filter(|(_, content)| content.len() > MAX_FILE_BYTES)
        .map(|(name, content)| (name.clone(), content.len()))
        .collect();
    for (name, bytes) in large {
        answer.add(Code::TooLarge, format!("{name} has {bytes} bytes, more than {MAX_FILE_BYTES}"));
    }
}

/// A word of the answer, fit for a message.
fn quote(word: &str) -> String {
    escape(&shorten(word, 80)).into_owned()
}

fn list(lines: impl Iterator<Item = usize>) -> String {
    lines.map(|line| line.to_string()).collect::<Vec<_>>().join(", ")
}
