//! Answers as models write them, and the files in them.

use std::fmt::Write;

use super::{ParsedAnswer, parse, rejects};
use common::environment::TaskName;
use common::record::Problem;
use common::record::StopReason;
use task_spec::files::{MAX_FILE_BYTES, MAX_FILES};

/// The result of parsing, as text: each file with its quoted content, then the codes of the problems, with `!` for
/// those that reject the answer.
fn show(answer: &ParsedAnswer) -> String {
    let mut shown = String::new();
    for (name, content) in &answer.files {
        writeln!(shown, "{name} {content:?}").unwrap();
    }
    for problem in &answer.problems {
        writeln!(shown, "{}", code(problem)).unwrap();
    }
    shown
}

fn code(problem: &Problem) -> String {
    format!("{}{}", if rejects(problem) { "!" } else { "" }, problem.code)
}

fn check(answer: &str, expect: &str) {
    let lines: Vec<&str> = expect.lines().map(str::trim).collect();
    assert_eq!(
        show(&parse(answer, StopReason::End)).lines().collect::<Vec<_>>(),
        lines,
        "of this answer:\n{answer}"
    );
}

const TASK: &str = r#"task.json "{\"id\": 1}\n""#;

#[test]
fn a_name_is_found_wherever_it_is_given() {
    for answer in [
        "```task.json\n{\"id\": 1}\n```\n",
        "```json task.json\n{\"id\": 1}\n```\n",
        "```json title=\"task.json\"\n{\"id\": 1}\n```\n",
        "```json:task.json\n{\"id\": 1}\n```\n",
        "~~~~ tasks/x/task.json\n{\"id\": 1}\n~~~~~\n",
        "### task.json\n```json\n{\"id\": 1}\n```\n",
        "**`tasks/my_task/task.json`**\n\n```json\n{\"id\": 1}\n```\n",
        "1. task.json:\n   ```json\n   {\"id\": 1}\n   ```\n",
        "- task.json\n\n  ```json\n  {\"id\": 1}\n  ```\n",
        "Here is the spec, `task.json`:\n```json\n{\"id\": 1}\n```\nDone.\n",
        "```json\ntask.json\n{\"id\": 1}\n```\n",
        "```json\n\"task.json\"\n{\"id\": 1}\n```\n",
        "```json\n// task.json\n{\"id\": 1}\n```\n",
        "```\n# File: task.json\n{\"id\": 1}\n```\n",
        "```task.json\ntask.json\n{\"id\": 1}\n```\n",
        "\u{feff}```task.json\r\n{\"id\": 1}\r\n```\r\n",
        "```task.json\n\u{feff}{\"id\": 1}\n\n\n```",
        "{\"task.json\": \"{\\\"id\\\": 1}\"}",
        "Sure:\n{\"files\": [{\"path\": \"x/task.json\", \"content\": \"{\\\"id\\\": 1}\"}]}\nDone.",
        "```json\n{\"files\": {\"task.json\": \"{\\\"id\\\": 1}\"}}\n```\n",
        "````\n```task.json\n{\"id\": 1}\n```\n````\n",
        "```markdown\n```task.json\n{\"id\": 1}\n```\n```\n",
        "```markdown\n# All of it\n\n**task.json**\n```json\n{\"id\": 1}\n```\n```\n",
    ] {
        check(answer, TASK);
    }
}

#[test]
fn a_comment_with_the_name_stays_unless_a_first_line_must_come_before_it() {
    check("```python\n# verifier.py\nx = 1\n```\n", r##"verifier.py "# verifier.py\nx = 1\n""##);
    check("```bash\n# setup_task.sh\n#!/bin/bash\n```\n", r##"setup_task.sh "#!/bin/bash\n""##);
    check("```markdown\n<!-- README.md -->\n# T\n```\n", r##"README.md "# T\n""##);
    check("```markdown\n# README.md\ntext\n```\n", r##"README.md "# README.md\ntext\n""##);
}

#[test]
fn a_name_that_does_not_fit_the_language_is_ignored() {
    check("The `verifier.py` is run like this:\n```bash\npython3 verifier.py\n```\n", "!no_files");
    check(
        "### task.json\n```python\ndef verify_x(): pass\n```\n",
        "verifier.py \"def verify_x(): pass\\n\"\nrecognised",
    );
}

#[test]
fn a_fence_inside_a_content_does_not_end_it() {
    let python = "x = '''\n```\n'''\n";
    check(&format!("```verifier.py\n{python}```\n"), &format!("verifier.py {python:?}"));
    let shell = "cat > n.md <<'EOF'\n```bash\nls\n```\nEOF\necho '\n```\n'\n";
    check(&format!("**setup_task.sh**\n```bash\n{shell}```\nBye\n"), &format!("setup_task.sh {shell:?}"));
    let json = "{\"description\": \"a\\n```\\nb\"}\n";
    check(&format!("```task.json\n{json}```\n"), &format!("task.json {json:?}"));
    let readme = "# T\n\n```bash\nls\n```\n\n```\ntree\n```\nend\n";
    check(&format!("```README.md\n{readme}```\n"), &format!("README.md {readme:?}"));
    check(
        &format!("```README.md\n{readme}```\n\nThen:\n\n```task.json\n{{}}\n```\n"),
        &format!("README.md {readme:?}\ntask.json \"{{}}\\n\""),
    );
    check(
        &format!("```README.md\n{readme}```\n\nRun it:\n\n```\nls\n```\n"),
        &format!("README.md {readme:?}"),
    );
    check(&format!("````README.md\n{readme}````\n```\nls\n```\n"), &format!("README.md {readme:?}"));
}

#[test]
fn an_unclear_end_of_a_text_is_ambiguous() {
    check("```README.md\na\n\n```\n\nb\n```\nc\n```\n", "!ambiguous_block");
    // Either a separate block follows, or the text continues after one: ambiguous.
    for name in ["README.md", "rows.csv", "setup_task.ps1"] {
        let open = format!("```{name}\na\n```\n\nRun it:\n\n```bash\nls\n```\n");
        let next = "```task.json\n{\"id\": 1}\n```\n";
        check(&format!("{open}\n{next}"), &format!("{TASK}\n!ambiguous_block"));
        check(&open, &format!("{name} \"a\\n\""));
    }
}

#[test]
fn a_truncated_answer_is_detected() {
    for answer in [
        "```task.json\n{\"id\": 1",
        "```task.json\n{}\n```\n```verifier.py\nimport json\n",
        "```README.md\n# T\n```bash\nls\n```\n",
        "```verifier.py\nx = 1\n\n```task.json\n{}\n```\n",
        "{\"task.json\": \"{",
        "```json\n{\"task.json\": \"{",
    ] {
        let found = parse(answer, StopReason::End);
        assert!(found.problems.iter().any(|problem| problem.code == "cut_off"), "{answer}\n{}", show(&found));
    }
    let found = parse("```task.json\n{}\n```\n", StopReason::MaxTokens);
    assert_eq!(code(&found.problems[0]), "!cut_off");
    assert_eq!(code(&parse("", StopReason::Refused).problems[0]), "!no_answer");
}

#[test]
fn the_last_of_two_versions_counts() {
    check(
        "```task.json\n{\"id\": 0}\n```\nBetter:\n```task.json\n{\"id\": 1}\n```\n",
        &format!("{TASK}\ngiven_twice"),
    );
    check("```task.json\n{\"id\": 1}\n```\nAgain:\n```task.json\n{\"id\": 1}\n```\n", TASK);
    // A quoted fragment is not a version.
    check(
        "```task.json\n{\"id\": 1}\n```\nThe id in `task.json`:\n```json\n\"id\": 1,\n```\n",
        &format!("{TASK}\ngiven_twice"),
    );
}

#[test]
fn unnamed_blocks_are_recognised_by_their_content() {
    let json = "{\"id\": \"x@1\", \"success\": {}}";
    let setup = "#!/bin/bash\n# Set up the task\n";
    let export = "#!/bin/bash\necho 'Exporting'\n";
    let verifier = "def verify_x(t, e, i): pass\n";
    let all = format!(
        "```json\n{json}\n```\n```bash\n{setup}```\n```bash\n{export}```\n```python\n{verifier}```\n```bash\ncp -r x y\n```\n"
    );
    let files = format!(
        "export_result.sh {export:?}\nsetup_task.sh {setup:?}\ntask.json {:?}\nverifier.py {verifier:?}",
        format!("{json}\n")
    );
    check(&all, &format!("{files}\n{}", "recognised\n".repeat(4).trim_end()));
    let draft = all.replace("x@1", "draft@1");
    check(
        &format!("{draft}\nNow the final one.\n\n{all}"),
        &format!("{files}\n{}given_twice", "recognised\n".repeat(4)),
    );
}

#[test]
fn equal_candidates_are_ambiguous() {
    let setup = "#!/bin/bash\n# Setup";
    check(&format!("```bash\n{setup} one\n```\n```bash\n{setup} two\n```\n"), "!ambiguous_file");
    check("```bash\n#!/bin/bash\nls\n```\n", "!ambiguous_file");
    check(&format!("```bash\n{}```\n", "ls\n".repeat(30)), "!ambiguous_file");
    check(&format!("```bash\n{}```\n", "ls\n".repeat(9)), "!no_files");
}

#[test]
fn hostile_names_are_refused() {
    for name in [
        "../x.sh",
        "/etc/passwd.txt",
        "tasks/x/../../y.json",
        "C:\\x\\y.json",
        "con.json",
        "a/../../b.py",
        ".hidden.sh",
    ] {
        let by_fence = parse(&format!("```{name}\nx\n```\n"), StopReason::End);
        assert_eq!(show(&by_fence), "!bad_file_name\n", "{name}");
        let by_key = serde_json::json!({ "task.json": "{}", name: "x" }).to_string();
        assert!(show(&parse(&by_key, StopReason::End)).ends_with("!bad_file_name\n"), "{name}");
    }
    check("```x.exe\nMZ\n```\n", "!unknown_file_type");
    let by_key = r#"{"task.json": "{}", "a\u0000.txt": "", "verifier.py/x.py": "", "verifier.py": "", "README.md": "", "readme.md": ""}"#;
    let codes: Vec<String> = parse(by_key, StopReason::End).problems.iter().map(code).collect();
    assert_eq!(codes, ["!bad_file_name", "!names_differ_in_case", "!bad_file_name"]);
    assert_eq!(show(&parse(r#"{"task.json": "\ud800"}"#, StopReason::End)), "!invalid_json\n");
}

#[test]
fn sizes_are_capped() {
    assert_eq!(show(&parse(&"x".repeat(crate::MAX_ANSWER + 1), StopReason::End)), "!too_large\n");
    assert_eq!(show(&parse(&"```\n".repeat(100_000), StopReason::End)), "!too_many_blocks\n");
    let large = format!("```data.csv\n{}\n```\n", "x".repeat(MAX_FILE_BYTES));
    assert_eq!(parse(&large, StopReason::End).problems[0].code, "too_large");
    let mut many = String::new();
    for n in 0..=MAX_FILES {
        writeln!(many, "```f{n}.txt\n```").unwrap();
    }
    assert_eq!(parse(&many, StopReason::End).problems[0].code, "too_many_files");
    // Deep nesting of anything is refused, or harmless.
    parse(&"[".repeat(1_000_000), StopReason::End);
    parse(&format!("{{\"task.json\": {}", "[".repeat(1_000_000)), StopReason::End);
    parse(&format!("```task.json\n{}\n```\n", "[".repeat(1_000_000)), StopReason::End);
    parse(&format!("```verifier.py\n{}\n```\n", "(".repeat(1_000_000)), StopReason::End);
    parse(&"```python\n'''\n".repeat(4_000), StopReason::End);
    parse(&"```README.md\n```\n\n".repeat(4_000), StopReason::End);
}

/// The problems of a task, given as its files, that was planned as `planned`.
fn validate(
    planned: Option<&str>,
    files: &[(&str, &str)],
) -> (Option<String>, Vec<(String, String)>, Vec<String>) {
    let owned: Vec<(String, String)> =
        files.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect();
    let answer = super::from_files(owned.iter().map(|(name, content)| (name, content)));
    let validation = answer.validate(planned.and_then(TaskName::new).as_ref());
    let changed = validation
        .files
        .into_iter()
        .filter(|(name, content)| {
            !owned.iter().any(|(was, before)| was == name && before.trim_end() == content.trim_end())
        })
        .collect();
    (validation.task.map(|task| task.to_string()), changed, validation.problems.iter().map(code).collect())
}

const SPEC: &str = r#"{"id": "a_task@2", "description": "d",
 "hooks": {"pre_task": "bash /workspace/tasks/a_task/setup_task.sh"},
 "success": {"mode": "program", "spec": {"program": "verifier.py::verify_a_task"}}}"#;
const SETUP: (&str, &str) = ("setup_task.sh", "cp /workspace/tasks/a_task/x /tmp\n");
const VERIFIER: (&str, &str) = ("verifier.py", "def verify_a_task(traj, env_info, task_info): ...\n");

#[test]
fn a_valid_task_is_unchanged() {
    for planned in [None, Some("a_task")] {
        let (task, changed, problems) = validate(planned, &[("task.json", SPEC), SETUP, VERIFIER]);
        assert_eq!((task.as_deref(), changed, problems), (Some("a_task"), vec![], vec![]));
    }
}

#[test]
fn a_different_name_is_fixed() {
    let (task, changed, problems) = validate(Some("other"), &[("task.json", SPEC), SETUP, VERIFIER]);
    assert_eq!(task.as_deref(), Some("other"));
    assert_eq!(changed[0], ("setup_task.sh".to_owned(), "cp /workspace/tasks/other/x /tmp\n".to_owned()));
    assert_eq!(
        changed[1].1,
        format!("{}\n", SPEC.replace("a_task@2", "other@2").replace("tasks/a_task/", "tasks/other/"))
    );
    assert_eq!(problems, ["id_mended", "path_mended"]);

    let spec =
        SPEC.replace("tasks/a_task/", "tasks/an_old_name/").replace("::verify_a_task", "::verify_task");
    let (_, changed, problems) = validate(None, &[("task.json", &spec), SETUP, VERIFIER]);
    assert_eq!(changed, [("task.json".to_owned(), format!("{SPEC}\n"))]);
    assert_eq!(problems, ["path_mended", "function_mended"]);
}

#[test]
fn anything_else_rejects_the_task() {
    let check = |files: &[(&str, &str)], expect: &[&str]| {
        assert_eq!(validate(None, files).2, expect, "{files:?}");
    };
    let spec = ("task.json", SPEC);
    check(&[SETUP, VERIFIER], &["!missing_task_json"]);
    check(&[("task.json", "[]"), SETUP, VERIFIER], &["!invalid_task_json"]);
    check(&[("task.json", "{\"id\": \"x@1"), SETUP, VERIFIER], &["!invalid_task_json"]);
    check(&[("task.json", "{\"id\": \"x@1\"}")], &["!missing_field", "!missing_field"]);
    check(&[("task.json", "{}")], &["!no_name"]);
    check(&[spec, VERIFIER], &["!missing_hook_script"]);
    check(&[spec, SETUP], &["!missing_verifier"]);
    check(&[spec, SETUP, ("verifier.py", "def check(): ...")], &["!missing_function"]);
    let text = SPEC.replace("verifier.py", "verifier.txt");
    check(&[("task.json", &text), SETUP, ("verifier.txt", VERIFIER.1)], &["!missing_verifier"]);
    check(
        &[spec, SETUP, ("verifier.py", "def verify_b(): ...\ndef verify_c(): ...")],
        &["!missing_function"],
    );
    check(&[spec, SETUP, ("verifier.py", "def verify_a_task(")], &["!invalid_python"]);
    check(&[spec, ("setup_task.sh", "if x; then"), VERIFIER], &["!broken_script"]);
    check(&[spec, SETUP, VERIFIER, ("vlm_checklist.json", "{")], &["!invalid_json"]);
    check(&[spec, SETUP, VERIFIER, ("notes.txt", "a\0b")], &["!control_character"]);
    let vlm = SPEC.replace("program\", \"spec\"", "vlm_checklist\", \"spec\"");
    check(&[("task.json", &vlm), SETUP], &["!missing_checklist"]);
}

#[test]
fn a_task_without_a_plan_is_named_by_its_id_then_its_title() {
    let spec = |id: &str, title: &str| {
        format!("{{\"id\": \"{id}\", \"title\": \"{title}\", \"description\": \"d\", \"success\": {{}}}}")
    };
    let name = |id: &str, title: &str| validate(None, &[("task.json", &spec(id, title))]).0;
    assert_eq!(name("create_course@1", "Other").as_deref(), Some("create_course"));
    assert_eq!(name("Create-Course@1", "Other").as_deref(), Some("create_course"));
    assert_eq!(name("", "Merge Two Cohorts").as_deref(), Some("merge_two_cohorts"));
    assert_eq!(name("../../etc@1", "").as_deref(), Some("etc"));
    assert_eq!(name("", ""), None);
}

mod properties {
    use std::fmt::Write;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::{ParsedAnswer, from_files, parse};
    use common::environment::TaskName;
    use common::record::StopReason;

    /// Lines of answers and files, especially ones that are easily confused.
    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "(`{2,5}|~{3,4})(json|bash|python|markdown|task\\.json|verifier\\.py|README\\.md|\\.\\./x\\.sh)?",
            " {0,5}(`{3,4})",
            "(### |\\*\\*|- |1\\. )?(task\\.json|setup_task\\.sh|verifier\\.py)(\\*\\*)?:?",
            "\\{\"id\": \"[a-z]{1,3}@1\", \"description\": \"d\", \"success\": \\{\\}\\}?",
            "cat <<EOF|EOF|#!/bin/bash|if x; then|fi|'''|def verify_x\\(\\): pass|\\{\"task\\.json\": \"",
            "[a-z`'\"# ]{0,12}",
            "\\PC{0,8}",
        ]
    }

    fn text() -> impl Strategy<Value = String> {
        vec(line(), 0..40).prop_map(|lines| lines.join("\n"))
    }

    /// Any text, with fences, that ends as files do.
    fn content() -> impl Strategy<Value = String> {
        text().prop_map(|text| match text.trim_end() {
            "" => String::new(),
            text => format!("{text}\n"),
        })
    }

    fn check_names(answer: &ParsedAnswer) -> Result<(), TestCaseError> {
        for name in answer.files.keys() {
            prop_assert!(
                !name.starts_with('/')
                    && !name.split('/').any(|part| part.is_empty() || part.starts_with('.'))
            );
            prop_assert!(
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte)),
                "{name:?}"
            );
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_parsed_without_panic_and_validation_is_stable(text in text(), planned in "[a-z]{1,5}") {
            let answer = parse(&text, StopReason::End);
            check_names(&answer)?;
            let validation = answer.validate(TaskName::new(&planned).as_ref());
            if validation.is_valid() {
                let again = from_files(&validation.files).validate(validation.task.as_ref());
                prop_assert_eq!(again.files, validation.files);
                prop_assert_eq!(again.problems, vec![]);
            }
        }

        #[test]
        fn a_longer_fence_keeps_any_content(contents in vec(content(), 1..4)) {
            let mut text = String::new();
            for (at, content) in contents.iter().enumerate() {
                write!(text, "``````file{at}.txt\n{content}``````\n").unwrap();
            }
            let answer = parse(&text, StopReason::End);
            let found: Vec<&String> = answer.files.values().collect();
            prop_assert_eq!(found, contents.iter().collect::<Vec<_>>());
            prop_assert_eq!(answer.problems, vec![]);
        }

        #[test]
        fn json_keeps_any_content(content in content()) {
            let json = serde_json::json!({ "task.json": "{}\n", "data/notes.txt": content }).to_string();
            let answer = parse(&json, StopReason::End);
            prop_assert_eq!(&answer.files["data/notes.txt"], &content);
        }

        #[test]
        fn a_prefix_of_an_answer_is_never_published(cut in 0..1000_usize) {
            let verifier = "def verify_x(traj, env_info, task_info):\n    '''\n```\n    '''\n    return {}\n";
            let spec = "{\"id\": \"x@1\", \"description\": \"d\", \"success\": {\"spec\": \"verifier.py::verify_x\"}}";
            let whole = format!("```task.json\n{spec}\n```\n\n```verifier.py\n{verifier}```");
            let end = cut % whole.len();
            prop_assert!(!parse(&whole[..end], StopReason::End).validate(None).is_valid());
            prop_assert!(parse(&whole, StopReason::End).validate(None).is_valid());
        }
    }
}
