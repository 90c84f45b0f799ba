//! Finds the files in the text of an answer.

use std::borrow::Cow;

use common::record::StopReason;
use memchr::memchr;
use serde_json::Value;

use super::block::{self, Block, End};
use super::bundle;
use super::collect::Collected;
use super::content_kind::ContentKind;
use super::fence;
use super::name;
use super::parsed::ParsedAnswer;
use super::problem_code::ProblemCode;

/// The longest answer that is parsed, in bytes. The longest that a model gives today has about 0.5 MB.
pub const MAX_ANSWER: usize = 16 << 20;

/// The number of fences around a whole answer that are removed.
const MAX_WRAPPERS: u32 = 3;

/// Finds the files in the text of an answer, which ended because of `stop`.
pub fn parse(text: &str, stop: StopReason) -> ParsedAnswer {
    let mut answer = ParsedAnswer::default();
    match stop {
        StopReason::End | StopReason::Other => {}
        StopReason::MaxTokens => answer.add(ProblemCode::CutOff, "the answer was cut off at the token limit"),
        StopReason::Refused => answer.add(ProblemCode::NoAnswer, "the model refused to answer"),
        StopReason::Filtered => answer.add(ProblemCode::NoAnswer, "the provider withheld the answer"),
    }
    if text.len() > MAX_ANSWER {
        answer.add(
            ProblemCode::TooLarge,
            format!("the answer has {} bytes, more than {MAX_ANSWER}", text.len()),
        );
        return answer;
    }
    let found = unpack(&unix_lines(text.trim_start_matches('\u{feff}')), MAX_WRAPPERS);
    answer.files = found.files;
    answer.problems.extend(found.problems);
    if answer.files.is_empty() && answer.problems.is_empty() {
        answer.add(ProblemCode::NoFiles, "the answer contains no files");
    }
    answer
}

/// Reads files that are given one by one, as those of a `files` record.
pub fn from_files<'a>(files: impl IntoIterator<Item = (&'a String, &'a String)>) -> ParsedAnswer {
    let mut collected = Collected::default();
    for (name, content) in files {
        collected.add(name::below_task_or_error(name), Cow::Borrowed(content));
    }
    collected.finish()
}

/// `text` with Unix line ends, if all its lines have Windows line ends: then these come from the transport, not
/// from the files.
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

/// Unpacks a text: a JSON object, fenced blocks, or a whole answer inside an outer fence.
fn unpack(text: &str, wrappers: u32) -> ParsedAnswer {
    // A line of JSON never starts with a fence, since its strings cannot contain a line break.
    if let Some(json) = bare_json(text)
        && fence::find(text).is_empty()
    {
        return from_json(json);
    }
    let Some(blocks) = block::find(text) else {
        let mut answer = ParsedAnswer::default();
        answer.add(
            ProblemCode::TooManyBlocks,
            format!("the answer has more than {} fences", fence::MAX_FENCES),
        );
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
        .find(|answer| answer.files.contains_key("task.json") && answer.is_valid())
        .unwrap_or(answer)
}

/// Whether a block may contain a whole answer.
fn may_wrap(block: &Block<'_>) -> bool {
    block.file.is_none()
        && matches!(block.kind, ContentKind::Markdown | ContentKind::Text)
        && block.end == End::Closed
        && block.content.contains("task.json")
}

/// The text between the first fence and the last, if these can belong to one block.
fn within_outer_fence(text: &str) -> Option<&str> {
    let fences = fence::find(text);
    let (first, last) = (fences.first()?, fences.last()?);
    let (language, file) = name::in_info(first.info);
    let may_wrap = file.is_none() && ContentKind::Markdown.fits(&language) && last.closes(first);
    if may_wrap { text.get(first.line.end..last.line.start) } else { None }
}

/// The JSON object that makes up the text or ends it.
fn bare_json(text: &str) -> Option<&str> {
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') { Some(trimmed) } else { text.get(text.find("\n{")? + 1..) }
}

fn from_json(json: &str) -> ParsedAnswer {
    let mut answer = ParsedAnswer::default();
    match serde_json::Deserializer::from_str(json).into_iter::<Value>().next() {
        Some(Ok(json)) => match bundle::files(&json) {
            Some(files) => return from_bundle(files),
            None => answer.add(ProblemCode::NoFiles, "the answer is a JSON object without files"),
        },
        Some(Err(error)) if error.is_eof() => {
            answer.add(ProblemCode::CutOff, format!("the answer is an incomplete JSON object: {error}"));
        }
        Some(Err(error)) => {
            answer.add(ProblemCode::InvalidJson, format!("the answer is not a valid JSON object: {error}"));
        }
        None => {}
    }
    answer
}

fn from_bundle(files: Vec<(String, String)>) -> ParsedAnswer {
    let mut collected = Collected::default();
    for (name, content) in files {
        collected.add(name::below_task_or_error(&name), Cow::Owned(content));
    }
    collected.finish()
}

fn from_blocks(blocks: &[Block<'_>]) -> ParsedAnswer {
    let mut collected = Collected::default();
    for block in blocks {
        collected.add_block(block);
    }
    collected.recognise(blocks.iter().filter(|block| block.file.is_none() && block.end == End::Closed));
    collected.finish()
}
