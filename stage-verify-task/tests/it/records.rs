//! Records in, records out.

use serde_json::json;
use testkit::{ENV, ENV_DIR, Ran};

use crate::world::{World, episodes};

#[test]
fn tasks_of_records_are_run_once_and_other_records_pass_through() {
    let world = World::new();
    world.task("one", &[]);
    world.task("two", &[]);
    world.task("three", &[]);
    let dir = |task: &str| format!("{ENV_DIR}/tasks/{task}");
    let verdict = |task: &str, ok: bool| json!({ "record": "verdict", "env": ENV, "task": task, "kind": "task", "dir": dir(task), "path": "x", "ok": ok, "annotations": { "batch": 7 } });
    let lines = [
        json!({ "record": "mine", "x": 1 }),
        verdict("one", true),
        verdict("two", false),
        json!({ "record": "seed", "env": ENV, "task": "three", "dir": dir("three"), "origin": "existing" }),
        json!({ "record": "probe", "env": ENV, "task": "one", "dir": dir("one"), "ok": true }),
    ];
    let input = lines.map(|line| line.to_string()).join("\n");
    let ran = Ran::of(&mut world.stage(&["--once"]), &input);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let kinds: Vec<_> =
        ran.records().iter().map(|record| record["record"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["mine", "verdict", "trial", "verdict", "trial", "probe"]);
    assert_eq!(episodes(&ran.records()[2]), [("untouched", "fail")]);
    assert_eq!(ran.records()[4]["task"], "three");
    assert_eq!(ran.records()[2]["annotations"], json!({ "batch": 7 }));
}

#[test]
fn two_runs_give_the_same_records_but_for_times() {
    let world = World::new();
    for task in ["one", "two"] {
        world.task(task, &[]);
        world.solution(task, "solve.sh", "echo true >\"$ROOT/state\"\n");
    }
    let run = || {
        let mut records = world.run(&["--once"]).records();
        for episode in records.iter_mut().flat_map(|record| record["episodes"].as_array_mut().unwrap()) {
            episode["seconds"] = json!(0);
            for script in ["setup", "solution", "export"] {
                if episode.get(script).is_some() {
                    episode[script]["seconds"] = json!(0);
                }
            }
        }
        records
    };
    assert_eq!(run(), run());
}

#[test]
fn evidence_is_kept_as_asked() {
    let world = World::new();
    world.task("one", &[]);
    world.trial(&["--once"]);
    assert!(world.trials("one").exists());
    for keep in ["bad", "none"] {
        let trial = world.trial(&["--once", "--keep", keep]);
        assert!(!world.trials("one").exists(), "{keep}");
        assert_eq!(trial["episodes"][0]["evidence"], "");
    }
    world.task("one", &[("export_result.sh", "exit 1\n")]);
    let trial = world.trial(&["--once", "--keep", "bad"]);
    assert_eq!(trial["episodes"][0]["evidence"], format!("task_generation_runs/{ENV}/trials/one/untouched"));
}
