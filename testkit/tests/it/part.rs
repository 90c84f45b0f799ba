//! Stages that are given a part of the tasks of a run.

use serde_json::Value;
use testkit::author::task;

use crate::world::{World, author_server};

const CHAIN: &str = "stage-propose $A --software Books --agent existing \
     | stage-amplify $A --software Books --count 3 \
     | stage-extract $A \
     | stage-verify-spec $A --python none \
     | stage-probe $A \
     | stage-verify-task $A --optional --engine no-such-engine";

/// Each stage, the manifest that it reads, and the one that it writes.
const STAGES: [(&str, &str, &str); 7] = [
    ("stage-amplify $A --software Books --pass files", "specs", "files"),
    ("stage-amplify $A --software Books --pass checklist", "files", "checklists"),
    ("stage-amplify $A --software Books --pass fixtures", "files", "fixtures"),
    ("stage-extract $A", "files", "tasks"),
    ("stage-verify-spec $A --python none", "tasks", "verdicts"),
    ("stage-probe $A", "verdicts", "probes"),
    ("stage-verify-task $A --optional --engine no-such-engine", "probes", "trials"),
];

/// The records of a manifest, without what differs between two runs.
fn manifest(world: &World, name: &str) -> Vec<Value> {
    let text = world.read(world.run_dir().join(format!("{name}.jsonl")));
    let mut records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.iter_mut().for_each(strip);
    records
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !["usage", "status", "seconds"].contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn records_of_tasks_that_the_input_does_not_name_stay_in_the_manifest() {
    let (world, server) = (World::new(), author_server());
    let ran = world.shell(CHAIN, &server);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for (stage, from, to) in STAGES {
        let run = |filter: &str| {
            let input = format!("{filter} task_generation_runs/demo_env/{from}.jsonl");
            let ran = world.shell(&format!("{input} | {stage}"), &server);
            assert_eq!(ran.status, Some(0), "{stage}: {ran:?}");
            ran.stdout
        };
        run("cat");
        let whole = manifest(&world, to);
        let written = run(&format!("grep {}", task(2)));
        assert!(written.contains(&task(2)) && !written.contains(&task(1)), "{stage}: {written}");
        let after = manifest(&world, to);
        assert!(after == whole, "{stage}: {} lines of {}", after.len(), whole.len());
    }
}
