//! The sheets of a workbook of Excel.

use std::io::Cursor;

use calamine::{Data, Reader, Xls, Xlsx};

use super::{ROWS, add_line, value};

/// The longest workbook that is read, in bytes. It is compressed, and its texts are held in memory.
const MAX_BYTES: usize = 2 << 20;

/// The maximum number of sheets that are shown.
const SHEETS: usize = 20;

/// The maximum number of columns that are shown.
const COLUMNS: usize = 30;

/// The sheets of an `.xls` with their sizes and first rows; `None` if the workbook cannot be read. The format is not
/// compressed, so that what it takes in memory is limited by its size.
pub(super) fn xls(bytes: &[u8]) -> Option<String> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let mut workbook = Xls::new(Cursor::new(bytes)).ok()?;
    let mut outline = String::new();
    for name in workbook.sheet_names().iter().take(SHEETS) {
        let Ok(range) = workbook.worksheet_range(name) else { continue };
        let (rows, columns) = range.end().unwrap_or_default();
        add_sheet(&mut outline, name, rows, columns);
        let first = range.start().map_or(0, |(row, _)| row);
        for (row, cells) in (first..).zip(range.rows().filter(|cells| !is_empty(cells)).take(ROWS + 1)) {
            let texts: Vec<String> =
                cells.iter().take(COLUMNS).map(|cell| value(&cell.to_string())).collect();
            add_line(&mut outline, format_args!("  row {}: {}", row.saturating_add(1), texts.join(" | ")));
        }
    }
    Some(outline)
}

fn is_empty(cells: &[Data]) -> bool {
    cells.iter().all(|cell| *cell == Data::Empty)
}

fn add_sheet(outline: &mut String, name: &str, last_row: u32, last_column: u32) {
    let (rows, columns) = (last_row.saturating_add(1), last_column.saturating_add(1));
    add_line(outline, format_args!("sheet {}: {rows} rows, {columns} columns", value(name)));
}

/// The sheets of an `.xlsx` with their sizes and first rows; `None` if the workbook cannot be read.
pub(super) fn xlsx(bytes: &[u8]) -> Option<String> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let mut workbook = Xlsx::new(Cursor::new(bytes)).ok()?;
    let names = workbook.sheet_names();
    let mut outline = String::new();
    for name in names.iter().take(SHEETS) {
        if let Some(sheet) = sheet(&mut workbook, name) {
            outline += &sheet;
        }
    }
    Some(outline)
}

/// Reads cells one by one. A sheet as a whole would take memory for every cell of the rectangle that it spans.
fn sheet(workbook: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Option<String> {
    let mut cells = workbook.worksheet_cells_reader(name).ok()?;
    let (rows, columns) = cells.dimensions().end;
    let mut outline = String::new();
    add_sheet(&mut outline, name, rows, columns);
    let mut shown: Vec<(u32, Vec<String>)> = Vec::new();
    while let Ok(Some(cell)) = cells.next_cell() {
        let (row, column) = cell.get_position();
        if shown.last().is_none_or(|(last, _)| *last != row) {
            // The header, and the rows below it.
            if shown.len() > ROWS {
                break;
            }
            shown.push((row, Vec::new()));
        }
        let column = column as usize;
        if let Some((_, texts)) = shown.last_mut().filter(|_| column < COLUMNS) {
            // Cells without content are not stored. They keep their place, so that a value stands below its heading.
            texts.resize(texts.len().max(column), String::new());
            texts.push(value(&Data::from(cell.get_value().clone()).to_string()));
        }
    }
    for (row, texts) in shown {
        add_line(&mut outline, format_args!("  row {}: {}", row.saturating_add(1), texts.join(" | ")));
    }
    Some(outline)
}
