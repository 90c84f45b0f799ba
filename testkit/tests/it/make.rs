//! The chain through make.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::author::task;
use testkit::{ENV, ENVIRONMENTS, Ran, Server};

use crate::world::{World, author_server, program, repository};

/// The variables of a run.
const RUN: [&str; 3] = ["SOFTWARE=Books", "AGENT=existing", "COUNT=4"];

/// Runs `make` with these arguments and the variables of the run in a workspace, with the stages that are already
/// built.
pub(crate) fn make(world: &World, server: &Server, args: &[&str]) -> Ran {
    bare_make(world, server, &[&RUN[..], args].concat())
}

/// Runs `make` without the variables of the run.
fn bare_make(world: &World, server: &Server, args: &[&str]) -> Ran {
    Ran::of(&mut bare_command(world, server, args), "")
}

/// `make` with these arguments and the variables of the run.
pub(crate) fn make_command(world: &World, server: &Server, args: &[&str]) -> Command {
    bare_command(world, server, &[&RUN[..], args].concat())
}

fn bare_command(world: &World, server: &Server, args: &[&str]) -> Command {
    let bin = program("stage-amplify");
    let mut command = world.command("make", server);
    command
        .arg("-C")
        .arg(repository())
        .args(["BUILD=:", "VERIFY_ARGS=--python none", "PROBE=cat", "VERIFY_TASK=cat"])
        .arg(format!("BIN={}", bin.parent().unwrap().display()))
        .arg(format!("ENV_DIR={ENV}"))
        .arg(format!("WORKSPACE={}", world.root().display()))
        .args(args);
    command
}

#[test]
fn a_second_run_does_nothing_and_a_lost_manifest_comes_from_the_journal() {
    let (world, server) = (World::new(), author_server());
    let first = make(&world, &server, &["run"]);
    assert_eq!(first.status, Some(0), "{first:?}");
    let (asked, result) = (server.log().len(), world.result());
    assert_eq!(asked, 17);
    assert!(first.stderr.contains("tasks: 4 asked, 4 planned, 4 written, 4 valid, 0 bad\n"), "{first:?}");

    let second = make(&world, &server, &["run"]);
    assert_eq!(second.status, Some(0), "{second:?}");
    assert!(!second.stderr.contains("stage-"), "{second:?}");

    fs_err::remove_file(world.run_dir().join("files.jsonl")).unwrap();
    let third = make(&world, &server, &["run"]);
    assert_eq!((third.status, server.log().len()), (Some(0), asked), "{third:?}");
    assert!(third.stderr.contains("stage-verify-spec"), "{third:?}");
    assert_eq!(world.result(), result.replace("\"written\"", "\"kept\""));
}

/// Another command for stage-propose would start its agent again.
#[test]
fn a_run_is_resumed_without_the_variables_that_it_began_with() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(make(&world, &server, &["run", "SEED_COUNT=1"]).status, Some(0));
    for (args, asked) in [(&["run"][..], 17), (&["run", "COUNT=6"], 17 + 9)] {
        let resumed = bare_make(&world, &server, args);
        assert_eq!((resumed.status, server.log().len()), (Some(0), asked), "{resumed:?}");
        assert!(!resumed.stdout.contains("stage-propose"), "{resumed:?}");
        assert!(!resumed.stderr.contains("stage-propose"), "{resumed:?}");
    }
}

#[test]
fn more_tasks_are_added_to_existing_ones() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(make(&world, &server, &["run"]).status, Some(0));
    let more = make(&world, &server, &["run", "COUNT=6"]);
    assert_eq!(more.status, Some(0), "{more:?}");
    assert_eq!(server.log().len(), 17 + 9);
    assert!(world.tasks_dir().join(task(6)).is_dir());
}

#[test]
fn a_stage_is_swapped_by_a_variable() {
    let (world, server) = (World::new(), author_server());
    let swapped = make(&world, &server, &["extract", "EXTRACT=sed s/files/mine/"]);
    assert_eq!(swapped.status, Some(0), "{swapped:?}");
    let tasks = fs_err::read_to_string(world.run_dir().join("tasks.jsonl")).unwrap();
    assert_eq!(tasks.matches("\"record\":\"mine\"").count(), 4);
    assert!(!world.tasks_dir().join(task(1)).exists());
}

#[test]
fn unsupported_arguments_are_reported() {
    let (world, server) = (World::new(), author_server());
    let spaces = make(&world, &server, &["run", "WORKSPACE=a b"]);
    assert_eq!(spaces.status, Some(2));
    assert!(spaces.stderr.contains("path with spaces"), "{spaces:?}");
    let nothing = make(&world, &server, &["run", "SOFTWARE="]);
    assert!(nothing.stderr.contains("make run SOFTWARE="), "{nothing:?}");
    assert_eq!(server.log().len(), 0);
}

#[test]
fn the_demo_writes_fourteen_good_tasks_and_a_second_run_does_nothing() {
    let (world, server) = (World::new(), author_server());
    let demo = format!("DEMO={}", world.path("demo").display());
    let first = make(&world, &server, &["demo", &demo]);
    assert_eq!(first.status, Some(0), "{first:?}");
    let env = world.path("demo").join(ENVIRONMENTS).join("gnucash_env");
    assert!(first.stderr.contains(&format!("the new tasks are in {}/tasks", env.display())), "{first:?}");
    assert!(first.stderr.contains("stage-extract: 14 written"), "{first:?}");
    let verdicts = world.path("demo/task_generation_runs/gnucash_env/verdicts.jsonl");
    assert_eq!(fs_err::read_to_string(verdicts).unwrap().matches("\"ok\":true").count(), 15);

    let second = make(&world, &server, &["demo", &demo]);
    assert_eq!(second.status, Some(0), "{second:?}");
    assert!(!second.stderr.contains("stage-"), "{second:?}");
    assert_eq!(server.log().len(), 0);
}

/// A verifier that passes everything is accepted by the spec check and rejected by the probe.
#[test]
fn a_bad_task_is_repaired() {
    let (world, server) = (World::new(), author_server());
    let task = "write_off_bad_debt";
    let demo = [
        "ENV_DIR=gnucash_env",
        "COUNT=14",
        "MODEL=replay:examples/demo/answers.jsonl",
        // Works where the kernel cannot confine a verifier: the verifiers of this test are harmless.
        "PROBE=$(BIN)/stage-probe $(HERE) --unsafe --mutants 0 --repeat 1",
    ];
    copy_tree(&repository().join("examples/demo/benchmarks"), &world.path("benchmarks"));
    let good = make(&world, &server, &[&["extract"], &demo[..]].concat());
    assert_eq!(good.status, Some(0), "{good:?}");
    let verifier = world.path(ENVIRONMENTS).join("gnucash_env/tasks").join(task).join("verifier.py");
    let constant = format!(
        "def verify_{task}(traj, env_info, task_info):\n    return {{'passed': True, 'score': 100}}\n"
    );
    fs_err::write(&verifier, &constant).unwrap();

    let found = make(&world, &server, &[&["run"], &demo[..]].concat());
    assert_eq!(found.status, Some(2), "{found:?}");
    assert!(found.stderr.contains("constant_pass"), "{found:?}");

    let answers = fs_err::read_to_string(repository().join("examples/demo/answers.jsonl")).unwrap();
    let cure = answers.lines().find(|line| line.contains(&format!("\"files/{task}\""))).unwrap();
    let journal = world.path("cure.jsonl");
    fs_err::write(&journal, cure.replace(&format!("\"files/{task}\""), &format!("\"repair/{task}\"")))
        .unwrap();
    let model = format!("MODEL=replay:{}", journal.display());
    let repaired = make(&world, &server, &["repair", demo[0], demo[1], demo[3], &model]);
    assert_eq!(repaired.status, Some(0), "{repaired:?}");
    assert_ne!(fs_err::read_to_string(&verifier).unwrap(), constant);
}

#[test]
fn a_run_with_solutions_has_the_seeds_solved_too_where_a_filter_adds_them() {
    let (world, server) = (World::new(), author_server());
    copy_tree(&repository().join("examples/demo/benchmarks"), &world.path("benchmarks"));
    let args = [
        "run",
        "ENV_DIR=gnucash_env",
        "COUNT=14",
        "MODEL=replay:examples/demo/answers.jsonl",
        "SOLUTIONS=1",
        "PRE_SOLVE=cat $(RUN_DIR)/seeds.jsonl -",
    ];
    let first = make(&world, &server, &args);
    assert_eq!(first.status, Some(0), "{first:?}");
    let run_dir = world.path("task_generation_runs/gnucash_env");
    assert_eq!(fs_err::read_to_string(run_dir.join("solutions.jsonl")).unwrap().lines().count(), 18);
    for task in ["write_off_bad_debt", "remit_june_sales_tax"] {
        assert!(run_dir.join("solutions").join(task).join("solve.sh").is_file(), "{task}: {first:?}");
    }
    let second = make(&world, &server, &args);
    assert!(!second.stderr.contains("stage-amplify"), "{second:?}");
}

#[test]
fn seeds_are_checked_and_exported_with_the_tasks_of_the_run() {
    let (world, server) = (World::new(), author_server());
    let split = json!({ "env_folder": format!("examples/{ENV}"), "train_tasks": [], "test_tasks": [] });
    let path = world.write("benchmarks/cua_world/splits/demo_split.json", &split.to_string());
    let ran = make(&world, &server, &["run", "EXPORT_ARGS=--require spec"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let listed = fs_err::read_to_string(&path).unwrap();
    let seeds = fs_err::read_to_string(world.run_dir().join("seeds.jsonl")).unwrap();
    let seeds: Vec<Value> = seeds.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!seeds.is_empty());
    let split: Value = serde_json::from_str(&listed).unwrap();
    for seed in &seeds {
        assert!(split["train_tasks"].as_array().unwrap().contains(&seed["task"]), "{listed} {ran:?}");
    }
    assert!(listed.contains(&task(1)), "{listed}");
}

/// A trial in the real software counts like a verdict; it is repeated with the other checks.
#[test]
fn a_task_that_failed_in_the_real_software_is_quarantined() {
    let (world, server) = (World::new(), author_server());
    let issue = json!({ "code": "setup_failed", "severity": "error", "message": "it ended with 1" });
    let trial = json!({ "record": "trial", "env": ENV, "task": task(2), "ok": false, "issues": [issue] });
    let path = world.write("trial.jsonl", &format!("{trial}\n"));
    let verify_task = format!("VERIFY_TASK=cat - {}", path.display());
    assert_eq!(make(&world, &server, &["run", &verify_task]).status, Some(0));
    let moved = bare_make(&world, &server, &["quarantine", &verify_task]);
    assert_eq!(moved.status, Some(0), "{moved:?}");
    assert!(world.run_dir().join("quarantine").join(task(2)).is_dir(), "{moved:?}");

    // What was repaired meanwhile is not moved for an old trial.
    world.write("trial.jsonl", "");
    let nothing = bare_make(&world, &server, &["quarantine", &verify_task]);
    assert_eq!(nothing.status, Some(0), "{nothing:?}");
    assert!(world.tasks_dir().join(task(1)).is_dir(), "{nothing:?}");
}

/// Removes the verifier of a task, so that its verdict is bad.
fn spoil(world: &World, task: &str) {
    fs_err::remove_file(world.tasks_dir().join(task).join("verifier.py")).unwrap();
}

#[test]
fn maintenance_takes_the_variables_of_the_run_from_it_and_never_generates() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(make(&world, &server, &["run"]).status, Some(0));
    let asked = server.log().len();
    spoil(&world, &task(2));

    let quarantined = bare_make(&world, &server, &["quarantine"]);
    assert_eq!(quarantined.status, Some(0), "{quarantined:?}");
    assert_eq!(server.log().len(), asked, "{quarantined:?}");
    assert!(!world.tasks_dir().join(task(2)).exists(), "{quarantined:?}");
    assert!(world.run_dir().join("quarantine").join(task(2)).is_dir());

    spoil(&world, &task(3));
    let repaired = bare_make(&world, &server, &["repair", "ROUNDS=1"]);
    assert!(repaired.stderr.contains(&task(3)), "{repaired:?}");
    let log = server.log();
    assert!(log.len() > asked, "{repaired:?}");
    assert!(log[asked..].iter().all(|logged| logged.asked.prompt.contains(&task(3))), "{repaired:?}");
    let run: serde_json::Value = serde_json::from_str(&world.read(world.run_dir().join("run.json"))).unwrap();
    assert_eq!(run["amplify"]["asked"]["count"], 4);
}

#[test]
fn maintenance_before_a_run_is_an_error() {
    let (world, server) = (World::new(), author_server());
    for target in ["quarantine", "repair"] {
        let ran = bare_make(&world, &server, &[target]);
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("has no tasks.jsonl"), "{ran:?}");
    }
    assert_eq!(server.log().len(), 0);
    assert!(!world.run_dir().exists());
}

#[test]
fn a_quarantined_task_is_not_published_again() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(make(&world, &server, &["run"]).status, Some(0));
    spoil(&world, &task(2));
    assert_eq!(bare_make(&world, &server, &["quarantine"]).status, Some(0));
    let more = make(&world, &server, &["run", "COUNT=6"]);
    assert!(world.tasks_dir().join(task(6)).is_dir(), "{more:?}");
    assert!(!world.tasks_dir().join(task(2)).exists(), "{more:?}");
    assert_eq!(more.status, Some(0), "{more:?}");
}

#[test]
fn a_run_that_a_limit_stopped_is_not_done_and_resumes() {
    let (world, server) = (World::new(), author_server());
    let stopped = make(&world, &server, &["run", "AMPLIFY_ARGS=--max-cost 0.000001"]);
    assert_eq!(stopped.status, Some(2), "{stopped:?}");
    assert!(!stopped.stderr.contains("all done"), "{stopped:?}");
    assert!(stopped.stderr.contains("not complete: amplify"), "{stopped:?}");
    assert!(stopped.stderr.contains("tasks: 4 asked, 0 written"), "{stopped:?}");
    let again = make(&world, &server, &["run", "AMPLIFY_ARGS=--max-cost 0.000001"]);
    assert!(again.stderr.contains("stage-amplify: "), "it did nothing: {again:?}");
    let rest = make(&world, &server, &["run"]);
    assert_eq!(rest.status, Some(0), "{rest:?}");
    assert!(world.tasks_dir().join(task(4)).is_dir());
}

#[test]
fn a_stage_with_bad_lines_or_bad_verdicts_is_not_complete() {
    let (world, server) = (World::new(), author_server());
    let bad = make(&world, &server, &["run", "POST_AMPLIFY=sed 2s/^/x/"]);
    assert_eq!(bad.status, Some(2), "{bad:?}");
    assert!(bad.stderr.contains("not complete: extract"), "{bad:?}");
    assert!(!bad.stderr.contains("all done"), "{bad:?}");

    // A Python stage writes a space after a colon.
    let failure = r#"{"record": "failure", "stage": "mine", "code": "x", "message": "m"}"#;
    let mine = world.write("failing", &format!("#!/bin/sh\ncat\necho '{failure}'\nexit 1\n"));
    let custom = make(&world, &server, &["run", &format!("POST_VERIFY_SPEC=sh {}", mine.display())]);
    assert_eq!(custom.status, Some(2), "{custom:?}");
    assert!(custom.stderr.contains("not complete: verify-spec"), "{custom:?}");
}

#[test]
fn nothing_is_generated_without_seeds_and_the_same_command_tries_again() {
    let (world, server) = (World::new(), author_server());
    for _ in 0..2 {
        let ran = make(
            &world,
            &server,
            &["run", "AGENT=command", "PROPOSE_ARGS=--agent-cmd 'false {prompt_file}'"],
        );
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(
            ran.stderr.contains("stage-propose: ") && ran.stderr.contains("no seed was written"),
            "{ran:?}"
        );
    }
    assert_eq!(server.log().len(), 0);
}

#[test]
fn a_run_that_wrote_no_task_is_not_done() {
    let (world, server) = (World::new(), author_server());
    let ran = make(&world, &server, &["run", "POST_AMPLIFY=sed s/files/mine/"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(!ran.stderr.contains("all done"), "{ran:?}");
}

#[test]
fn the_end_of_a_run_names_bad_tasks_and_their_reasons() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(make(&world, &server, &["run"]).status, Some(0));
    spoil(&world, &task(2));
    fs_err::remove_file(world.run_dir().join("verdicts.jsonl")).unwrap();
    let ran = make(&world, &server, &["run"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    let (_, end) = ran.stderr.split_once("tasks: 4 asked, 4 planned, 4 written, 3 valid, 1 bad\n").unwrap();
    assert!(end.contains(" in 1 task: ") && end.contains(&format!("bad tasks: {}\n", task(2))), "{end}");
    assert!(end.contains("all records: "), "{end}");
}

#[test]
fn a_run_without_python_is_not_done() {
    let (world, server) = (World::new(), author_server());
    let probe = "PROBE=$(BIN)/stage-probe $(HERE) --python no-such-python";
    let ran = make(&world, &server, &["run", probe]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("not complete: probe") && !ran.stderr.contains("all done"), "{ran:?}");
}

#[test]
fn a_filter_and_a_stage_are_one_pipe() {
    let (world, server) = (World::new(), author_server());
    let first = "head -n 1";
    let stage = "$(BIN)/stage-extract $(HERE) --env-dir $(ENV_DIR)";
    let ran = make(&world, &server, &["extract", &format!("EXTRACT={first} | {stage}")]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(world.tasks_dir().join(task(1)).is_dir() && !world.tasks_dir().join(task(2)).exists(), "{ran:?}");

    let filters = ["PRE_EXTRACT=head -n 3", "POST_EXTRACT=tail -n 1"];
    let ran = make(&world, &server, &["extract", filters[0], filters[1]]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(world.tasks_dir().join(task(3)).is_dir() && !world.tasks_dir().join(task(4)).exists(), "{ran:?}");
    let tasks = world.read(world.run_dir().join("tasks.jsonl"));
    assert!(tasks.lines().count() == 1 && tasks.contains(&task(3)), "{tasks}");

    let failing = make(&world, &server, &["extract", "PRE_EXTRACT=false"]);
    assert!(failing.stderr.contains("standard input has no files record"), "{failing:?}");
}

#[test]
fn unknown_variables_are_refused_with_a_suggestion() {
    let (world, server) = (World::new(), author_server());
    for (given, meant) in [("count=3", "COUNT"), ("COUTN=3", "COUNT"), ("NUM_WORKER=2", "NUM_WORKERS")] {
        let ran = make(&world, &server, &["run", given]);
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(&format!("did you mean {meant}?")), "{ran:?}");
    }
    let ran = make(&world, &server, &["run", "xyzzy=1"]);
    assert!(ran.stderr.contains("make help"), "{ran:?}");
    assert_eq!(server.log().len(), 0);
}

#[test]
fn a_misspelled_environment_gets_a_suggestion_and_no_run_directory() {
    let (world, server) = (World::new(), author_server());
    let ran = make(&world, &server, &["run", "ENV_DIR=dmeo_env"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("did you mean demo_env?"), "{ran:?}");
    assert!(!world.path("task_generation_runs").exists());
}

#[test]
fn the_programs_are_found_in_the_target_folder_of_cargo() {
    let (world, server) = (World::new(), author_server());
    let target = world.path("elsewhere");
    let ran = Ran::of(
        world
            .command("make", &server)
            .arg("-C")
            .arg(repository())
            .args(["-n", "verify-spec", "SOFTWARE=Books", "ENV_DIR=demo_env"])
            .arg(format!("WORKSPACE={}", world.root().display()))
            .env("CARGO_HOME", std::env::var_os("CARGO_HOME").unwrap_or_default())
            .env("RUSTUP_HOME", std::env::var_os("RUSTUP_HOME").unwrap_or_default())
            .env("CARGO_TARGET_DIR", &target),
        "",
    );
    assert!(ran.stdout.contains(&format!("{}/release/stage-verify-spec ", target.display())), "{ran:?}");
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from).into_iter().map(Result::unwrap) {
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(&target).unwrap();
        } else {
            fs_err::copy(entry.path(), &target).unwrap();
        }
    }
}

/// A Python stage writes a space after a colon, and a reason may hold anything.
#[test]
fn records_are_read_as_json_whatever_their_form() {
    let (world, server) = (World::new(), author_server());
    let trial = r#"{"record": "trial", "env": "e", "task": "t", "not_run": "no \"engine\" \u001b[1m"}"#;
    let mine = world.write("mine", &format!("#!/bin/sh\ncat\nprintf '%s\\n' 'not JSON' '[1]' '{trial}'\n"));
    let ran = make(&world, &server, &["run", &format!("VERIFY_TASK=sh {}", mine.display())]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("make: 1 not run in the real software: no \"engine\" ?[1m\n"), "{ran:?}");
    assert!(!ran.stderr.contains("Traceback"), "{ran:?}");
}
