//! The sheets of an OpenDocument spreadsheet.
//!
//! calamine holds every cell of a sheet in memory, as often as it is repeated: a small file may take any amount. So its
//! XML is read here, up to a limit, and only the first rows are kept.

use std::io::{BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::{ROWS, add_line, value};

/// The longest content that is read, uncompressed, in bytes.
const MAX_BYTES: u64 = 32 << 20;

/// The maximum number of sheets that are shown.
const SHEETS: usize = 20;

/// The maximum number of columns that are shown.
const COLUMNS: usize = 30;

/// The sheets with their first rows; `None` if the file cannot be read.
pub(super) fn outline(bytes: &[u8]) -> Option<String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let content = archive.by_name("content.xml").ok()?;
    let mut reader = Reader::from_reader(BufReader::new(content.take(MAX_BYTES)));
    let (mut sheets, mut buffer) = (Sheets::default(), Vec::new());
    loop {
        match reader.read_event_into(&mut buffer).ok()? {
            Event::Start(element) => sheets.start(&element),
            Event::Empty(element) => {
                sheets.start(&element);
                sheets.end(element.name().as_ref());
            }
            Event::End(element) => sheets.end(element.name().as_ref()),
            Event::Text(text) => sheets.text(&String::from_utf8_lossy(text.as_ref().as_bytes())),
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    Some(sheets.outline)
}

/// What was read so far.
#[derive(Default)]
struct Sheets {
    outline: String,
    /// The number of sheets.
    count: usize,
    /// The number of rows of this sheet that hold something.
    rows: usize,
    /// The cells of this row.
    cells: Vec<String>,
    /// How often this cell is repeated.
    repeated: usize,
}

impl Sheets {
    fn start(&mut self, element: &BytesStart<'_>) {
        match element.name().as_ref() {
            "table:table" => {
                self.count += 1;
                self.rows = 0;
                let name = attribute(element, "table:name").unwrap_or_default();
                if self.count <= SHEETS {
                    add_line(&mut self.outline, format_args!("sheet {}:", value(&name)));
                }
            }
            "table:table-row" => self.cells.clear(),
            "table:table-cell" | "table:covered-table-cell" => {
                let repeated = attribute(element, "table:number-columns-repeated");
                self.repeated = repeated.and_then(|number| number.parse().ok()).unwrap_or(1);
                self.cells.push(String::new());
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(cell) = self.cells.last_mut().filter(|cell| cell.len() < 200) {
            *cell += text;
        }
    }

    fn end(&mut self, element: &str) {
        match element {
            "table:table-cell" | "table:covered-table-cell" => {
                let cell = self.cells.last().cloned().unwrap_or_default();
                // Columns that are not shown are forgotten: there may be any number of them.
                let width = self.cells.len().saturating_add(self.repeated.saturating_sub(1)).min(COLUMNS);
                self.cells.resize(width, cell);
            }
            "table:table-row" if self.cells.iter().any(|cell| !cell.is_empty()) => self.end_row(),
            "table:table" if self.count <= SHEETS => {
                let rows = self.rows;
                add_line(&mut self.outline, format_args!("  ({rows} rows with content)"));
            }
            _ => {}
        }
    }

    fn end_row(&mut self) {
        self.rows += 1;
        // The header, and the rows below it.
        if self.rows <= ROWS + 1 && self.count <= SHEETS {
            let width = self.cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
            let cells: Vec<String> = self.cells.iter().take(width).map(|cell| value(cell)).collect();
            add_line(&mut self.outline, format_args!("  {}", cells.join(" | ")));
        }
        self.cells.clear();
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.attributes().filter_map(Result::ok).find(|one| one.key.as_ref() == name)?;
    Some(attribute.value.to_string())
}
