//! The chain through make.

use std::path::Path;

use testkit::author::task;
use testkit::{ENV, ENVIRONMENTS, Ran, Server};

use crate::world::{World, author_server, program, repository};

/// Runs `make` with these arguments in a workspace, with the stages that are already built.
fn make(world: &World, server: &Server, args: &[&str]) -> Ran {
    let bin = program("stage-amplify");
    Ran::of(
        world
            .command("make", server)
            .arg("-C")
            .arg(repository())
            .args([
                "BUILD=:",
                "SOFTWARE=Books",
                "AGENT=existing",
                "COUNT=4",
                "VERIFY_ARGS=--python none",
                "PROBE=cat",
            ])
            .arg(format!("BIN={}", bin.parent().unwrap().display()))
            .arg(format!("ENV_DIR={ENV}"))
            .arg(format!("WORKSPACE={}", world.root().display()))
            .args(args),
        "",
    )
}

#[test]
fn a_second_run_does_nothing_and_a_lost_manifest_comes_from_the_journal() {
    let (world, server) = (World::new(), author_server());
    let first = make(&world, &server, &["run"]);
    assert_eq!(first.status, Some(0), "{first:?}");
    let (asked, result) = (server.log().len(), world.result());
    assert_eq!(asked, 9);

    let second = make(&world, &server, &["run"]);
    assert_eq!(second.status, Some(0), "{second:?}");
    assert!(!second.stderr.contains("stage-"), "{second:?}");

    fs_err::remove_file(world.run_dir().join("files.jsonl")).unwrap();
    let third = make(&world, &server, &["run"]);
    assert_eq!((third.status, server.log().len()), (Some(0), asked), "{third:?}");
    assert!(third.stderr.contains("stage-verify-spec"), "{third:?}");
    assert_eq!(world.result(), result.replace("\"written\"", "\"kept\""));
}

#[test]
fn more_tasks_are_added_to_existing_ones() {
    let (world, server) = (World::new(), author_server());
    assert_eq!(make(&world, &server, &["run"]).status, Some(0));
    let more = make(&world, &server, &["run", "COUNT=6"]);
    assert_eq!(more.status, Some(0), "{more:?}");
    assert_eq!(server.log().len(), 9 + 5);
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
