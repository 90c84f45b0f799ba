//! Reads any bytes as a manifest, and follows what the records name: no panic, and nothing outside the workspace.
#![no_main]

use std::path::{Component, Path};
use std::sync::LazyLock;

use common::environment::{TaskName, Workspace, is_folder_name};
use common::jsonl::{Line, ReadError, Reader, write_raw, write_record};
use common::record::{Kind, Record};
use libfuzzer_sys::fuzz_target;
use task_spec::fixtures::Fixtures;

const KINDS: [Kind; 13] = [
    Kind::Seed,
    Kind::Plan,
    Kind::Spec,
    Kind::Files,
    Kind::Solution,
    Kind::Agreement,
    Kind::Task,
    Kind::Verdict,
    Kind::Probe,
    Kind::Trial,
    Kind::Decision,
    Kind::Dropped,
    Kind::Failure,
];

/// A workspace without environments: names are resolved, and nothing is found.
static WORKSPACE: LazyLock<Workspace> =
    LazyLock::new(|| Workspace::find(Some(Path::new("/"))).expect("the root is a folder"));

fuzz_target!(|manifest: &[u8]| {
    let mut bad = 0;
    for line in Reader::new("fuzz", manifest, &KINDS) {
        match line {
            Ok(Line::Record(record)) => check(&record),
            Ok(Line::Other(raw)) => {
                let mut out = Vec::new();
                assert!(write_raw(&mut out, &raw).is_ok());
                assert!(manifest.windows(out.len() - 1).any(|part| part == &out[..out.len() - 1]));
            }
            Err(ReadError::Bad(error)) => {
                bad += 1;
                assert!(!error.to_string().contains('\n'), "{error}");
            }
            Err(ReadError::Io(error)) => panic!("{error}"),
        }
    }
    assert!(bad <= manifest.split(|&byte| byte == b'\n').count());
});

fn check(record: &Record) {
    // What is written is read as the same record.
    let mut line = Vec::new();
    assert!(write_record(&mut line, record).is_ok());
    let again: Vec<_> = Reader::new("again", &line[..], &KINDS).collect();
    assert!(
        matches!(&again[..], [Ok(Line::Record(again))] if format!("{again:?}") == format!("{record:?}")),
        "{record:?}: {again:?}"
    );
    match record {
        Record::Seed(seed) => check_dir(&seed.dir),
        Record::Task(task) => check_dir(&task.dir),
        Record::Verdict(verdict) => check_dir(&verdict.dir),
        Record::Probe(probe) => check_dir(&probe.dir),
        Record::Plan(plan) => check_name(&plan.env, &plan.task),
        Record::Files(files) => {
            check_name(&files.env, files.task.as_deref().unwrap_or_default());
            let name = files.task.as_deref().and_then(TaskName::from_text);
            answer::from_files(&files.files).validate(name.as_ref());
            for content in files.files.values() {
                drop(serde_json::from_str::<Fixtures>(content));
            }
        }
        _ => {}
    }
}

fn check_dir(dir: &str) {
    if let Ok(path) = WORKSPACE.resolve(dir) {
        assert!(path.components().all(|part| part != Component::ParentDir), "{dir:?}");
    }
}

fn check_name(env: &str, task: &str) {
    if let Ok(environment) = WORKSPACE.environment_of_record(env) {
        assert!(is_folder_name(&environment.name), "{env:?}");
    }
    if let Some(name) = TaskName::from_text(task) {
        assert_eq!(TaskName::new(name.as_str()).as_ref(), Some(&name));
    }
}
