//! Records, one a line, as [JSON Lines](https://jsonlines.org).

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use crate::record::{Kind, Record};
use crate::text::{escape, shorten};

/// The longest line that is read. A record holds at most one answer of a model, which is far below it.
pub const MAX_LINE: u64 = 1 << 30;

/// Some editors and Windows programs start a file with it. It is not part of the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The maximum length of the reason why a line cannot be read as a record, in characters.
const MAX_WHY: usize = 1_000;

/// A line of a manifest.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "few lines exist at a time")]
pub enum Line {
    /// A record of a kind that the reader was asked for.
    Record(Record),
    /// Anything else that is a record. It goes on to the next stage as it is.
    Other(RawLine),
}

/// A line that passes through, byte for byte, without its end of line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine(Vec<u8>);

impl RawLine {
    /// The line of a record.
    pub(crate) fn of(record: &Record) -> io::Result<Self> {
        Ok(Self(serde_json::to_vec(record)?))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A line that is not a valid record.
#[derive(Clone, Debug, Error)]
#[error("{source_name}:{line}: no valid record: {why}")]
pub struct BadLine {
    source_name: Arc<str>,
    line: u64,
    why: String,
}

/// Why a line could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The line is not a valid record. The next one may be.
    #[error(transparent)]
    Bad(BadLine),
    /// Nothing more can be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a manifest line by line, and of it the records of some kinds.
#[derive(Debug)]
pub struct Reader<R> {
    lines: R,
    source_name: Arc<str>,
    line: u64,
    kinds: Vec<Kind>,
}

impl<R: BufRead> Reader<R> {
    /// A reader of records of these `kinds` in `lines`; `source_name` is what messages call the input.
    pub fn new(source_name: &str, lines: R, kinds: &[Kind]) -> Self {
        Self { lines, source_name: source_name.into(), line: 0, kinds: kinds.to_vec() }
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<Line, ReadError> {
        match self.try_parse(&bytes) {
            Ok(Some(record)) => Ok(Line::Record(record)),
            Ok(None) => Ok(Line::Other(RawLine(bytes))),
            Err(why) => {
                Err(ReadError::Bad(BadLine { source_name: self.source_name.clone(), line: self.line, why }))
            }
        }
    }

    fn try_parse(&self, bytes: &[u8]) -> Result<Option<Record>, String> {
        /// What every record has.
        #[derive(Deserialize)]
        struct Envelope {
            record: String,
        }
        if bytes.len() as u64 >= MAX_LINE {
            return Err(format!("longer than {MAX_LINE} bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        if !text.trim_start().starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        let envelope: Envelope = serde_json::from_str(text).map_err(|error| in_words(&error))?;
        match Kind::from_name(&envelope.record).filter(|kind| self.kinds.contains(kind)) {
            Some(kind) => Record::parse(kind, text).map(Some).map_err(|error| in_words(&error)),
            None => Ok(None),
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut bytes = Vec::new();
            match self.lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error.into())),
            }
            self.line += 1;
            if self.line == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            } else if bytes.len() as u64 == MAX_LINE
                && let Err(error) = skip_line(&mut self.lines)
            {
                return Some(Err(error.into()));
            }
            if !bytes.trim_ascii().is_empty() {
                return Some(self.parse(bytes));
            }
        }
    }
}

/// Why a line cannot be read as a record, on one line: serde quotes text of the line, line breaks included.
fn in_words(error: &serde_json::Error) -> String {
    // The line has a number of its own in its manifest, not serde's.
    let why = error.to_string().replace(" at line 1 column ", " at column ");
    escape(&shorten(&why, MAX_WHY)).into_owned()
}

/// Reads on to the next line without keeping what is read.
fn skip_line(lines: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = lines.fill_buf()?;
        let (read, done) = match buffer.iter().position(|&byte| byte == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        lines.consume(read);
        if done {
            return Ok(());
        }
    }
}

/// Writes `record` as a line.
pub fn write_record(out: &mut impl Write, record: &Record) -> io::Result<()> {
    // One write for the whole line, so that a reader at the other end of a pipe wakes once.
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Writes a line as it was read.
pub fn write_raw(out: &mut impl Write, line: &RawLine) -> io::Result<()> {
    out.write_all(&line.0)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{"record":"plan","task":"a","index":1,"colour":"red"}"#;

    fn read(input: &str) -> Vec<String> {
        Reader::new("in.jsonl", input.as_bytes(), &[Kind::Plan])
            .map(|line| match line {
                Ok(Line::Record(Record::Plan(plan))) => format!("plan {}", plan.task),
                Ok(Line::Record(other)) => panic!("not asked for: {other:?}"),
                Ok(Line::Other(raw)) => String::from_utf8(raw.0).unwrap(),
                Err(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn known_kinds_are_read_and_others_pass_through_as_they_are() {
        let custom = r#"{"x": 1.0,  "record":"mine", "x": 2}"#;
        assert_eq!(
            read(&format!("{PLAN}\n\n{custom}\r\n{PLAN}")),
            ["plan a", &format!("{custom}\r"), "plan a"]
        );
    }

    #[test]
    fn bad_lines_are_named_by_number_and_the_rest_goes_on() {
        let lines = ["[1]", r#"{"record":"plan"}"#, r#"{"record"#, PLAN, "null", r#"{"x":1}"#];
        insta::assert_snapshot!(read(&lines.join("\n")).join("\n"), @r"
        in.jsonl:1: no valid record: not a JSON object
        in.jsonl:2: no valid record: missing field `task` at column 17
        in.jsonl:3: no valid record: EOF while parsing a string at column 8
        plan a
        in.jsonl:5: no valid record: not a JSON object
        in.jsonl:6: no valid record: missing field `record` at column 7
        ");
    }

    #[test]
    fn what_a_bad_line_quotes_stays_on_one_line_and_is_cut() {
        let severity = format!(r"a\n{}", "b".repeat(2 * MAX_WHY));
        let line = format!(
            r#"{{"record":"verdict","env":"e","kind":"task","dir":"d","path":"p","ok":true,"issues":[{{"code":"c","severity":"{severity}","message":""}}]}}"#
        );
        let error =
            Reader::new("in", line.as_bytes(), &[Kind::Verdict]).next().unwrap().unwrap_err().to_string();
        assert!(error.contains(r"unknown variant `a\nbbb"), "{error}");
        assert!(!error.contains('\n') && error.len() < MAX_WHY + 100, "{error}");
    }

    #[test]
    fn bytes_that_are_no_text_are_a_bad_line() {
        let lines = b"\xff\xfe\n{\"record\":\"plan\",\"task\":\"a\"}\n";
        let kinds: Vec<bool> =
            Reader::new("in", &lines[..], &[Kind::Plan]).map(|line| line.is_ok()).collect();
        assert_eq!(kinds, [false, true]);
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_record() {
        assert_eq!(read(&format!("\u{feff}{PLAN}\n")), ["plan a"]);
    }
}
