//! Tasks with solutions.

use serde_json::json;

use crate::world::{EXPORT, VERIFIER, World, codes, episodes};

const SOLVE: &str = "echo true >\"$ROOT/state\"\n";

/// What the restart of the application does on the engine of the tests: nothing, as it has no display.
const NO_WINDOWS: &str = "echo false >\"$ROOT/state\"\n";

#[test]
fn a_solution_passes_and_wrong_ones_fail() {
    let world = World::new();
    world.task("one", &[]);
    world.solution("one", "solve.sh", SOLVE);
    world.solution("one", "wrong-nothing.sh", "true\n");
    world.solution("one", "notes.txt", "not a solution\n");
    let trial = world.trial(&["--once"]);
    let passes =
        [("untouched", "fail"), ("solution", "pass"), ("restart", "pass"), ("wrong:nothing", "fail")];
    assert_eq!(episodes(&trial), passes, "{trial:#}");
    assert_eq!((&trial["ok"], codes(&trial)), (&json!(true), vec![]), "{trial:#}");
}

#[test]
fn only_episodes_with_a_solution_see_the_folder_of_solutions() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", &format!("{NO_WINDOWS}ls \"$ROOT/solution\" || echo none\n"))]);
    world.solution("one", "solve.sh", SOLVE);
    world.trial(&["--once"]);
    let log = |episode: &str| world.read(world.trials("one").join(episode).join("setup.log"));
    assert!(log("untouched").ends_with("none\n"));
    assert_eq!(log("solution"), "solve.sh\n");
}

#[test]
fn a_solution_that_fails_is_told_with_its_log() {
    let world = World::new();
    world.task("one", &[]);
    world.solution("one", "solve.sh", "echo cannot find the menu >&2\nexit 7\n");
    let trial = world.trial(&["--once"]);
    assert_eq!(codes(&trial), ["solution_fails"]);
    let message = trial["issues"][0]["message"].as_str().unwrap();
    assert!(message.contains("ended with 7") && message.contains("cannot find the menu"), "{message}");
    assert_eq!(episodes(&trial)[1..], [("solution", "fail"), ("solution_again", "fail")]);
}

#[test]
fn a_solution_that_passes_by_chance_is_flaky() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", NO_WINDOWS)]);
    // The second run finds what the first one left beside the workspace.
    let mark = world.path("mark");
    let script = format!("[ ! -e {0} ] || echo true >\"$ROOT/state\"\n: >{0}\n", mark.display());
    world.solution("one", "solve.sh", &script);
    let trial = world.trial(&["--once"]);
    assert!(codes(&trial).contains(&"solution_flaky"), "{trial:#}");
    assert_eq!(episodes(&trial)[1..], [("solution", "fail"), ("solution_again", "pass")]);
}

#[test]
fn a_wrong_solution_that_passes_is_an_issue() {
    let world = World::new();
    world.task("one", &[]);
    world.solution("one", "wrong-too_easy.sh", SOLVE);
    let trial = world.trial(&["--once"]);
    assert_eq!(codes(&trial), ["wrong_solution_passes"]);
    assert!(trial["issues"][0]["message"].as_str().unwrap().contains("wrong:too_easy"));
}

#[test]
fn a_state_that_is_only_in_memory_is_lost_in_a_restart() {
    let world = World::new();
    // The engine of the tests runs the restart as any script: it removes what the application had in memory.
    let export =
        EXPORT.replace("$(cat \"$ROOT/state\")", "$(cat \"$ROOT/memory\" 2>/dev/null || echo false)");
    world.task("one", &[("export_result.sh", &export)]);
    world.engine(&json!({ "forgets": "memory" }));
    world.solution("one", "solve.sh", "echo true >\"$ROOT/memory\"\n");
    let trial = world.trial(&["--once"]);
    assert_eq!(codes(&trial), ["state_not_saved"], "{trial:#}");
}

#[test]
fn the_result_of_a_solution_has_the_shape_of_the_golden_fixture() {
    let world = World::new();
    let golden = r#"{"golden": [{"files": {"/tmp/task_result.json": {"done": true, "rows": [1]}}}]}"#;
    world.task("one", &[("fixtures.json", golden), ("verifier.py", VERIFIER)]);
    world.solution("one", "solve.sh", SOLVE);
    let trial = world.trial(&["--once"]);
    assert_eq!(codes(&trial), ["fixture_differs"]);
    assert_eq!(
        trial["episodes"][1]["differences"],
        json!(["rows: no such field instead of [1]"]),
        "{trial:#}"
    );
}
