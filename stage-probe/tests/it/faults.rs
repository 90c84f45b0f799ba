//! Faults of verifiers, each detected, and a valid verifier, which has none.

use std::fmt::Write;

use insta::{assert_json_snapshot, assert_snapshot};
use serde_json::{Value, json};

use crate::world::{World, codes, outcomes};

/// Reads the result, as verifiers do.
const READ: &str = r#"
import json, os, tempfile

def read(env_info):
    with tempfile.NamedTemporaryFile(delete=False, suffix=".json") as file:
        path = file.name
    env_info["copy_from_env"]("/tmp/task_result.json", path)
    with open(path) as file:
        return json.load(file)

def verdict(passed, score):
    return {"passed": passed, "score": score, "feedback": "looked at it"}
"#;

/// The task: merge two cohorts into one with twelve members.
const VALID: &str = r#"
def verify(traj, env_info, task_info):
    try:
        result = read(env_info)
    except Exception:
        return verdict(False, 0)
    if result.get("cohort") != "History" or result.get("members") == result.get("members_before"):
        return verdict(False, 0)
    merged = result.get("members") == 12
    clean = result.get("old_exists") is False
    return verdict(merged and clean, 60 * merged + 40 * clean)
"#;

/// A verifier that fails without a result; with one, it runs `body`.
fn verifier_of_result(body: &str) -> String {
    format!(
        "
def verify(traj, env_info, task_info):
    try:
        result = read(env_info)
    except Exception:
        return verdict(False, 0)
{body}"
    )
}

fn fixtures() -> Value {
    let file = |cohort: &str, members: u32, old_exists: bool| {
        json!([{ "files": { "/tmp/task_result.json": {
            "cohort": cohort, "members": members, "members_before": 5, "old_exists": old_exists,
        } } }])
    };
    json!({
        "golden": file("History", 12, false),
        "partial": file("History", 12, true),
        "wrong_target": file("Geography", 12, false),
        "untouched": file("History", 5, true),
    })
}

fn probe(verifier: &str) -> Value {
    let world = World::new();
    world.task("merge", &format!("{READ}{verifier}"));
    world.write_task_file("merge", "fixtures.json", &fixtures().to_string());
    world.probe_one(&[])
}

/// Checks which issues a verifier has, by code.
fn check(verifier: &str, expected: &[&str]) {
    let record = probe(verifier);
    assert_eq!(codes(&record), expected, "{record:#}");
    let bad = record["issues"].as_array().unwrap().iter().any(|issue| issue["severity"] == "error");
    assert_eq!(record["ok"], json!(!bad));
}

#[test]
fn a_valid_verifier_has_no_issue() {
    let mut record = probe(VALID);
    for state in record["states"].as_array_mut().unwrap() {
        state["seconds"] = Value::Null;
    }
    assert_json_snapshot!(record);
}

#[test]
fn fixtures_without_a_golden_state_are_reported() {
    let world = World::new();
    let mut fixtures = fixtures();
    fixtures["golden"] = json!([]);
    world.task("merge", &format!("{READ}{VALID}")).write_task_file(
        "merge",
        "fixtures.json",
        &fixtures.to_string(),
    );
    let record = world.probe_one(&[]);
    assert_eq!(codes(&record), ["no_fixtures"]);
    assert_eq!((&record["issues"][0]["severity"], &record["ok"]), (&json!("warning"), &json!(true)));
}

#[test]
fn a_constant_pass() {
    check(
        "def verify(traj, env_info, task_info):\n    return verdict(True, 100)",
        &["constant_pass", "passes_partial", "passes_wrong_target", "insensitive_verifier"],
    );
}

#[test]
fn a_missing_baseline() {
    // The members existed before the task.
    check(
        &verifier_of_result(
            r#"
    done = result.get("cohort") == "History" and result.get("members", 0) > 0
    return verdict(done, 100 if done else 0)
"#,
        ),
        &["passes_nothing", "passes_partial"],
    );
}

#[test]
fn the_wrong_target_is_accepted() {
    check(&VALID.replace(r#"result.get("cohort") != "History" or "#, ""), &["passes_wrong_target"]);
}

#[test]
fn partial_credit_reaches_the_threshold() {
    check(
        &VALID.replace("verdict(merged and clean, ", "verdict(60 * merged + 40 * clean >= 60, "),
        &["passes_partial"],
    );
}

#[test]
fn a_crash_on_absence() {
    check(
        r#"
def verify(traj, env_info, task_info):
    result = read(env_info)
    return verdict(result["members"] == 12 and not result["old_exists"] and result["cohort"] == "History", 0)
"#,
        &["raises", "no_partial_score"],
    );
}

#[test]
fn the_expected_value_is_read_from_the_result() {
    // Both values come from the result: if both are missing, they are equal.
    check(
        &verifier_of_result(
            r#"
    passed = result.get("members") == result.get("expected_members")
    return verdict(passed, 100 if passed else 0)
"#,
        ),
        &["fails_golden", "passes_nothing", "no_partial_score"],
    );
}

#[test]
fn an_ignored_field_lowers_the_mutation_score() {
    let record = probe(&VALID.replace(r#"result.get("old_exists") is False"#, "True"));
    assert!(codes(&record).contains(&"passes_partial"), "{record:#}");
    assert_json_snapshot!(record["mutation"]);
}

#[test]
fn invalid_verdicts() {
    let answers = [
        "None",
        "True",
        "{}",
        r#"{"passed": 0, "score": 0}"#,
        r#"{"passed": "no", "score": 0}"#,
        r#"{"passed": False}"#,
        r#"{"passed": False, "score": None}"#,
        r#"{"passed": False, "score": float("nan")}"#,
        r#"{"passed": False, "score": float("inf")}"#,
        r#"{"passed": False, "score": -1}"#,
        r#"{"passed": False, "score": 101}"#,
        r#"{"passed": False, "score": "0"}"#,
        r#"{"passed": False, "score": 10**40}"#,
        r#"{"passed": False, "score": [0]}"#,
    ];
    let world = World::new();
    for (number, answer) in answers.iter().enumerate() {
        let verifier = format!("def verify(traj, env_info, task_info):\n    return {answer}\n");
        world.task(&format!("answer_{number:02}"), &verifier);
    }
    let ended = world.probe(&["--repeat", "1"]);
    let mut seen = String::new();
    for (record, answer) in ended.records().iter().zip(answers) {
        assert_eq!(codes(record)[0], "bad_answer", "{answer}");
        let state = &record["states"][0];
        writeln!(seen, "{answer:<42} {} {}", state["outcome"], state["detail"]).unwrap();
    }
    assert_snapshot!(seen);
}

#[test]
fn a_subclass_of_float_is_a_score() {
    let world = World::new();
    world.task(
        "whole",
        "class N(float): pass\ndef verify(a, b, c):\n    return {'passed': False, 'score': N(0.0)}",
    );
    assert_eq!(codes(&world.probe_one(&[])), ["no_fixtures"]);
}

#[test]
fn a_random_verifier_is_flaky() {
    check(
        "import random\ndef verify(traj, env_info, task_info):\n    return verdict(False, random.random() / 1000)",
        &["fails_golden", "flaky_verifier", "score_for_nothing"],
    );
}

#[test]
fn runs_that_end_early() {
    let world = World::new();
    let body = |line: &str| format!("import os, sys, time\ndef verify(a, b, c):\n    {line}\n");
    world.task("a_exit", &body("sys.exit(0)"));
    world.task("b_leave", &body("os._exit(0)"));
    world.task("c_crash", &body("os.abort()"));
    world.task("d_missing", "import a_package_that_does_not_exist\n");
    world.task(
        "d_missing_2",
        &body(
            r#"
    try:
        import a_package_that_does_not_exist
    except ImportError:
        import subprocess
        subprocess.check_call([sys.executable, "-m", "pip", "install", "a-package-that-does-not-exist"])
"#,
        ),
    );
    world.task("e_syntax", "def verify(:\n");
    world.task("f_no_function", "def check(a, b, c):\n    pass\n");
    world.task(
        "g_network",
        "import socket\ndef verify(a, b, c):\n    socket.create_connection(('127.0.0.1', 1))\n",
    );
    let ended = world.probe(&["--repeat", "1"]);
    let mut seen = String::new();
    for record in &ended.records() {
        let state = record["states"].get(0).unwrap_or(&Value::Null);
        // The signal of an abort differs between systems.
        let detail = state["detail"].as_str().filter(|detail| !detail.starts_with("SIG")).unwrap_or_default();
        writeln!(seen, "{} {:?} {} {detail}", record["task"], codes(record), state["outcome"]).unwrap();
    }
    assert_snapshot!(seen);
}

#[test]
fn a_slow_verifier_is_ended() {
    let world = World::new();
    world.task("slow", "import time\ndef verify(a, b, c):\n    time.sleep(100)\n");
    let record = world.probe_one(&["--repeat", "1", "--timeout", "1"]);
    assert_eq!(codes(&record), ["timeout", "no_fixtures"], "{record:#}");
    assert!(outcomes(&record).iter().all(|(_, outcome)| *outcome == "error"));
}

#[test]
fn a_source_that_overflows_the_compiler_is_bad() {
    let world = World::new();
    world.task("deep", &format!("x = {}1\n", "-".repeat(200_000)));
    let ended = world.probe(&[]);
    assert_eq!(ended.records()[0]["record"], "probe");
    assert_eq!(ended.records()[0]["ok"], false);
}

#[test]
fn a_verifier_gets_what_gym_anything_provides() {
    let verifier = r#"
import os, sys
from gym_anything.vlm import extract_boolean, get_final_screenshot, parse_vlm_json, query_vlm
from gym_anything.vlm import sample_trajectory_frames
from shared import THRESHOLD

def verify(traj, env_info, task_info):
    frames = sample_trajectory_frames(traj, num_samples=2)
    assert len(frames) == 2 and open(frames[0], "rb").read(4) == b"\x89PNG"
    assert get_final_screenshot(traj) == traj["final_screenshot"] == env_info["get_final_screenshot"](traj)
    answer = query_vlm(prompt="is it?", image=frames[0])
    assert answer["parsed"] == parse_vlm_json(answer["response"]) == {}
    assert extract_boolean(answer, "done") is False
    assert task_info["task_id"] == "look@1" and task_info["metadata"] == {"limit": 3}
    assert task_info["task_spec"]["env_id"] == "demo_env@1"
    assert env_info["exec_capture"]("ls") == ""
    assert os.path.exists(os.path.join(os.path.dirname(__file__), "..", "..", "utils", "shared.py"))
    return {"passed": False, "score": THRESHOLD, "feedback": "found all"}
"#;
    let world = World::new();
    world.task_with("look", verifier, &json!({ "limit": 3 }));
    fs_err::create_dir(world.env_dir().join("utils")).unwrap();
    fs_err::write(world.env_dir().join("utils/shared.py"), "THRESHOLD = 0\n").unwrap();
    let record = world.probe_one(&[]);
    assert_eq!(codes(&record), ["no_fixtures"], "{record:#}");
    assert!(outcomes(&record).iter().all(|(_, outcome)| *outcome == "fail"));
}
