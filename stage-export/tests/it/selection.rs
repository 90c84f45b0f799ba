//! Only tasks whose evidence suffices are exported; the others are named.

use serde_json::{Value, json};
use testkit::{ENV, Ran};

use crate::world::{World, decision, probe, probed, trial, verdict};

/// Task and code of each record of a task that was left out.
fn left_out(ran: &Ran) -> Vec<(String, String)> {
    let text = |record: &Value, key: &str| record[key].as_str().unwrap().to_owned();
    let records = ran.records();
    let dropped = records.iter().filter(|record| record["record"] == "dropped");
    dropped.map(|record| (text(record, "task"), text(record, "code"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(task, code)| ((*task).to_owned(), (*code).to_owned())).collect()
}

fn world_with_split(tasks: &[&str]) -> World {
    let world = World::new(tasks);
    let split = json!({ "env_folder": format!("examples/{ENV}"), "train_ratio": 1.0, "train_tasks": [] });
    world.write_split("demo_split.json", &split);
    world
}

#[test]
fn bad_tasks_are_left_out() {
    let world = world_with_split(&["good", "bad_spec", "bad_verifier"]);
    let mut records = probed(&["good"]);
    records.extend([verdict("bad_spec", false), verdict("bad_verifier", true), probe("bad_verifier", false)]);
    let ran = world.export(&[], &records);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(left_out(&ran), pairs(&[("bad_spec", "bad"), ("bad_verifier", "bad")]));
    assert!(
        ran.stderr
            .contains("demo_env/bad_spec: left out (bad): stage-verify-spec found missing_hook_reference")
    );
    assert_eq!(world.split("demo_split.json")["train_tasks"], json!(["good"]));
}

#[test]
fn quarantined_tasks_are_left_out() {
    let world = world_with_split(&["good"]);
    let quarantined =
        json!({ "record": "task", "env": ENV, "task": "moved", "dir": "x", "status": "quarantined" });
    let mut records = probed(&["good", "moved"]);
    records.push(quarantined);
    assert_eq!(left_out(&world.export(&[], &records)), pairs(&[("moved", "not_in_environment")]));

    world.add_valid_task("moved");
    assert_eq!(left_out(&world.export(&[], &records)), pairs(&[("moved", "not_published")]));
}

#[test]
fn the_evidence_asked_for_is_needed() {
    let world = world_with_split(&["checked", "probed", "run"]);
    let mut records = vec![verdict("checked", true)];
    records.extend(probed(&["probed", "run"]));
    records.push(trial("run", true));
    let require = |evidence| left_out(&world.export(&["--require", evidence], &records));
    assert_eq!(require("spec"), []);
    assert_eq!(require("probe"), pairs(&[("checked", "no_evidence")]));
    assert_eq!(require("live"), pairs(&[("checked", "no_evidence"), ("probed", "no_evidence")]));
}

#[test]
fn a_trial_that_was_not_run_is_not_evidence() {
    let world = world_with_split(&["a", "b"]);
    let mut records = probed(&["a", "b"]);
    let mut not_run = trial("a", false);
    not_run["not_run"] = json!("no engine answers");
    records.extend([not_run, trial("b", false)]);
    let ran = world.export(&["--require", "live"], &records);
    assert_eq!(left_out(&ran), pairs(&[("a", "not_run"), ("b", "bad")]));
}

#[test]
fn rejected_tasks_are_left_out() {
    let world = world_with_split(&["kept", "refused", "allowed", "noted"]);
    let mut records = probed(&["kept", "refused", "allowed", "noted"]);
    // The last decision about a task counts; one may leave out the environment.
    records.extend([
        decision("allowed", "reject"),
        decision("allowed", "accept"),
        decision("noted", "comment"),
    ]);
    records.push(json!({ "record": "decision", "task": "refused", "choice": "reject" }));
    let ran = world.export(&[], &records);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert_eq!(left_out(&ran), pairs(&[("refused", "rejected_by_person")]));
    assert_eq!(world.split("demo_split.json")["train_tasks"], json!(["allowed", "kept", "noted"]));
}

#[test]
fn decisions_of_the_run_directory_count_and_those_of_the_input_before_them() {
    let world = world_with_split(&["one", "two"]);
    let of_run =
        [decision("one", "reject"), decision("two", "reject")].map(|record| record.to_string() + "\n");
    world.write(world.run_dir().join("decisions.jsonl"), &of_run.concat());
    let mut records = probed(&["one", "two"]);
    assert_eq!(left_out(&world.export(&[], &records)).len(), 2);
    records.push(decision("two", "accept"));
    assert_eq!(left_out(&world.export(&[], &records)), pairs(&[("one", "rejected_by_person")]));
}

#[test]
fn an_accepted_task_still_needs_the_evidence() {
    let world = world_with_split(&["bad"]);
    let records = [verdict("bad", false), decision("bad", "accept")];
    assert_eq!(left_out(&world.export(&[], &records)), pairs(&[("bad", "bad")]));
}

#[test]
fn checks_of_seeds_are_evidence_and_seeds_are_for_training() {
    let world = world_with_split(&["seed", "unchecked"]);
    let seed =
        |task: &str| json!({ "record": "seed", "env": ENV, "task": task, "dir": "x", "origin": "existing" });
    let lines =
        |records: &[Value]| records.iter().map(|record| record.to_string() + "\n").collect::<String>();
    world.write(world.run_dir().join("seeds.jsonl"), &lines(&[seed("seed"), seed("unchecked")]));
    world.write(world.run_dir().join("seeds/verdicts.jsonl"), &lines(&[verdict("seed", true)]));
    world.write(world.run_dir().join("seeds/probes.jsonl"), &lines(&[probe("seed", true)]));
    let ran = world.export(&["--env-dir", ENV], &[]);
    assert_eq!(left_out(&ran), pairs(&[("unchecked", "no_evidence")]), "{}", ran.stderr);
    assert_eq!(world.split("demo_split.json")["train_tasks"], json!(["seed"]));
}

#[test]
fn tasks_of_a_bad_environment_are_left_out() {
    let world = world_with_split(&["good"]);
    let mut records = probed(&["good"]);
    let issue = json!({ "code": "unknown_base", "severity": "error", "message": "x" });
    records.push(json!({
        "record": "verdict", "env": ENV, "kind": "env", "path": "x", "ok": false, "issues": [issue]
    }));
    assert_eq!(left_out(&world.export(&[], &records)), pairs(&[("good", "environment_bad")]));
}

#[test]
fn the_run_directory_adds_the_evidence_that_the_input_lacks() {
    let world = world_with_split(&["one", "two", "three"]);
    let lines =
        |records: &[Value]| records.iter().map(|record| record.to_string() + "\n").collect::<String>();
    world.write(
        world.run_dir().join("verdicts.jsonl"),
        &lines(&["one", "two"].map(|task| verdict(task, true))),
    );
    world.write(world.run_dir().join("probes.jsonl"), &lines(&["one", "two"].map(|task| probe(task, true))));

    // The records name what to export.
    let ran = world.export(&[], &[probe("one", true), probe("three", true)]);
    assert_eq!(left_out(&ran), pairs(&[("three", "no_evidence")]));
    assert_eq!(world.split("demo_split.json")["train_tasks"], json!(["one"]));

    let ran = world.export(&["--env-dir", ENV], &[]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert_eq!(world.split("demo_split.json")["train_tasks"], json!(["one", "two"]));
}

#[test]
fn other_records_pass_and_an_input_without_tasks_is_an_error() {
    let world = world_with_split(&["one"]);
    let other = json!({ "record": "mine", "n": 1 });
    let mut records = probed(&["one"]);
    records.push(other.clone());
    assert_eq!(world.export(&[], &records).records(), std::slice::from_ref(&other));

    let ran = world.export(&[], &[other]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("no record names a task"), "{}", ran.stderr);
}
