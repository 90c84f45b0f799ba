//! The files of a run directory fit their schemas.

use fs_err as fs;
use jsonschema::Validator;
use serde_json::Value;
use testkit::files_below;

use crate::world::{World, author_server, repository};

const CHAIN: &str = "stage-propose $A --software Books --agent existing \
     | stage-amplify $A --software Books --count 3 --max-cost 5 \
     | stage-extract $A \
     | stage-verify-spec $A --python none \
     | stage-probe $A \
     | stage-verify-task $A --optional --engine no-such-engine";

fn validator(name: &str) -> Validator {
    let path = repository().join(format!("schemas/{name}.schema.json"));
    let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn check(validator: &Validator, value: &Value) {
    let errors: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}: {value}");
}

#[test]
fn every_file_of_a_run_directory_fits_its_schema() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(world.shell(CHAIN, &server).status, Some(0));
    for pass in ["checklist", "fixtures"] {
        let input = "cat task_generation_runs/demo_env/files.jsonl";
        let ran = world.shell(&format!("{input} | stage-amplify $A --software Books --pass {pass}"), &server);
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
    let run_file = world.read(world.run_dir().join("run.json"));
    let run_file: Value = serde_json::from_str(&run_file).unwrap();
    check(&validator("run"), &run_file);
    for entry in ["environment", "cost", "propose", "amplify", "checklist", "fixtures"] {
        assert!(run_file.get(entry).is_some(), "{entry}: {run_file}");
    }
    let mut lines = 0;
    for (name, text) in files_below(&world.run_dir()) {
        let Some(name) = name.strip_suffix(".jsonl") else { continue };
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let schema = if name == "answers" { "answer" } else { line["record"].as_str().unwrap() };
            check(&validator(schema), &line);
            lines += 1;
        }
    }
    assert!(lines > 40, "{lines}");
}

#[test]
fn what_is_no_run_file_and_no_answer_does_not_fit() {
    let run = validator("run");
    for other in
        [r#"{"cost": {}}"#, r#"{"environment": "e", "amplify": {"asked": {}}}"#, r#"{"environment": 7}"#]
    {
        assert!(!run.is_valid(&serde_json::from_str(other).unwrap()), "{other}");
    }
    let answer = validator("answer");
    for other in ["{}", r#"{"label": "plan/1"}"#, r#"{"label": "plan/1", "text": "a", "at": -1}"#] {
        assert!(!answer.is_valid(&serde_json::from_str(other).unwrap()), "{other}");
    }
}
