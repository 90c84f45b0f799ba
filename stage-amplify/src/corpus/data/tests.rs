use common::environment::Environment;
use fs_err as fs;
use rusqlite::{Connection, MAIN_DB};

use super::*;

/// The outline of a file with this content.
fn outlined(name: &str, content: &[u8]) -> Option<String> {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("env.json"), "{}").unwrap();
    fs::write(root.path().join(name), content).unwrap();
    let environment = Environment::open(root.path()).unwrap();
    outline(&Source::of(&environment, &[]), name).map(|excerpt| excerpt.text)
}

fn database(statements: &str) -> Vec<u8> {
    let mut database = Connection::open_in_memory().unwrap();
    database.execute_batch(statements).unwrap();
    database.serialize(MAIN_DB).unwrap().to_vec()
}

#[test]
fn a_database_is_shown_by_its_tables() {
    let mut bytes = database(
        "CREATE TABLE gpkg_contents (x); CREATE TABLE \"odd \"\"name\" (id INTEGER, name TEXT, geom BLOB);
         INSERT INTO \"odd \"\"name\" VALUES (1, 'Elm\nStreet', x'0102'), (2, NULL, NULL), (3, 'c', NULL), (4, 'd', NULL)",
    );
    let expected = "odd \"name: 4 rows (id INTEGER, name TEXT, geom BLOB)\n  1 | Elm Street | (2 bytes)\n  2 | NULL | NULL\n  \
                    3 | c | NULL";
    assert_eq!(outlined("survey.gpkg", &bytes).as_deref(), Some(expected));
    // As a database in WAL mode begins.
    bytes[18..20].fill(2);
    assert_eq!(outlined("survey.db", &bytes).as_deref(), Some(expected));
}

#[test]
fn a_database_with_many_tables_is_shown_with_fewer_records() {
    let tables: Vec<String> = (0..30)
        .map(|n| format!("CREATE TABLE table_{n} (id INTEGER, description TEXT); INSERT INTO table_{n} VALUES (1, '{0}'), (2, '{0}');", "x".repeat(30)))
        .collect();
    let shown = outlined("many.db", &database(&tables.concat())).unwrap();
    assert!(shown.contains("table_29: 2 rows (id INTEGER, description TEXT)\n  1 | x"), "{shown}");
    assert!(!shown.contains("  2 | x"), "{shown}");
}

#[test]
fn a_damaged_database_is_only_named() {
    let mut bytes = database("CREATE TABLE a (b); INSERT INTO a VALUES (1)");
    bytes.truncate(600);
    assert_eq!(outlined("a.db", &bytes), None);
    let mut bytes = database("CREATE TABLE a (b); INSERT INTO a VALUES (1)");
    bytes[100..].fill(0xff);
    assert_eq!(outlined("a.db", &bytes), None);
}

#[test]
fn tables_are_shown_by_their_header_and_first_rows() {
    let rows: Vec<String> = (0..200).map(|n| format!("{n},name {n},\"a, b\"\n")).collect();
    let expected = "200 rows, 3 columns: id | name | note\n  0 | name 0 | a, b\n  1 | name 1 | a, b\n  2 | name 2 | a, b";
    assert_eq!(
        outlined("a.csv", format!("id,name,note\n{}", rows.concat()).as_bytes()).as_deref(),
        Some(expected)
    );
    assert_eq!(outlined("a.csv", b"id\n1\n").as_deref(), Some("id\n1"));
}

#[test]
fn documents_are_shown_by_their_keys() {
    let items: Vec<String> = (0..100).map(|n| format!(r#"{{"id": {n}, "tags": ["a"]}}"#)).collect();
    let json = format!(r#"{{"name": "x", "items": [{}]}}"#, items.join(", "));
    let expected = ".name = \"x\"\n.items[]: 100 items\n.items[].id = 0\n.items[].tags[]: 1 items";
    assert_eq!(outlined("a.json", json.as_bytes()).as_deref(), Some(expected));
    let xml = format!("<net>{}</net>", "<edge id='1'><lane speed='2'/></edge>".repeat(100));
    let expected = "net: 1\nnet/edge: 100 @id\nnet/edge/lane: 100 @speed";
    assert_eq!(outlined("a.xml", xml.as_bytes()).as_deref(), Some(expected));
    let broken = format!("<net>{}", "<a></b>".repeat(400));
    assert!(outlined("a.xml", broken.as_bytes()).unwrap().starts_with("<net>"));
}

#[test]
fn a_text_of_unknown_structure_is_cut_only_if_it_is_long() {
    let settings = |lines: usize| "services: web\n".repeat(lines);
    assert_eq!(outlined("compose.yml", settings(200).as_bytes()).as_deref(), Some(settings(200).trim_end()));
    let cut = outlined("compose.yml", settings(300).as_bytes()).unwrap();
    assert!(cut.len() <= BEGINNING_BYTES && cut.ends_with("services: web"), "{cut}");
}

#[test]
fn other_files_are_text_or_named() {
    assert_eq!(outlined("NOTES", b"text\n").as_deref(), Some("text"));
    assert_eq!(outlined("photo.png", b"\x89PNG\0"), None);
    assert_eq!(outlined("a.xlsx", b"PK\x03\x04 not a workbook"), None);
}

#[test]
fn a_spreadsheet_is_shown_by_its_sheets() {
    let row = |cells: &[&str]| {
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| format!("<table:table-cell><text:p>{cell}</text:p></table:table-cell>"))
            .collect();
        format!("<table:table-row>{}</table:table-row>", cells.concat())
    };
    let empty =
        "<table:table-row table:number-rows-repeated=\"1048000\"><table:table-cell/></table:table-row>";
    let rows: String = (0..9).map(|n| row(&[&n.to_string(), "Elm Street"])).collect();
    let content = format!(
        "<office:document-content><table:table table:name=\"Trees\">{}{rows}{empty}</table:table></office:document-content>",
        row(&["id", "place"])
    );
    let bytes = archive(&[("content.xml", &content)]);
    let expected = "sheet Trees:\n  id | place\n  0 | Elm Street\n  1 | Elm Street\n  2 | Elm Street\n  (10 rows with content)";
    assert_eq!(outlined("a.ods", &bytes).as_deref(), Some(expected));
    assert_eq!(outlined("a.ods", b"PK\x03\x04 not a workbook"), None);
    assert_eq!(outlined("a.xls", b"\xd0\xcf\x11\xe0 not a workbook"), None);
}

/// A ZIP archive with these files.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn cells_of_a_spreadsheet_stand_below_their_headings() {
    let cell = |text: &str| format!("<table:table-cell><text:p>{text}</text:p></table:table-cell>");
    let gap = "<table:table-cell table:number-columns-repeated=\"2\"/>";
    let end = "<table:table-cell table:number-columns-repeated=\"16380\"/>";
    let twice = "<table:table-cell table:number-columns-repeated=\"2\"><text:p>x</text:p></table:table-cell>";
    let rows = [
        ["a", "b", "c", "d"].map(cell).concat(),
        format!("{}{gap}{}{end}", cell("1"), cell("4")),
        format!("<table:covered-table-cell/>{twice}{end}"),
    ];
    let rows =
        format!("<table:table-row>{}</table:table-row>", rows.join("</table:table-row><table:table-row>"));
    let bytes =
        archive(&[("content.xml", &format!("<d><table:table table:name=\"S\">{rows}</table:table></d>"))]);
    let expected = "sheet S:\n  a | b | c | d\n  1 |  |  | 4\n   | x | x\n  (3 rows with content)";
    assert_eq!(outlined("a.ods", &bytes).as_deref(), Some(expected));
}

#[test]
fn cells_of_a_workbook_stand_below_their_headings() {
    let cell =
        |place: &str, text: &str| format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let rows = [
        (1, vec![cell("A1", "id"), cell("B1", "due"), cell("C1", "paid")]),
        (2, vec![cell("A2", "7"), cell("C2", "yes")]),
        (4, vec![cell("B4", "May")]),
    ];
    let rows: Vec<String> =
        rows.iter().map(|(row, cells)| format!("<row r=\"{row}\">{}</row>", cells.concat())).collect();
    let rows = rows.concat();
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let workbook = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"{types}\"><sheets><sheet name=\"Dues\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
    );
    let relation = |kind: &str, target: &str| {
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" \
             Type=\"{types}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let sheet = format!(
        "<worksheet xmlns=\"{main}\"><dimension ref=\"A1:C4\"/><sheetData>{rows}</sheetData></worksheet>"
    );
    let bytes = archive(&[
        ("xl/workbook.xml", &workbook),
        ("_rels/.rels", &relation("officeDocument", "xl/workbook.xml")),
        ("xl/_rels/workbook.xml.rels", &relation("worksheet", "worksheets/sheet1.xml")),
        ("xl/worksheets/sheet1.xml", &sheet),
    ]);
    let expected =
        "sheet Dues: 4 rows, 3 columns\n  row 1: id | due | paid\n  row 2: 7 |  | yes\n  row 4:  | May";
    assert_eq!(outlined("a.xlsx", &bytes).as_deref(), Some(expected));
}
