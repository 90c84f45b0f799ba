//! `make check-stage`.

use testkit::Ran;

use crate::world::{World, author_server, program, repository};

/// Checks this command as a stage, and waits `patience` seconds for one that does not answer.
fn check(world: &World, stage: &str, patience: &str) -> Ran {
    let mut command = world.command("make", &author_server());
    command.arg("-C").arg(repository()).args(["--no-print-directory", "check-stage"]);
    Ran::of(command.arg(format!("STAGE={stage}")).env("PATIENCE", patience), "")
}

#[test]
fn the_stages_that_read_records_keep_the_contract() {
    let world = World::new();
    let root = world.root().display();
    let stages = [
        format!("{} --workspace {root}", program("stage-extract").display()),
        format!("{} --workspace {root} --python none", program("stage-verify-spec").display()),
        format!("{} --workspace {root} --unsafe", program("stage-probe").display()),
        "examples/stages/drop_by_difficulty.py medium".to_owned(),
    ];
    for stage in stages {
        let ran = check(&world, &stage, "60");
        assert_eq!(ran.status, Some(0), "{stage}: {ran:?}\n{}", ran.stdout);
    }
}

#[test]
fn what_a_stage_breaks_is_named() {
    let world = World::new();
    for (stage, broken) in [
        ("sort -r", "byte for byte and in order: they came out in another order"),
        ("grep -v of_nobody", "byte for byte and in order: of 20 records, 0 came out"),
        ("cat; echo done", "complete records only: b'done' is not a record"),
        ("cat; printf '{'", "complete records only: the last line has no end"),
        ("sed 's/\"annotations\": {.*}/\"x\": 1}/'", "annotations are kept: a `plan` record has lost them"),
        ("cat; exit 7", "exit status 7"),
        ("head -n 1", "of 20 records, 1 came out"),
    ] {
        let ran = check(&world, stage, "5");
        assert_eq!(ran.status, Some(2), "{stage}: {ran:?}\n{}", ran.stdout);
        let is_named = ran.stdout.lines().any(|line| line.starts_with("BROKEN") && line.contains(broken));
        assert!(is_named, "{stage}: {}", ran.stdout);
    }
}
