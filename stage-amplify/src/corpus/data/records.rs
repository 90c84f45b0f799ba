//! Tables and lists of records in text.

use super::{ROWS, add_line, value};

/// The header, the number of rows and the first rows of a table, if it is one.
pub(super) fn table(bytes: &[u8], delimiter: u8, is_whole: bool) -> Option<String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes);
    let header: Vec<String> = reader.byte_headers().ok()?.iter().map(cell).collect();
    let (mut count, mut shown) = (0, Vec::new());
    for record in reader.byte_records() {
        let Ok(record) = record else { break };
        count += 1;
        if shown.len() < ROWS {
            shown.push(record.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
    }
    let mut outline = String::new();
    let more = if is_whole { "" } else { "more than " };
    add_line(
        &mut outline,
        format_args!("{more}{count} rows, {} columns: {}", header.len(), header.join(" | ")),
    );
    for row in shown {
        add_line(&mut outline, format_args!("  {row}"));
    }
    Some(outline)
}

/// The number of lines and the first lines.
pub(super) fn lines(text: &str, is_whole: bool) -> String {
    let mut outline = String::new();
    let more = if is_whole { "" } else { "more than " };
    add_line(&mut outline, format_args!("{more}{} lines", text.lines().count()));
    for line in text.lines().take(ROWS) {
        let end = line.floor_char_boundary(line.len().min(400));
        add_line(&mut outline, format_args!("  {}", &line[..end]));
    }
    outline
}

fn cell(bytes: &[u8]) -> String {
    value(&String::from_utf8_lossy(bytes))
}
