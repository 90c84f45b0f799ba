//! Invalid input: one clear message, the right exit status, no panic.

use std::os::unix::fs::PermissionsExt;

use testkit::{ENV, ENV_DIR, Server};

use crate::world::{World, author_server};

/// Runs a command that fails. It exits with `code` and prints one error that contains all of `words`.
fn check(world: &World, server: &Server, script: &str, code: i32, words: &[&str]) {
    let ran = world.shell(script, server);
    assert_eq!(ran.status, Some(code), "{script}: {ran:?}");
    assert_eq!(ran.stdout, "", "{script}");
    let about: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("error")).collect();
    assert_eq!(about.len(), 1, "{script}: {ran:?}");
    for word in words {
        assert!(about[0].contains(word), "{script}: {word} is not in {}", about[0]);
    }
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
}

#[test]
fn a_missing_environment_is_named_with_the_searched_folders() {
    let (world, server) = (World::new(), author_server());
    let amplify = "stage-amplify --workspace . --software B --env-dir no_such_env";
    check(&world, &server, amplify, 2, &["no_such_env", "benchmarks/cua_world/environments", "--env-dir"]);
    let propose = "stage-propose --workspace . --software B --env-dir no_such_env --agent existing";
    check(&world, &server, propose, 2, &["no_such_env", "--env-dir"]);
    check(&world, &server, "stage-extract --workspace . --env-dir no_such_env", 2, &["no_such_env"]);
    check(&world, &server, "stage-verify-spec no_such_env", 2, &["no_such_env"]);
}

#[test]
fn a_missing_key_is_named() {
    let (world, server) = (World::new(), author_server());
    let script = "env -u GEMINI_API_KEY stage-amplify $A --software Books --count 2";
    check(&world, &server, script, 2, &["GEMINI_API_KEY"]);
    assert_eq!(server.log().len(), 0);
}

#[test]
fn invalid_lines_are_reported_by_number_and_skipped() {
    let (world, server) = (World::new(), author_server());
    let ran = world.shell(r#"printf '{"record":"mine"}\n{"rec\n[]\n{"record":"mine"}\n' >in.jsonl; stage-extract $A -i in.jsonl"#, &server);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), 2);
    for line in ["in.jsonl:2:", "in.jsonl:3:", "in.jsonl has no files record"] {
        assert!(ran.stderr.contains(line), "{ran:?}");
    }
}

#[test]
fn a_run_directory_that_cannot_be_created_is_named() {
    let (world, server) = (World::new(), author_server());
    fs_err::write(world.path("file"), "").unwrap();
    let script = "stage-amplify $A --software Books --count 2 --run-dir file/run";
    check(&world, &server, script, 2, &["file/run", "--run-dir"]);
}

#[test]
fn a_directory_that_is_not_writable_is_named() {
    let (world, server) = (World::new(), author_server());
    let tasks = world.tasks_dir();
    fs_err::set_permissions(&tasks, PermissionsExt::from_mode(0o555)).unwrap();
    let for_root = fs_err::write(tasks.join("probe"), "").is_ok();
    if !for_root {
        let script = "stage-amplify $A --software Books --count 2 | stage-extract $A";
        check(&world, &server, script, 2, &[ENV, "tasks"]);
    }
    fs_err::set_permissions(&tasks, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn an_unreadable_spec_is_a_bad_verdict() {
    let (world, server) = (World::new(), author_server());
    fs_err::write(world.env_dir().join("env.json"), "{\"id\": ").unwrap();
    let ran = world.shell(&format!("stage-verify-spec --python none {ENV_DIR}"), &server);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("\"code\":\"parse_error\""), "{ran:?}");
}
