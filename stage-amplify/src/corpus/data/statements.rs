//! Dumps of databases: the tables that SQL statements create and fill.

use common::text::shorten;
use memchr::memmem;

use super::{ROWS, add_line, value};

/// The minimum number of rows of a dump. A script with fewer is a program rather than data.
const DUMP_ROWS: usize = 20;

/// The maximum length of a row in an outline, in characters.
const ROW_CHARS: usize = 240;

/// The maximum number of tables that are remembered.
const MAX_TABLES: usize = 500;

/// Words at which a part of a table's definition is not a column.
const NOT_COLUMNS: [&str; 10] =
    ["primary", "key", "constraint", "unique", "foreign", "index", "check", "fulltext", "spatial", "exclude"];

/// A table that statements create or fill.
#[derive(Default)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: usize,
    first: Vec<String>,
}

/// The tables of a dump with their columns, the number of their rows and the first rows. None if the statements insert
/// only a few rows.
pub(super) fn outline(text: &str) -> Option<String> {
    let mut tables: Vec<Table> = Vec::new();
    let mut rest = text;
    while let Some((statement, after)) = next_statement(rest) {
        rest = read(statement, after, &mut tables);
    }
    let rows: usize = tables.iter().map(|table| table.rows).sum();
    if rows < DUMP_ROWS {
        return None;
    }
    let mut outline = String::new();
    for table in tables {
        let Table { name, columns, rows, first } = table;
        add_line(&mut outline, format_args!("{name}: {rows} rows ({})", columns.join(", ")));
        for row in first {
            add_line(&mut outline, format_args!("  {row}"));
        }
    }
    Some(outline)
}

/// Adds what a statement says of a table. Returns what follows it: the rows of a `COPY` are not statements.
fn read<'a>(statement: &str, after: &'a str, tables: &mut Vec<Table>) -> &'a str {
    let statement = without_comments(statement);
    let words: Vec<String> = statement.split_whitespace().take(8).map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (keyword, has_rows) = match words.as_slice() {
        ["create", rest @ ..] if rest.iter().take(3).any(|word| *word == "table") => ("table", false),
        ["insert" | "replace", rest @ ..] if rest.iter().take(3).any(|word| *word == "into") => {
            ("into", true)
        }
        ["copy", ..] if statement.to_lowercase().contains("from stdin") => ("copy", true),
        _ => return after,
    };
    let Some(table) = named(statement, keyword, tables) else { return after };
    if keyword == "copy" {
        return copied(table, after);
    }
    if has_rows {
        for row in parenthesized(inserted(statement)) {
            table.add(|| parts(row).iter().map(|part| value(unquoted(part))).collect());
        }
    }
    after
}

/// The lists of values of an `INSERT`, without what it says of conflicts.
fn inserted(statement: &str) -> &str {
    let lower = statement.to_ascii_lowercase();
    let Some(start) = lower.find("values") else { return "" };
    let ends = ["on duplicate key", "on conflict"].iter().filter_map(|words| lower.rfind(words));
    let end = ends.filter(|&end| end > start).min().unwrap_or(statement.len());
    statement.get(start..end).unwrap_or_default()
}

/// The table that a statement names after `keyword`, with the columns that it lists.
fn named<'a>(statement: &str, keyword: &str, tables: &'a mut Vec<Table>) -> Option<&'a mut Table> {
    let at = statement.to_ascii_lowercase().find(keyword)? + keyword.len();
    let mut rest = statement.get(at..)?.trim_start();
    for word in ["if not exists", "if exists", "only"] {
        if rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) {
            rest = rest[word.len()..].trim_start();
        }
    }
    let end = rest.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(rest.len());
    let name = value(&rest[..end].replace(['`', '"', '[', ']'], ""));
    let list = rest[end..].trim_start();
    let columns = if list.starts_with('(') { parenthesized(list).next().map(columns) } else { None };
    let index = match tables.iter().position(|table| table.name == name) {
        Some(index) => index,
        None if name.is_empty() || tables.len() == MAX_TABLES => return None,
        None => {
            tables.push(Table { name, ..Table::default() });
            tables.len() - 1
        }
    };
    let table = tables.get_mut(index)?;
    if table.columns.is_empty() {
        table.columns = columns.unwrap_or_default();
    }
    Some(table)
}

impl Table {
    /// Counts a row, and remembers it if it is one of the first.
    fn add(&mut self, cells: impl FnOnce() -> Vec<String>) {
        self.rows += 1;
        if self.first.len() < ROWS {
            self.first.push(shorten(&cells().join(" | "), ROW_CHARS).into_owned());
        }
    }
}

/// Reads the rows that follow a `COPY` of PostgreSQL. Returns what follows them.
fn copied<'a>(table: &mut Table, after: &'a str) -> &'a str {
    let mut rest = after.trim_start_matches(['\r', '\n']);
    while !rest.is_empty() {
        let (line, next) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = next;
        if line.trim_end() == "\\." {
            break;
        }
        table.add(|| line.trim_end().split('\t').map(value).collect());
    }
    rest
}

/// The names of the columns in a list.
fn columns(list: &str) -> Vec<String> {
    let names = parts(list).into_iter().filter_map(|part| {
        let name = without_comments(part).split_whitespace().next()?.replace(['`', '"', '[', ']'], "");
        (!NOT_COLUMNS.contains(&name.to_lowercase().as_str())).then(|| value(&name))
    });
    names.collect()
}

/// The first statement of a text, without its semicolon, and what follows it.
fn next_statement(text: &str) -> Option<(&str, &str)> {
    if text.trim().is_empty() {
        return None;
    }
    let end = Marks::of(text).find(|&(_, mark)| mark == b';').map_or(text.len(), |(at, _)| at);
    Some((&text[..end], text.get(end + 1..).unwrap_or_default()))
}

/// A statement without the comments in front of it.
fn without_comments(statement: &str) -> &str {
    let mut rest = statement.trim_start();
    loop {
        let comment = if rest.starts_with("--") || rest.starts_with('#') {
            rest.find('\n').map_or(rest.len(), |end| end + 1)
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            return rest;
        };
        rest = rest[comment..].trim_start();
    }
}

/// The contents of the parentheses of a text that are not inside others.
fn parenthesized(text: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut start) = (0_usize, 0);
    Marks::of(text).filter_map(move |(at, mark)| {
        match mark {
            b'(' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return text.get(start..at);
                }
            }
            _ => {}
        }
        None
    })
}

/// The parts of a list, which commas outside parentheses separate.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, mark) in Marks::of(list) {
        match mark {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts
}

fn unquoted(part: &str) -> &str {
    part.strip_prefix('\'').and_then(|part| part.strip_suffix('\'')).unwrap_or(part)
}

/// The positions of parentheses, commas and semicolons outside texts, names and comments.
struct Marks<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Marks<'a> {
    fn of(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    /// Goes behind the first `end` from `from` on, or to the end of the text.
    fn skip_to(&mut self, from: usize, end: &[u8]) {
        let found = self.bytes.get(from..).and_then(|rest| memmem::find(rest, end));
        self.at = found.map_or(self.bytes.len(), |at| from + at + end.len());
    }

    /// Goes behind the quoted text that begins here. A doubled quote ends it and begins another one.
    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == b'\\' {
                self.at += 1;
            } else if byte == quote {
                return;
            }
        }
    }
}

impl Iterator for Marks<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(&byte) = self.bytes.get(self.at) {
            let at = self.at;
            match (byte, self.bytes.get(at + 1)) {
                (b'\'' | b'"' | b'`', _) => self.skip_quoted(byte),
                (b'-', Some(b'-')) => self.skip_to(at, b"\n"),
                (b'/', Some(b'*')) => self.skip_to(at + 2, b"*/"),
                (b'(' | b')' | b',' | b';', _) => {
                    self.at += 1;
                    return Some((at, byte));
                }
                _ => self.at += 1,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dump_is_shown_as_its_tables() {
        let mut dump = String::from(
            "-- Dump; of a shop\nCREATE TABLE IF NOT EXISTS `items` (\n  `id` INT(11) NOT NULL,\n  name VARCHAR(9) \
             DEFAULT 'a,b', -- ;\n  PRIMARY KEY (`id`)\n);\nINSERT INTO `items` VALUES (1,'It''s; (a) \\'b\\''),(2,NULL);\n",
        );
        dump.extend((0..30).map(|n| {
            format!("INSERT INTO orders (id, item) VALUES ({n}, (SELECT 1)) ON CONFLICT (id) DO NOTHING;\n")
        }));
        dump += "COPY public.log (id, text) FROM stdin;\n1\ta b\n2\t;\n\\.\nSELECT 1;\n";
        let expected = "items: 2 rows (id, name)\n  1 | It''s; (a) \\'b\\'\n  2 | NULL\n\
                        orders: 30 rows (id, item)\n  0 | (SELECT 1)\n  1 | (SELECT 1)\n  2 | (SELECT 1)\n\
                        public.log: 2 rows (id, text)\n  1 | a b\n  2 | ;\n";
        assert_eq!(outline(&dump).as_deref(), Some(expected));
    }

    #[test]
    fn a_script_with_few_rows_is_no_dump() {
        assert_eq!(outline("CREATE TABLE a (x INT); INSERT INTO a VALUES (1);"), None);
        assert_eq!(outline(""), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(create table|insert into|copy|values|from stdin|['\"`();,\\\\\n äa-]){0,40}") {
            drop(outline(&text.repeat(3)));
        }
    }
}
