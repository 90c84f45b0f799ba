//! The tables of an SQLite database.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB};

use super::geometry::geometry;
use super::{ROWS, add_line, value};

/// The maximum number of tables whose columns are shown.
const TABLES: usize = 40;

/// Beginnings of names of tables that only SQLite or the GeoPackage format needs.
const INTERNAL: [&str; 3] = ["sqlite_", "gpkg_", "rtree_"];

/// The tables with their columns, numbers of rows and first rows; `None` if it is not a database that can be read.
pub(super) fn outline(bytes: &[u8]) -> Option<String> {
    let database = open(bytes).ok()?;
    let names = tables(&database).ok()?;
    let mut outline = String::new();
    for name in names.iter().take(TABLES) {
        // A damaged table does not keep the others from being shown.
        if let Ok(table) = table(&database, name) {
            outline += &table;
        }
    }
    if names.len() > TABLES {
        add_line(&mut outline, format_args!("and {} more tables", names.len() - TABLES));
    }
    Some(outline)
}

/// A read-only copy in memory. The file itself is not opened: SQLite would look for a journal beside it.
fn open(bytes: &[u8]) -> rusqlite::Result<Connection> {
    let mut copy = bytes.to_vec();
    // A database in WAL mode cannot be opened in memory. Without its journal, both modes read alike.
    if let Some(modes) = copy.get_mut(18..20) {
        modes.fill(1);
    }
    let mut database = Connection::open_in_memory()?;
    database.deserialize_read_exact(MAIN_DB, copy.as_slice(), copy.len(), true)?;
    database.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")?;
    Ok(database)
}

/// Names of the tables that hold data, in the order of their creation.
fn tables(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = database.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid",
    )?;
    let names: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(names.into_iter().filter(|name| !INTERNAL.iter().any(|start| name.starts_with(start))).collect())
}

fn table(database: &Connection, name: &str) -> rusqlite::Result<String> {
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let count: i64 = database.query_row(&format!("SELECT count(*) FROM {quoted}"), [], |row| row.get(0))?;
    let mut query = database.prepare("SELECT name, type FROM pragma_table_info(?1)")?;
    let columns: Vec<String> = query
        .query_map([name], |row| Ok(format!("{} {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut outline = String::new();
    add_line(&mut outline, format_args!("{}: {count} rows ({})", value(name), value_list(&columns)));
    let mut query = database.prepare(&format!("SELECT * FROM {quoted} LIMIT {ROWS}"))?;
    let width = query.column_count();
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let cells: Vec<String> =
            (0..width).map(|column| row.get_ref(column).map(cell)).collect::<rusqlite::Result<_>>()?;
        add_line(&mut outline, format_args!("  {}", cells.join(" | ")));
    }
    Ok(outline)
}

fn value_list(columns: &[String]) -> String {
    columns.iter().map(|column| value(column)).collect::<Vec<_>>().join(", ")
}

fn cell(content: ValueRef<'_>) -> String {
    match content {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => value(&String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => geometry(bytes).unwrap_or_else(|| format!("({} bytes)", bytes.len())),
    }
}
