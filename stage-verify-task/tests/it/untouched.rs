//! Tasks of which nothing is done.

use serde_json::json;

use crate::world::{EXPORT, SETUP, VERIFIER, World, codes, episodes};

#[test]
fn a_valid_task_fails_twice_from_the_same_start() {
    let world = World::new();
    world.task("one", &[]);
    let trial = world.trial(&[]);
    assert_eq!((&trial["ok"], codes(&trial)), (&json!(true), vec![]), "{trial:#}");
    assert_eq!(episodes(&trial), [("untouched", "fail"), ("untouched_again", "fail")]);
    assert_eq!(trial["app_version"], "app 1.2-3");
    let first = &trial["episodes"][0];
    assert_eq!((&first["setup"]["exit"], &first["export"]["exit"]), (&json!(0), &json!(0)));
    assert_eq!((&first["windows"], &first["peak_memory_mib"]), (&json!(["The application"]), &json!(100)));
    assert_eq!(first["verdict"], json!({ "outcome": "fail", "score": 0.0, "detail": "as the result says" }));
    let evidence = world.trials("one").join("untouched");
    assert_eq!(testkit::names_in(&evidence), ["end.png", "export.log", "files", "setup.log", "start.png"]);
    assert_eq!(world.read(evidence.join("files/_tmp_task_result.json")), r#"{"done": false}"#);
}

#[test]
fn each_fault_has_its_issue() {
    let failing = "echo no display >&2\nexit 1\n";
    let offline = "echo 'Could not resolve host: example.org'\nexit 6\n";
    let stale = format!("{SETUP}{EXPORT}");
    let error = "mkdir -p \"$ROOT/tmp\"\necho '{\"error\": \"no book\"}' >\"$ROOT/tmp/task_result.json\"\n";
    let partly = EXPORT.replace("%s}", "%s, \"score\": 20}");
    // What the application, the process 2, starts meanwhile is not the export's.
    let helper = format!("{EXPORT}echo perl:2 >>\"$ROOT/ps\"\n");
    let leaves = format!("{EXPORT}echo sleep >>\"$ROOT/ps\"\n");
    let closes = format!("{EXPORT}: >\"$ROOT/windows\"\n");
    let always = VERIFIER.replace("is True", "is False");
    let raises = VERIFIER.replace("done = ", "done = missing or ");
    let untouched = r#"{"untouched": [{"files": {"/tmp/task_result.json": {"done": false, "rows": 3}}}]}"#;
    let dialog = "echo 'Fatal Error' >\"$ROOT/windows\"\necho false >\"$ROOT/state\"\n";
    let used_up = ": >\"$ROOT/processes_used_up\"\nexit 1\n";
    let cases: [(&str, &str, &[&str]); 16] = [
        ("setup_task.sh", used_up, &["setup_failed"]),
        ("setup_task.sh", failing, &["setup_failed"]),
        ("setup_task.sh", offline, &["network_needed", "setup_failed"]),
        ("setup_task.sh", "echo false >\"$ROOT/state\"\n", &["app_not_running"]),
        ("setup_task.sh", dialog, &["error_dialog"]),
        ("export_result.sh", failing, &["export_failed"]),
        ("export_result.sh", error, &["export_failed"]),
        ("export_result.sh", "true\n", &["no_result"]),
        ("export_result.sh", &partly, &["score_untouched"]),
        ("export_result.sh", &leaves, &["leaves_processes"]),
        ("export_result.sh", &helper, &[]),
        ("export_result.sh", &closes, &["app_not_running"]),
        ("verifier.py", &always, &["passes_untouched"]),
        ("verifier.py", &raises, &["verifier_fails"]),
        ("fixtures.json", untouched, &["fixture_differs"]),
        ("setup_task.sh", &stale, &[]),
    ];
    let world = World::new();
    for (number, (file, content, _)) in cases.iter().enumerate() {
        world.task(&format!("task_{number:02}"), &[(file, content)]);
    }
    let ran = world.run(&["--once"]);
    let trials = ran.records();
    assert_eq!(trials.len(), cases.len(), "{ran:?}");
    for (trial, (file, content, expected)) in trials.iter().zip(cases) {
        assert_eq!(codes(trial), expected, "{file}: {content}\n{trial:#}");
        let only_warnings =
            trial["issues"].as_array().unwrap().iter().all(|issue| issue["severity"] == "warning");
        assert_eq!(trial["ok"], only_warnings, "{trial:#}");
    }
}

#[test]
fn a_setup_that_gives_another_start_each_time_is_not_repeatable() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", &format!("{SETUP}date +\\\"%N\\\" >\"$ROOT/state\"\n"))]);
    let trial = world.trial(&[]);
    assert_eq!(codes(&trial), ["setup_not_repeatable"], "{trial:#}");
    assert_eq!(trial["episodes"][1]["differences"].as_array().unwrap().len(), 1);
}

#[test]
fn a_result_that_only_the_setup_writes_is_an_artifact() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", &format!("{SETUP}{EXPORT}")), ("export_result.sh", "true\n")]);
    let trial = world.trial(&["--once"]);
    assert_eq!(codes(&trial), ["reads_setup_artifact"], "{trial:#}");
    assert!(trial["issues"][0]["message"].as_str().unwrap().contains("/tmp/task_result.json"), "{trial:#}");
}

#[test]
fn a_blank_screen_is_an_issue() {
    let world = World::new();
    world.engine(&json!({ "blank": true }));
    world.task("one", &[]);
    assert_eq!(codes(&world.trial(&["--once"])), ["blank_screen"]);
}

#[test]
fn a_setup_that_never_ends_is_stopped_at_its_limit() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", "echo waiting\nsleep 60\n")]);
    let spec = world.read(world.task_dir("one").join("task.json"));
    let limited = spec.replace("\"pre_task\"", "\"pre_task_timeout\":1,\"pre_task\"");
    world.write_task_file("one", "task.json", &limited);
    let trial = world.trial(&[]);
    assert_eq!(codes(&trial), ["setup_timeout"], "{trial:#}");
    assert_eq!(trial["episodes"].as_array().unwrap().len(), 1);
    assert_eq!(trial["episodes"][0]["setup"]["timed_out"], true);
}

#[test]
fn logs_of_failed_hooks_are_in_the_record_and_are_short() {
    let world = World::new();
    world.task(
        "one",
        &[("setup_task.sh", "yes 'a long line of output' | head -n 300000\nprintf '\\033[31mred'\nexit 3\n")],
    );
    let trial = world.trial(&[]);
    let log = trial["episodes"][0]["setup"]["log"].as_str().unwrap();
    assert!(log.len() < 2000 && !log.contains('\u{1b}'), "{log}");
    let kept = fs_err::metadata(world.trials("one").join("untouched/setup.log")).unwrap().len();
    assert_eq!(kept, 128 << 10);
}

#[test]
fn a_result_has_other_times_than_its_fixture() {
    let world = World::new();
    let export = EXPORT
        .replace("%s}'", "%s, \"task_start\": 5, \"export_time\": %s}'")
        .replace("\" >", "\" \"$(date +%s)\" >");
    let untouched = r#"{"untouched": [{"files": {"/tmp/task_result.json": {"done": false, "task_start": 1, "export_time": 2}}}]}"#;
    world.task("one", &[("export_result.sh", &export), ("fixtures.json", untouched)]);
    let trial = world.trial(&[]);
    assert_eq!(codes(&trial), [""; 0], "{trial:#}");
}

#[test]
fn bytes_that_are_no_text_do_not_make_a_log_long() {
    let world = World::new();
    world.task("one", &[("setup_task.sh", "head -c 300000 /dev/zero\nexit 3\n")]);
    let trial = world.trial(&[]);
    let log = trial["episodes"][0]["setup"]["log"].as_str().unwrap();
    let message = trial["issues"][0]["message"].as_str().unwrap();
    assert!(log.len() < 2000 && message.len() < 1000, "{} {}", log.len(), message.len());
}

#[test]
fn commands_of_verifiers_run_in_the_container() {
    let world = World::new();
    let verifier = r#"
def verify(traj, env_info, task_info):
    said = env_info["exec_capture"]("cat \"$ROOT/state\"")
    return {"passed": said.strip() == "false", "score": 100, "feedback": repr(said)}
"#;
    world.task("one", &[("verifier.py", verifier)]);
    let trial = world.trial(&["--once"]);
    assert_eq!(trial["episodes"][0]["verdict"]["detail"], r"'false\n'", "{trial:#}");
}
