//! The chain as a pipe.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc;

use testkit::author::{Call, call, good, task};
use testkit::{Play, Server, files_below};

use crate::world::{World, author_server, verdicts};

const CHAIN: &str = "stage-propose $A --software Books --agent existing \
     | stage-amplify $A --software Books --count 8 --num-workers 3 \
     | stage-extract $A \
     | stage-verify-spec $A --python none";

#[test]
fn four_stages_in_a_pipe_give_a_verdict_for_every_task() {
    let (world, server) = (World::new(), author_server());
    let ran = world.shell(CHAIN, &server);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let verdicts = verdicts(&ran);
    assert_eq!(verdicts.len(), 8, "{ran:?}");
    for (number, verdict) in (1..).zip(&verdicts) {
        assert_eq!((&verdict["task"], &verdict["ok"]), (&task(number).into(), &true.into()), "{verdict}");
        assert!(world.tasks_dir().join(task(number)).join("verifier.py").is_file());
    }
}

#[test]
fn two_runs_in_two_workspaces_are_byte_identical() {
    let results = [World::new(), World::new()].map(|world| {
        let ran = world.shell(CHAIN, &author_server());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        world.result()
    });
    assert_eq!(results[0], results[1]);
}

/// The model holds back the last task's files until the chain has written the first task's verdict.
#[test]
fn a_verdict_is_written_while_calls_are_in_flight() {
    let world = World::new();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let server = Server::start(move |asked| {
        if call(asked) == Call::Files(task(8)) {
            let _ = released.lock().unwrap().recv();
        }
        Play::Answer(good(asked))
    });
    let mut amplify = world.stage("stage-amplify", &server).stdout(Stdio::piped()).spawn().unwrap();
    let files = amplify.stdout.take().unwrap();
    let mut extract =
        world.stage("stage-extract", &server).stdin(files).stdout(Stdio::piped()).spawn().unwrap();
    let tasks = extract.stdout.take().unwrap();
    let mut verify =
        world.stage("stage-verify-spec", &server).stdin(tasks).stdout(Stdio::piped()).spawn().unwrap();

    let mut verdicts = BufReader::new(verify.stdout.take().unwrap()).lines();
    // The environment's own verdict comes ahead of its first task's.
    assert!(verdicts.next().unwrap().unwrap().contains("env.json"));
    let first = verdicts.next().unwrap().unwrap();
    assert!(first.contains(&task(1)), "{first}");
    release.send(()).unwrap();
    assert_eq!(verdicts.count(), 7);
    for child in [&mut amplify, &mut extract, &mut verify] {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_custom_stage_can_stand_anywhere() {
    let world = World::new();
    let ran = world.shell(
        &CHAIN.replace("| stage-extract", "| drop_by_difficulty.py very_hard | stage-extract"),
        &author_server(),
    );
    assert_eq!(verdicts(&ran).len(), 0, "{ran:?}");
    assert!(ran.stderr.contains("8 records dropped"), "{ran:?}");
    let dropped = ran.records().into_iter().filter(|record| record["record"] == "dropped");
    assert_eq!(dropped.filter(|record| record["code"] == "difficulty" && record["of"] == "files").count(), 8);

    let world = World::new();
    let ran = world.shell(
        &CHAIN.replace("| stage-extract", "| drop_by_difficulty.py easy | stage-extract"),
        &author_server(),
    );
    assert_eq!(verdicts(&ran).len(), 8, "{ran:?}");
}

#[test]
fn unknown_records_pass_through_unchanged() {
    let world = World::new();
    let line = r#"{"record":"mine",  "x": 1.50, "env":"e"}"#;
    let chain = "stage-extract $A | stage-verify-spec $A --python none";
    let ran = world.shell(&format!("printf '%s\\n' '{line}' | {chain}"), &author_server());
    // They are passed on, and there is nothing to do for these stages.
    assert_eq!((ran.status, ran.stdout), (Some(2), format!("{line}\n")));
}

/// A wrong manifest must not replace the stage's own.
#[test]
fn an_input_without_a_needed_record_is_refused_and_changes_nothing() {
    let (world, server) = (World::new(), author_server());
    let ran = world.shell(&format!("{CHAIN} | stage-probe --workspace . --env-dir demo_env"), &server);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let manifests = || {
        let mut files = files_below(&world.run_dir());
        files.retain(|name, _| {
            std::path::Path::new(name).extension().is_none_or(|extension| extension != "lock")
        });
        files
    };
    let before = manifests();
    for (stage, needs) in [
        ("stage-extract $A", "files"),
        ("stage-extract $A --quarantine", "verdict or probe or trial or decision"),
        ("stage-verify-spec $A --python none", "task"),
        ("stage-verify-spec $A --python none --format text", "task"),
        ("stage-probe $A", "task or verdict"),
    ] {
        let ran = world.shell(&format!("{stage} <task_generation_runs/demo_env/seeds.jsonl"), &server);
        assert_eq!(ran.status, Some(2), "{stage}: {ran:?}");
        let expected = format!("standard input has no {needs} record, so there is nothing to do");
        assert!(ran.stderr.contains(&expected), "{stage}: {ran:?}");
        assert!(manifests() == before, "{stage}: {ran:?}");
    }
}

#[test]
fn every_stage_finds_the_run_directory_in_the_records() {
    let (world, server) = (World::new(), author_server());
    let chain = "stage-propose $A --software Books --agent existing \
        | stage-amplify $A --software Books --count 2 \
        | stage-extract --workspace . | stage-verify-spec --workspace . --python none | stage-probe --workspace .";
    let ran = world.shell(chain, &server);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for (manifest, kind) in [("tasks", "task"), ("verdicts", "verdict"), ("probes", "probe")] {
        let text = world.read(world.run_dir().join(format!("{manifest}.jsonl")));
        assert!(text.contains(&format!("\"record\":\"{kind}\"")), "{manifest}: {text}");
    }
    // Records of several environments belong into none of their run directories.
    let before = world.read(world.run_dir().join("tasks.jsonl"));
    world.add_env("other_env");
    let other = world
        .read(world.run_dir().join("files.jsonl"))
        .replace("\"env\":\"demo_env\"", "\"env\":\"other_env\"");
    world.write("other.jsonl", &other);
    let both = "cat task_generation_runs/demo_env/files.jsonl other.jsonl | stage-extract --workspace .";
    let ran = world.shell(both, &server);
    assert_eq!((ran.status, ran.records().len()), (Some(0), 4), "{ran:?}");
    assert_eq!(world.read(world.run_dir().join("tasks.jsonl")), before);
    assert!(!world.path("task_generation_runs/other_env").exists());
}

#[test]
fn no_stage_works_in_the_run_directory_of_another_environment() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(world.shell(CHAIN, &server).status, Some(0));
    world.add_env("other_env");
    for stage in ["propose --agent existing", "extract", "verify-spec", "probe"] {
        let script = format!("stage-{stage} $A --env-dir other_env --run-dir task_generation_runs/demo_env")
            .replace("$A", "--workspace .");
        let ran = world.shell(&script, &server);
        assert_eq!(ran.status, Some(2), "{stage}: {ran:?}");
        assert!(
            ran.stderr.contains("is the run directory of demo_env, not of other_env"),
            "{stage}: {ran:?}"
        );
    }
}

/// Also what a row of the plan says of its task reaches the end. The model does not see annotations.
#[test]
fn annotations_reach_every_record_of_a_task() {
    let (world, server) = (World::new(), author_server());
    let planned = world.shell("stage-amplify $A --software Books --count 2 --pass plan", &server);
    let annotated =
        planned.stdout.replacen('{', r#"{"annotations":{"reviewed_by":"N. N.","difficulty":"mine"},"#, 1);
    world.write("rows.jsonl", &annotated);
    let script = "stage-amplify $A --software Books --count 2 --pass readme,files <rows.jsonl | tee files \
         | stage-extract $A | tee tasks | stage-verify-spec $A --python none | tee verdicts \
         | stage-probe --unsafe --repeat 1";
    let ran = world.shell(script, &server);
    let mut found = 0;
    for name in ["files", "tasks", "verdicts"] {
        for line in world.read(name).lines().filter(|line| line.contains(&format!("{:?}", task(1)))) {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let annotations = &record["annotations"];
            assert_eq!(annotations["reviewed_by"], "N. N.", "{name}: {line}");
            assert_eq!(annotations["difficulty"], "mine", "{name}: {line}");
            assert!(annotations["occupation"].is_string() && annotations["features"].is_array(), "{line}");
            found += 1;
        }
    }
    assert_eq!(found, 3, "{ran:?}");
    let probes: Vec<_> = ran.records().into_iter().filter(|record| record["record"] == "probe").collect();
    assert_eq!(probes.len(), 2, "{ran:?}");
    assert_eq!(probes[0]["annotations"]["reviewed_by"], "N. N.");
    assert_eq!(probes[1]["annotations"]["difficulty"], "very_hard");
    assert!(server.log().iter().all(|logged| !logged.asked.prompt.contains("reviewed_by")));
}

#[test]
fn a_closed_pipe_ends_the_chain_quietly() {
    let (world, server) = (World::new(), author_server());
    let ran = world.shell(&format!("{CHAIN} 2>errors | head -n 1 >first; cat errors"), &server);
    // It may finish before the pipe is closed and print "0 errors".
    assert!(!ran.stdout.contains("panicked") && !ran.stdout.contains("error:"), "{ran:?}");
    assert!(fs_err::read_to_string(world.path("first")).unwrap().contains("verdict"));
}

#[test]
fn each_request_of_the_chain_is_sent_once() {
    let (world, server) = (World::new(), author_server());
    let ran = world.shell(CHAIN, &server);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let asked = server.log().len();
    let first = world.result();
    // Now the environment contains the tasks of the run, and its list of seeds names them.
    let ran = world.shell(CHAIN, &server);
    assert_eq!((ran.status, server.log().len()), (Some(0), asked), "{ran:?}");
    let but_for_seeds = |result: &str| {
        let lines = result.lines().filter(|line| !line.contains(r#""record":"seed""#));
        lines.map(|line| line.replace("\"written\"", "\"kept\"") + "\n").collect::<String>()
    };
    assert_eq!(but_for_seeds(&world.result()), but_for_seeds(&first));
    let prompts: HashSet<String> = server.log().into_iter().map(|logged| logged.asked.prompt).collect();
    assert_eq!(prompts.len(), asked);
}
