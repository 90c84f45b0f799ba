//! The page as text. How a browser shows it is tested in `tests/browser/`.

use serde_json::json;
use testkit::ENV;

use crate::world::{World, verdict};

/// Writes the page of the run and returns it.
fn page(world: &World, arguments: &[&str]) -> String {
    let ran = world.report(arguments);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.is_empty() && ran.stderr.contains("report.html"), "{ran:?}");
    world.read(world.run_dir().join("report.html"))
}

#[test]
fn the_page_is_byte_identical_twice() {
    let world = World::with_run();
    assert_eq!(page(&world, &[]), page(&world, &[]));
}

#[test]
fn a_task_opens_to_its_files_with_issues_at_their_line() {
    let world = World::with_run();
    world.write_task_file("bad", "task.json", "{\n  \"difficulty\": }\n");
    world.write_task_file("bad", "README.md", "# Heading of the README\n");
    let issue = json!([{"code": "parse_error", "severity": "error", "message": "line 2: no value",
        "path": format!("{}/tasks/bad/task.json", testkit::ENV_DIR)}]);
    world.manifest("verdicts", &[verdict("bad", &issue)]);
    let page = page(&world, &[]);
    assert!(page.contains("<h4>Heading of the README</h4>"), "the README is rendered");
    assert!(page.contains("class=\"l noted\"") && page.contains("<span class=\"at\">parse_error: line 2"));
    let without = self::page(&world, &["--no-files"]);
    assert!(!without.contains("Heading of the README") && without.contains("parse_error"));
}

#[test]
fn no_text_of_a_model_is_markup() {
    let world = World::with_run();
    let hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\u{1b}[2J";
    world.write_task_file("bad", "README.md", hostile);
    world.write_task_file("bad", "<b>.py", &format!("# {hostile}\n'''{hostile}"));
    let issue = json!([{"code": hostile, "severity": "error", "message": hostile, "path": hostile}]);
    world.manifest("verdicts", &[verdict("bad", &issue)]);
    let plan = json!({"record": "plan", "env": ENV, "task": "bad", "title": hostile, "occupation": hostile,
        "activity": hostile, "archetype": hostile, "features": [hostile], "difficulty": hostile});
    world.manifest("plan", &[plan]);
    let page = page(&world, &[]);
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("<b>.py"));
    assert!(!page.contains(['\u{202e}', '\u{1b}']), "no character of it is invisible");
    // The data, the three tasks and the page's own.
    assert_eq!(page.matches("</script").count(), 5);
}

#[test]
fn an_empty_run_has_a_page_that_says_what_is_missing() {
    let page = page(&World::new(), &[]);
    assert!(page.contains("verdicts.jsonl is missing") && page.contains("run.json cannot be read"), "{page}");
}

#[test]
fn a_change_since_the_answer_is_shown() {
    let world = World::with_run();
    let files = json!({"record": "files", "env": ENV, "task": "good", "index": 1,
        "files": {"verifier.py": "def verify():\n    return 1\n"}});
    world.manifest("files", &[files]);
    let page = page(&world, &[]);
    assert!(page.contains("Changed since the model"), "{page}");
    assert!(page.contains("<span class=\"del\">    return 1\n"));
}
