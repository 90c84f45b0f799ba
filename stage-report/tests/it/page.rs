//! The page as text. How a browser shows it is tested in `tests/browser/`.

use fs_err as fs;
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
fn each_task_has_its_share_of_screenshots_and_its_files() {
    let world = World::with_run();
    let tasks = ["bad", "good"];
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.resize(1 << 20, 7);
    for task in tasks {
        for episode in ["restart", "solution", "untouched", "wrong-a", "wrong-b"] {
            let dir = world.run_dir().join("trials").join(task).join(episode);
            fs::create_dir_all(&dir).unwrap();
            for name in ["start.png", "end.png"] {
                fs::write(dir.join(name), &png).unwrap();
            }
        }
    }
    let page = page(&world, &[]);
    for shot in ["untouched&#x2f;start.png", "solution&#x2f;end.png"] {
        assert_eq!(page.matches(&format!("alt=\"Screenshot {shot}\"")).count(), tasks.len(), "{shot}");
    }
    assert!(page.contains("more screenshots are in <code>trials/good</code>"));
    assert!(!page.contains("The files are left out"), "pictures replace files");
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
    assert!(page.contains("<h4>Since the model&#x27;s answer</h4>"), "{page}");
    assert!(page.contains("<span class=\"del\">    return 1\n"));
}

#[test]
fn what_each_repair_changed_is_shown() {
    let world = World::with_run();
    let files = |number: usize, why: &str| {
        let problems = json!([{"code": "changed_by_repair", "message": why}]);
        json!({"record": "files", "env": ENV, "task": "good", "index": 1, "problems": problems,
            "files": {"verifier.py": format!("def verify():\n    return {number}\n")}})
    };
    world.manifest("files", &[files(1, "")]);
    world.manifest("repairs/good/1", &[files(2, "verifier.py (it returned 1)")]);
    world.manifest("repairs/good/2", &[files(3, "verifier.py (it returned 2)")]);
    let page = page(&world, &[]);
    let places: Vec<usize> = [
        "<h4>Repair 1</h4>",
        "it returned 1",
        "<span class=\"del\">    return 1\n",
        "<span class=\"add\">    return 2\n",
        "<h4>Repair 2</h4>",
        "it returned 2",
        "<span class=\"add\">    return 3\n",
        "<h4>Since the last repair</h4>",
    ]
    .map(|part| page.find(part).unwrap_or_else(|| panic!("{part} is not in {page}")))
    .into();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_task_in_yaml_is_read_as_one_in_json() {
    let world = World::with_run();
    let folder = world.task_dir("good");
    fs_err::remove_file(folder.join("task.json")).unwrap();
    let spec = "id: good@1\ndescription: Post the invoice of the school.\ndifficulty: very_hard\ninit: {max_steps: 77}\n";
    world.write_task_file("good", "task.yaml", spec);
    let figures = world.figures();
    let task = figures["tasks"].as_array().unwrap().iter().find(|task| task["task"] == "good").unwrap();
    assert_eq!(
        (&task["max_steps"], &task["difficulty"]),
        (&json!(77), &json!("hard")),
        "the plan has the last word"
    );
    assert!(page(&world, &[]).contains("<bdi>task.yaml</bdi>"));
}
