//! The package for GRASP.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use testkit::ENV;

use crate::world::{World, probed};

fn samples(world: &World) -> Vec<Value> {
    serde_json::from_str(&world.read("exports/grasp/grasp_tasks/samples.json")).unwrap()
}

/// The split of each task.
fn splits(world: &World) -> BTreeMap<String, String> {
    let text = |sample: &Value, key: &str| sample[key].as_str().unwrap().to_owned();
    samples(world).iter().map(|sample| (text(sample, "task"), text(sample, "split"))).collect()
}

#[test]
fn a_sample_says_what_the_agent_and_the_loop_need() {
    let world = World::new(&[]);
    let spec = json!({
        "id": "close@1", "env_id": "demo_env@1", "description": " Close the year. ", "difficulty": "hard",
        "init": { "max_steps": 50 }, "metadata": { "occupation": "Clerk", "features": ["ledger"] },
        "success": { "mode": "program", "spec": { "program": "verifier.py::verify" } },
    });
    world.add_task("close", &spec, "def verify(traj, env_info, task_info): return {}\n");
    let mut records = probed(&["close"]);
    records[1]["issues"] =
        json!([{ "code": "score_untouched", "severity": "warning", "message": "it gives 5" }]);
    let ran = world.export_to("grasp", &[], &records);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    let expected = json!([{
        "id": format!("{ENV}/close"), "env": ENV, "task": "close", "split": "dev", "type": ENV,
        "description": "Close the year.", "difficulty": "hard", "occupation": "Clerk", "features": ["ledger"],
        "max_steps": 50, "probe_issues": ["score_untouched"],
    }]);
    // One task alone is on the side that its name decides.
    let mut found = json!(samples(&world));
    if found[0]["split"] == "test" {
        found[0]["split"] = json!("dev");
    }
    assert_eq!(found, expected);
    assert!(world.path("exports/grasp/grasp_tasks/harbor/tasks/demo_env__close/task.toml").exists());
}

#[test]
fn training_tasks_are_divided_once_and_test_tasks_stay_apart() {
    let names: Vec<String> = (0..80).map(|number| format!("task_{}", number * 37 % 80)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = World::new(&[]);
    for (number, name) in names.iter().enumerate() {
        let spec = json!({
            "id": name, "description": format!("Task number {number} of its own kind"),
            "success": { "mode": "program", "spec": { "program": "verifier.py::verify" } },
        });
        world.add_task(name, &spec, "def verify(traj, env_info, task_info): return {}\n");
    }
    let mut before = BTreeMap::new();
    for count in [20, 50, 80] {
        assert_eq!(world.export_to("grasp", &[], &probed(&names[..count])).status, Some(0));
        let after = splits(&world);
        assert_eq!(after.len(), count);
        assert!(before.iter().all(|(task, split)| after[task] == *split));
        before = after;
    }
    let count = |split: &str| before.values().filter(|found| *found == split).count();
    let (dev, val, test) = (count("dev"), count("val"), count("test"));
    assert!(dev > 2 * val && val >= 8 && test >= 6, "{dev} {val} {test}");
}

#[test]
fn two_training_tasks_are_one_of_each() {
    let world = World::new(&["a", "b"]);
    let split =
        json!({ "env_folder": format!("examples/{ENV}"), "train_tasks": ["a", "b"], "test_tasks": [] });
    world.write_split("demo_split.json", &split);
    assert_eq!(world.export_to("grasp", &[], &probed(&["a", "b"])).status, Some(0));
    let found = splits(&world);
    let mut found: Vec<&str> = found.values().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, ["dev", "val"]);
}

#[test]
fn the_writer_of_skills_is_told_the_notes_on_the_environment() {
    let world = World::new(&["a"]);
    world.write_env_file(
        "README.md",
        &("The ledger is kept in euros.\n".to_owned() + &"filler\n".repeat(2000)),
    );
    assert_eq!(world.export_to("grasp", &[], &probed(&["a"])).status, Some(0));
    let guidance = world.read("exports/grasp/grasp_tasks/guidance.md");
    assert!(guidance.contains("Notes on demo_env") && guidance.contains("kept in euros."), "{guidance}");
    assert!(guidance.len() < 8200 && guidance.ends_with("filler\n"), "{}", guidance.len());

    world.write("notes.md", "Amounts have two decimals.");
    assert_eq!(world.export_to("grasp", &["--env-notes", "notes.md"], &probed(&["a"])).status, Some(0));
    assert!(world.read("exports/grasp/grasp_tasks/guidance.md").contains("two decimals."));
    let ran = world.export_to("grasp", &["--env-notes", "missing.md"], &probed(&["a"]));
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("cannot read the notes missing.md"), "{}", ran.stderr);
}

/// What Python prints that has the modules of the package, but for those that need GRASP.
fn python(world: &World, program: &str) -> String {
    let mut command = Command::new("python3");
    command.arg("-B").arg("-c").arg(program).current_dir(world.path("exports/grasp/grasp_tasks"));
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_tags_of_a_failure_are_what_its_verdict_says() {
    let world = World::new(&["a"]);
    assert_eq!(world.export_to("grasp", &[], &probed(&["a"])).status, Some(0));
    let program = r#"
import tags
sample = {"probe_issues": ["score_untouched"]}
def show(status, **verdict):
    print(*tags.failure_tags(sample, status, verdict))
show("completed", score=40, feedback="+10 the customer is entered; -0 with the address; -0 posted on June 26")
show("completed", score=5, feedback="✓ Minimal overlap (+5) | ✗ Volume conservation: not found (0/20)")
show("completed", score=50, subscores={"saved": True, "right sum": 0, "title": 25}, feedback="Saved.")
show("limit reached", score=0)
show("completed", score=0, feedback="a" * 100 + " is missing" * 50)
show("completed", score=0, feedback=None)
print(len(tags.failure_tags({}, "completed", {"feedback": "; ".join(f"wrong field{n}" for n in range(99))})))
"#;
    let found = python(&world, program);
    let expected = "\
with_the_address posted_on_june verifier_score_untouched
volume_conservation_not_found verifier_score_untouched
missed_right_sum verifier_score_untouched
limit_reached verifier_score_untouched
no_criterion_met verifier_score_untouched
no_criterion_met verifier_score_untouched
10
";
    assert_eq!(found, expected);
}

#[test]
fn a_reply_is_read_or_refused_whatever_it_holds() {
    let world = World::new(&["a"]);
    assert_eq!(world.export_to("grasp", &[], &probed(&["a"])).status, Some(0));
    let program = r#"
import protocol
def show(reply):
    try:
        turn = protocol.read(reply)
        print(len(turn.actions), turn.done, turn.answer)
    except protocol.InvalidReply as why:
        print("refused:", str(why)[:40])
show('I click. {"actions": [{"mouse": {"left_click": [10, 20]}}, {"keyboard": {"keys": ["ctrl", "s"]}}], "done": false}')
show('```json\n{"actions": [], "done": true, "answer": "898.21"}\n```')
show('{"actions": [{"action": "wait", "seconds": 2}]}')
show('{"example": {}} no')
show('{"actions": [{"mouse": {"left_click": [10]}}]}')
show('{"actions": [{"mouse": {"left_click": ["a; rm", 2]}}]}')
show('{"actions": [{"action": "wait", "seconds": "long"}]}')
show('{"actions": [{"keyboard": {"keys": "ctrl"}}]}')
show('{"actions": [{"mouse": {"left_click": [Infinity, NaN]}}]}')
show('{' * 90000)
show('{"actions":' + '[' * 90000)
show(None)
"#;
    let found = python(&world, program);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(&lines[..3], ["2 False ", "0 True 898.21", "1 False "]);
    assert!(lines[3..].iter().all(|line| line.starts_with("refused:")) && lines.len() == 12, "{found}");
}
