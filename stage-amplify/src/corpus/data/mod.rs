//! The structure of data files: what a person would look up before using them.
//!
//! A small text is shown whole. Of anything else, prompts show names, counts and the first records.

mod database;
mod geometry;
mod opendocument;
mod records;
mod spreadsheet;
mod statements;
mod structure;

use std::fmt::Write as _;
use std::path::Path;

use common::text::{escape, one_line, shorten};

use super::excerpt::Excerpt;
use super::source::Source;

/// The longest part of a data file that is read, in bytes.
const READ_BYTES: usize = 8 << 20;

/// The longest text that is shown whole although its structure could be shown, in bytes.
const WHOLE_BYTES: usize = 1_500;

/// The maximum shown of a text of which the beginning is shown, in bytes.
const BEGINNING_BYTES: usize = 1_500;

/// The maximum length of an outline, in bytes.
const OUTLINE_BYTES: usize = 3_000;

/// The number of records that an outline shows.
const ROWS: usize = 3;

/// The maximum shown of a value, in characters.
const VALUE_CHARS: usize = 40;

/// The beginning of every SQLite database, GeoPackages included.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Extensions of workbooks.
const WORKBOOKS: [&str; 4] = ["xlsx", "xlsm", "xls", "ods"];

/// The structure of the data file `name`; its text if that is short, or if nothing is known of its format. None if
/// it is neither text nor of a known format.
pub(super) fn outline(source: &Source<'_>, name: &str) -> Option<Excerpt> {
    let start = source.start(name, READ_BYTES)?;
    let bytes = usize::try_from(start.length).unwrap_or(usize::MAX);
    let is_whole = bytes == start.bytes.len();
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let extension = extension.as_str();
    let is_binary = start.bytes.starts_with(SQLITE) || WORKBOOKS.contains(&extension);
    if is_whole && is_binary {
        return Some(Excerpt::outline(name, &limited(&binary(extension, &start.bytes)?), bytes));
    }
    if bytes <= WHOLE_BYTES {
        return Excerpt::read(source, name, name, WHOLE_BYTES);
    }
    let text = String::from_utf8_lossy(&start.bytes);
    let found = match extension {
        "csv" => records::table(&start.bytes, b',', is_whole),
        "tsv" => records::table(&start.bytes, b'\t', is_whole),
        "jsonl" | "ndjson" => Some(records::lines(&text, is_whole)),
        "json" | "geojson" if is_whole => structure::json(&text),
        "sql" => statements::outline(&text),
        "xml" | "gpx" | "kml" | "owl" | "svg" if is_whole => structure::xml(&text),
        _ => None,
    };
    match found {
        Some(outline) => Some(Excerpt::outline(name, &limited(&outline), bytes)),
        // A settings file that is a little longer than others is not cut in the middle.
        None if bytes <= OUTLINE_BYTES => Excerpt::read(source, name, name, OUTLINE_BYTES),
        None => Excerpt::read(source, name, name, BEGINNING_BYTES),
    }
}

/// The structure of a database or a workbook; `None` if it cannot be read.
fn binary(extension: &str, bytes: &[u8]) -> Option<String> {
    match extension {
        "xlsx" | "xlsm" => spreadsheet::xlsx(bytes),
        "xls" => spreadsheet::xls(bytes),
        "ods" => opendocument::outline(bytes),
        _ => database::outline(bytes),
    }
}

/// An outline, up to the maximum length. If it is longer, it has fewer records: what tables there are matters more.
fn limited(outline: &str) -> String {
    let mut outline = outline.to_owned();
    for rows in (0..ROWS).rev() {
        if outline.len() > OUTLINE_BYTES {
            outline = with_records(&outline, rows);
        }
    }
    if outline.len() <= OUTLINE_BYTES {
        return outline.trim_end().to_owned();
    }
    let shown = &outline[..outline.floor_char_boundary(OUTLINE_BYTES)];
    let shown = shown.rfind('\n').map_or(shown, |end| &shown[..end]);
    format!("{shown}\n…")
}

/// An outline with at most so many records of each list. Lines with records are indented; what is in parentheses counts
/// records.
fn with_records(outline: &str, most: usize) -> String {
    let mut records = 0;
    let mut kept = String::new();
    for line in outline.split_inclusive('\n') {
        records = if line.starts_with("  ") && !line.starts_with("  (") { records + 1 } else { 0 };
        if records <= most {
            kept += line;
        }
    }
    kept
}

/// A value on one line, shortened.
fn value(text: &str) -> String {
    escape(&shorten(&one_line(text), VALUE_CHARS)).into_owned()
}

/// Adds a line to an outline.
fn add_line(outline: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(outline, "{line}");
}

#[cfg(test)]
mod tests;
