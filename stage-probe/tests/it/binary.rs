//! Fixtures with files that are not text: databases from SQL statements, archives from their entries.

use serde_json::{Value, json};

use crate::world::World;

/// Passes if the database in the environment has the row that the task asks for.
const OPENS_DATABASE: &str = "
import os, sqlite3, tempfile

def verify(traj, env_info, task_info):
    handle, path = tempfile.mkstemp()
    os.close(handle)
    try:
        env_info['copy_from_env']('/sdcard/one_data', path)
        connection = sqlite3.connect(path)
        rows = connection.execute('SELECT grade FROM plots ORDER BY id').fetchall()
    except Exception as error:
        return {'passed': False, 'score': 0, 'feedback': str(error)}
    done = sum(row == ('A',) for row in rows)
    return {'passed': done == 2, 'score': done * 50, 'feedback': str(rows)}
";

/// Passes if the first sheet of a spreadsheet says so.
const OPENS_ARCHIVE: &str = "
import os, tempfile, zipfile

def verify(traj, env_info, task_info):
    handle, path = tempfile.mkstemp()
    os.close(handle)
    try:
        env_info['copy_from_env']('C:\\\\tmp\\\\book.xlsx', path)
        with zipfile.ZipFile(path) as book:
            text = book.read('xl/worksheets/sheet1.xml').decode()
    except Exception as error:
        return {'passed': False, 'score': 0, 'feedback': str(error)}
    return {'passed': 'done' in text, 'score': 100 if 'done' in text else 0, 'feedback': text}
";

fn database(statements: &str) -> Value {
    json!({ "sqlite": { "/sdcard/one_data": statements } })
}

fn probe(verifier: &str, fixtures: &Value) -> Value {
    let world = World::new();
    world.task("one", verifier);
    world.write_task_file("one", "fixtures.json", &fixtures.to_string());
    world.probe_one(&["--repeat", "1"])
}

fn outcome(record: &Value, name: &str) -> String {
    let states = record["states"].as_array().unwrap();
    let state = states.iter().find(|state| state["state"] == name);
    state.map(|state| state["outcome"].to_string()).unwrap_or_default()
}

#[test]
fn a_database_is_built_from_its_statements() {
    let plots = "CREATE TABLE plots (id INTEGER PRIMARY KEY, grade TEXT);";
    let record = probe(
        OPENS_DATABASE,
        &json!({
            "golden": [database(&format!("{plots} INSERT INTO plots (grade) VALUES ('A'), ('A');"))],
            "partial": [database(&format!("{plots} INSERT INTO plots (grade) VALUES ('A'), ('B');"))],
            "untouched": [database(&format!("{plots} INSERT INTO plots (grade) VALUES ('B'), ('B');"))],
        }),
    );
    assert_eq!(record["ok"], json!(true), "{record:#}");
    assert_eq!(outcome(&record, "golden"), "\"pass\"", "{record:#}");
}

#[test]
fn an_archive_is_built_from_its_entries() {
    let book = |text: &str| json!({ "zip": { "C:\\tmp\\book.xlsx": { "xl/worksheets/sheet1.xml": text } } });
    let record =
        probe(OPENS_ARCHIVE, &json!({ "golden": [book("<c>done</c>")], "untouched": [book("<c>open</c>")] }));
    assert_eq!(record["ok"], json!(true), "{record:#}");
    assert_eq!(outcome(&record, "golden"), "\"pass\"", "{record:#}");
}

#[test]
fn statements_that_build_no_database_leave_the_state_unjudged() {
    for statements in [
        "CREATE TABLE",
        "ATTACH '/tmp/other.db' AS other; CREATE TABLE other.t (x);",
        "VACUUM INTO '/tmp/other.db'",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n;",
        "CREATE TABLE t (x); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 99999) \
         INSERT INTO t SELECT zeroblob(5000) FROM n;",
        "PRAGMA max_page_count = 999999; CREATE TABLE t (x);",
    ] {
        let record = probe(OPENS_DATABASE, &json!({ "golden": [database(statements)] }));
        let issues = record["issues"].to_string();
        assert!(issues.contains("\"unjudged\""), "{statements}: {record:#}");
        assert_eq!(record["ok"], json!(false), "{statements}: {record:#}");
    }
}
