//! The schemas in `schemas/` are those of the types, and records as stages write them fit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::record::{
    Agreement, Annotations, Choice, Criterion, Decision, Dropped, Episode, EpisodeVerdict, Failure, Files,
    HookRun, Issue, Mutation, Origin, Outcome, Plan, Probe, ProbeState, Problem, Record, Seed, Severity,
    Solution, Spec, SpecKind, Task, TaskFile, TaskStatus, Trial, Usage, Verdict, WrongSolution,
};
use common::schema;
use schemars::Schema;
use task_spec::checklist::{checklist_schema, evidence_schema};
use task_spec::fixtures::Fixtures;

fn schemas_of_files() -> [(&'static str, Schema); 3] {
    [
        ("fixtures", Fixtures::schema()),
        ("vlm_checklist", checklist_schema()),
        ("validated_pi", evidence_schema()),
    ]
}

fn schemas_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

#[test]
fn schema_files_are_up_to_date() {
    let mut expected = BTreeSet::new();
    for (kind, schema) in schema::all().into_iter().chain(schema::of_run_dir()).chain(schemas_of_files()) {
        let name = format!("{kind}.schema.json");
        let written = fs_err::read_to_string(schemas_dir().join(&name)).unwrap_or_default();
        assert!(written == schema::render(&schema), "schemas/{name} is stale; run `make schemas`");
        expected.insert(name);
    }
    let present: BTreeSet<String> = fs_err::read_dir(schemas_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(present, expected);
}

#[test]
fn records_fit_their_schema_and_read_back_as_they_were() {
    for record in one_of_each() {
        let json = serde_json::to_value(&record).unwrap();
        let kind = json["record"].as_str().unwrap().to_owned();
        let (_, schema) = schema::all().into_iter().find(|(name, _)| *name == kind).unwrap();
        let validator = jsonschema::validator_for(schema.as_value()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{json}");
        assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
    }
}

#[test]
fn files_of_the_demo_fit_their_schemas() {
    let tasks = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/demo/benchmarks/cua_world/environments/gnucash_env/tasks");
    let folders = fs_err::read_dir(tasks).unwrap().map(|entry| entry.unwrap().path());
    let mut fitting = 0;
    for folder in folders.filter(|path| path.is_dir()) {
        for (name, schema) in schemas_of_files() {
            let path = folder.join(format!("{name}.json"));
            let file = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
            let validator = jsonschema::validator_for(schema.as_value()).unwrap();
            let errors: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{}", path.display());
            fitting += 1;
        }
    }
    assert_eq!(fitting, 12);
}

#[test]
fn a_record_of_another_kind_does_not_fit() {
    for (kind, schema) in schema::all() {
        let validator = jsonschema::validator_for(schema.as_value()).unwrap();
        assert!(!validator.is_valid(&serde_json::json!({ "record": "else" })), "{kind}");
    }
}

fn one_of_each() -> Vec<Record> {
    let (env, task) = ("demo_env".to_owned(), "make_a_note".to_owned());
    let issue = Issue {
        code: "parse_error".into(),
        severity: Severity::Error,
        message: "task.json stops in a string".into(),
        path: Some("tasks/make_a_note/task.json".into()),
    };
    let annotations: Annotations = [("reviewed_by".to_owned(), "N. N.".into())].into_iter().collect();
    let usage = Usage {
        uncached_input: 1,
        cache_read: 2,
        output_visible: 3,
        output_reasoning: 4,
        ..Usage::default()
    };
    vec![
        Record::Seed(Seed {
            env: env.clone(),
            task: task.clone(),
            dir: "tasks/make_a_note".into(),
            origin: Origin::Existing,
            files: vec!["task.json".into()],
            annotations: annotations.clone(),
        }),
        Record::Plan(Plan {
            env: env.clone(),
            task: task.clone(),
            index: 1,
            features: vec!["notes".into()],
            ..Plan::default()
        }),
        Record::Spec(Spec { env: env.clone(), task: task.clone(), index: 1, usage, ..Spec::default() }),
        Record::Files(Files {
            env: env.clone(),
            task: Some(task.clone()),
            index: 1,
            files: [("task.json".to_owned(), "{}".to_owned())].into(),
            problems: vec![Problem::new("name_mended", "the id was another")],
            usage,
            ..Files::default()
        }),
        Record::Solution(Solution {
            env: env.clone(),
            task: task.clone(),
            index: 1,
            script: "exit 0\n".into(),
            wrong: vec![WrongSolution { name: "other_note".into(), script: "exit 0\n".into() }],
            usage,
            ..Solution::default()
        }),
        Record::Task(Task {
            env: env.clone(),
            task: task.clone(),
            index: Some(1),
            dir: "tasks/make_a_note".into(),
            status: TaskStatus::Written,
            files: vec![TaskFile { name: "task.json".into(), bytes: 2, sha256: "00".repeat(32) }],
            problems: Vec::new(),
            annotations: annotations.clone(),
        }),
        Record::Verdict(Verdict {
            env: env.clone(),
            task: Some(task.clone()),
            kind: SpecKind::Task,
            dir: "tasks/make_a_note".into(),
            path: "tasks/make_a_note/task.json".into(),
            spec_id: Some("make_a_note@1".into()),
            ok: false,
            issues: vec![issue.clone()],
            annotations: annotations.clone(),
        }),
        probe(&env, &task, issue.clone()),
        agreement(&env, &task, issue.clone()),
        Record::Decision(Decision {
            env: env.clone(),
            task: task.clone(),
            choice: Choice::Reject,
            comment: "the date is wrong".into(),
            annotations: annotations.clone(),
        }),
        Record::Dropped(Dropped {
            env: env.clone(),
            task: Some(task.clone()),
            of: "files".into(),
            stage: "mine".into(),
            code: "too_easy".into(),
            annotations,
            ..Dropped::default()
        }),
        trial(&env, &task, issue),
        Record::Failure(Failure {
            env,
            task: Some(task),
            stage: "amplify".into(),
            index: Some(1),
            ..Failure::default()
        }),
    ]
}

fn agreement(env: &str, task: &str, issue: Issue) -> Record {
    let criterion = Criterion {
        criterion: "the note is saved".into(),
        checklist: vec!["saved".into()],
        ..Criterion::default()
    };
    Record::Agreement(Agreement {
        env: env.to_owned(),
        task: task.to_owned(),
        criteria: vec![criterion],
        issues: vec![issue],
        ..Agreement::default()
    })
}

fn probe(env: &str, task: &str, issue: Issue) -> Record {
    Record::Probe(Probe {
        env: env.to_owned(),
        task: task.to_owned(),
        dir: "tasks/make_a_note".into(),
        ok: false,
        states: vec![ProbeState {
            state: "no_result".into(),
            expected: Outcome::Fail,
            outcome: Outcome::Pass,
            score: Some(100.0),
            seconds: 0.01,
            detail: "all good".into(),
        }],
        mutation: Some(Mutation { mutants: 2, caught: 1, missed: vec!["members dropped".into()] }),
        issues: vec![issue],
        annotations: Annotations::new(),
    })
}

fn trial(env: &str, task: &str, issue: Issue) -> Record {
    Record::Trial(Box::new(Trial {
        env: env.to_owned(),
        task: task.to_owned(),
        engine: "docker".into(),
        episodes: vec![Episode {
            name: "untouched".into(),
            setup: Some(HookRun {
                exit: Some(1),
                seconds: 0.5,
                log: "no display".into(),
                ..HookRun::default()
            }),
            verdict: Some(EpisodeVerdict {
                outcome: Outcome::Fail,
                score: Some(0.0),
                detail: "no note".into(),
            }),
            ..Episode::default()
        }],
        issues: vec![issue],
        ..Trial::default()
    }))
}
