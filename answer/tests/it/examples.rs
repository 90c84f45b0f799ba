//! The examples: the demo's environment and answers are valid, and the custom stage in Python works as described.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::record::StopReason;
use fs_err as fs;
use serde_json::Value;
use task_spec::checklist::{
    CHECKLIST, EVIDENCE, Facts, Rule, Status, checklist_faults, evidence_faults, settle,
};
use task_spec::fixtures::{FILE_NAME, Fixtures};
use task_spec::verify::{self, Interpreter};
use task_spec::{pyjson, python, shell};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

fn examples() -> &'static Path {
    Path::new(EXAMPLES)
}

/// The texts of the answers whose label starts with `kind`, with the rest of the label.
fn answers(kind: &str) -> Vec<(String, String)> {
    let journal = fs::read_to_string(examples().join("demo/answers.jsonl")).unwrap();
    let entries = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let texts = entries.filter_map(|entry| {
        let rest = entry["label"].as_str().unwrap().strip_prefix(kind)?.to_owned();
        Some((rest, entry["text"].as_str().unwrap().to_owned()))
    });
    texts.collect()
}

/// A copy of the demo's environment with the tasks of all answers in it.
fn unpacked(into: &Path) -> PathBuf {
    let copied = Command::new("cp").arg("-R").arg(examples().join("demo/benchmarks")).arg(into).status();
    assert!(copied.unwrap().success());
    let environment = into.join("benchmarks/cua_world/environments/gnucash_env");
    for (task, text) in answers("readme/") {
        let folder = environment.join("tasks").join(&task);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("README.md"), text).unwrap();
    }
    let files = ["files/", "checklist/", "fixtures/"].into_iter().flat_map(answers);
    for (task, text) in files {
        let answer = answer::parse(&text, StopReason::End);
        assert_eq!(answer.problems, [], "{task}");
        for (name, content) in answer.files {
            let path = environment.join("tasks").join(&task).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
    environment
}

#[test]
fn the_journal_matches_the_markdown_files() {
    let packer = examples().join("demo/pack_answers.py");
    assert!(Command::new("python3").arg(packer).arg("--check").status().unwrap().success());
}

#[test]
fn every_planned_task_has_its_answers() {
    let [(_, plan)] = <[_; 1]>::try_from(answers("plan/")).unwrap();
    let rows = plan.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut planned: Vec<String> = rows.map(|row| row["task"].as_str().unwrap().to_owned()).collect();
    planned.sort();
    let tasks = |kind| answers(kind).into_iter().map(|(task, _)| task).collect::<Vec<_>>();
    assert_eq!(planned.len(), 14);
    for kind in ["readme/", "files/", "checklist/", "fixtures/"] {
        assert_eq!(tasks(kind), planned, "{kind}");
    }
}

#[test]
fn the_files_of_the_demo_prove_all_privileged_information() {
    let place = tempfile::tempdir().unwrap();
    let environment = unpacked(place.path());
    for spec in verify::task_specs(&environment, None) {
        let folder = spec.folder.folder();
        let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let value = |name: &str| pyjson::parse(&text(name).unwrap()).unwrap();
        let (task, checklist) = (value("task.json"), value(CHECKLIST));
        let verifier = python::parse(text("verifier.py").unwrap().as_bytes()).unwrap();
        let facts = Facts::new(Some(&task), Some(&verifier), &text);
        let settled = settle(&value(EVIDENCE), &facts).unwrap();
        assert!(!settled.findings.is_empty());
        for (key, finding) in settled.findings {
            assert_eq!(finding.status, Status::Verified, "{}, {key}: {}", folder.display(), finding.reason);
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let mut faults = checklist_faults(&checklist, name);
        faults.extend(evidence_faults(&pyjson::parse(&settled.text).unwrap(), name));
        // The pass adds the id of the task.
        faults.retain(|fault| fault.rule != Rule::TaskId);
        assert_eq!(faults, [], "{name}");
    }
}

#[test]
fn all_tasks_of_the_demo_are_valid() {
    let place = tempfile::tempdir().unwrap();
    let environment = unpacked(place.path());
    let checked = verify::check_environment(&environment);
    assert!(checked.findings.ok(), "{:?}", checked.findings);
    let specs = verify::task_specs(&environment, None);
    assert_eq!(specs.len(), 18);
    for spec in specs {
        let findings = verify::check_task(&spec, &checked, &Interpreter::none()).unwrap().findings;
        assert!(findings.ok(), "{findings:?}");
        let folder = spec.folder.folder();
        for script in ["setup_task.sh", "export_result.sh"] {
            shell::check(&fs::read_to_string(folder.join(script)).unwrap()).unwrap();
        }
        let fixtures: Fixtures = serde_json::from_slice(&fs::read(folder.join(FILE_NAME)).unwrap()).unwrap();
        let kinds = [&fixtures.golden, &fixtures.partial, &fixtures.wrong_target, &fixtures.untouched];
        assert!(kinds.iter().all(|states| !states.is_empty()), "{}", folder.display());
    }
}

#[test]
fn the_custom_stage_drops_tasks_and_passes_everything_else_through() {
    let kept = concat!(
        "{\"record\": \"plan\",\"task\":\"b\", \"difficulty\":\"hard\"}\n",
        "no record\n",
        "{\"record\":\"files\",\"task\":\"b\",\"files\":{\"task.json\":\"{}\"},\"unknown\":1.50}\n",
        "[\"hard\"]\n",
        "{\"record\":\"verdict\",\"task\":\"d\"}",
    );
    let dropped = [
        r#"{"record":"plan","task":"a","difficulty":"medium"}"#,
        r#"{"record":"files","task":"c","files":{"task.json":"{\"difficulty\":\"medium\"}"}}"#,
        r#"{"record":"files","task":"a","files":{}}"#,
    ];
    let input = format!("{}\n{kept}", dropped.join("\n"));
    let mut stage = Command::new("python3")
        .arg(examples().join("stages/drop_by_difficulty.py"))
        .args(["easy", "medium"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    stage.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = stage.wait_with_output().unwrap();
    assert!(output.status.success());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (left_out, passed): (Vec<&str>, Vec<&str>) =
        stdout.lines().partition(|line| line.contains("\"record\": \"dropped\""));
    assert_eq!(passed.join("\n"), kept);
    assert_eq!(left_out.len(), dropped.len());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "drop_by_difficulty: 3 records dropped\n");
}
