//! The table of a fleet, and what is shown of its runs. The workflow itself needs Snakemake: `make test-fleet`.

use testkit::{ENV, Ran};

use crate::world::{World, author_server, program, repository};

/// Runs `make fleet-status` on a table with these lines.
fn status(world: &World, table: &str) -> Ran {
    let server = author_server();
    let bin = program("stage-report");
    let envs = world.write("envs.tsv", table);
    Ran::of(
        world
            .command("make", &server)
            .arg("-C")
            .arg(repository())
            .args(["--no-print-directory", "BUILD=:", "fleet-status"])
            .arg(format!("BIN={}", bin.parent().unwrap().display()))
            .arg(format!("WORKSPACE={}", world.root().display()))
            .arg(format!("ENVS={}", envs.display())),
        "",
    )
}

#[test]
fn every_error_of_a_table_names_line_and_column() {
    let world = World::new();
    let table = format!(
        "# a comment\nenv\tsoftware\tcount\tbudget\tplatform\n\n{ENV}\tBooks\tmany\t$5\tplan9\nno_env\t\n{ENV}\tBooks\n"
    );
    let ran = status(&world, &table);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    for error in [
        "envs.tsv:4: count: 'many' is not a whole number from 1",
        "envs.tsv:4: budget: '$5' is not an amount in US dollars",
        "envs.tsv:4: platform: 'plan9' is not one of linux, web",
        "envs.tsv:5: software: is empty",
        "envs.tsv:5: env: there is no folder ",
    ] {
        assert!(ran.stderr.contains(error), "{error}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("envs.tsv:6"), "{}", ran.stderr);

    let unknown = status(&world, "env\tsoftwear\n");
    assert!(unknown.stderr.contains("envs.tsv:1: softwear: is not a column; the columns are env, software"));
    let twice = status(&world, &format!("env\tsoftware\n{ENV}\tBooks\n{ENV}\tBooks\n"));
    assert!(twice.stderr.contains("envs.tsv:3: env: demo_env is in the table twice"), "{twice:?}");
}

#[test]
fn environments_that_were_not_started_are_named() {
    let world = World::new();
    let ran = status(&world, &format!("env\tsoftware\n{ENV}\tBooks\n"));
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "not started: demo_env\n"), "{ran:?}");
}
