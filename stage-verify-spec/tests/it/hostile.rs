//! Malicious and odd task folders.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use fs_err as fs;
use testkit::{ENV_DIR, ENVIRONMENTS, Ran};

use crate::world::{World, verdicts};

/// Runs the stage on the tasks and compares codes by name.
fn check(world: &World, expected: &[&str]) {
    let output = world.run(&[ENV_DIR]);
    assert_eq!(verdicts(&output)[1..], *expected, "{}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn pipes_and_sockets_do_not_block() {
    let world = World::new();
    for name in ["fifo_spec", "fifo_verifier", "socket"] {
        world.add_valid_task(name);
    }
    fs::remove_file(world.task_dir("fifo_spec").join("task.json")).unwrap();
    fifo(&world.tasks_dir().join("fifo_spec/task.json"));
    fifo(&world.tasks_dir().join("fifo_spec/setup_task.sh"));
    fs::remove_file(world.task_dir("fifo_verifier").join("verifier.py")).unwrap();
    fifo(&world.tasks_dir().join("fifo_verifier/verifier.py"));
    fifo(&world.tasks_dir().join("fifo_verifier/setup_task.sh"));
    let socket = world.task_dir("socket").join("verifier.py");
    fs::remove_file(&socket).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    check(
        &world,
        &[
            "fifo_spec: bad parse_error",
            "fifo_verifier: bad invalid_program_verifier",
            "socket: bad invalid_program_verifier",
        ],
    );
}

#[test]
fn links_may_lead_anywhere() {
    let world = World::new();
    for name in ["device", "linked_verifier", "loop", "nowhere"] {
        world.add_valid_task(name);
        fs::remove_file(world.task_dir(name).join("verifier.py")).unwrap();
    }
    let tasks = world.tasks_dir();
    symlink("/dev/zero", tasks.join("device/verifier.py")).unwrap();
    symlink("verifier.py", tasks.join("loop/verifier.py")).unwrap();
    symlink("/nowhere", tasks.join("nowhere/verifier.py")).unwrap();
    world.write("verifier.py", "def verify(): pass");
    symlink(world.path("verifier.py"), tasks.join("linked_verifier/verifier.py")).unwrap();
    symlink(&tasks, tasks.join("loop/tasks")).unwrap();
    symlink("linked_verifier", tasks.join("linked_task")).unwrap();
    symlink("gone", tasks.join("gone_task")).unwrap();
    check(
        &world,
        &[
            "device: bad invalid_program_verifier",
            "linked_task: ok other_id",
            "linked_verifier: ok",
            "loop: bad invalid_program_verifier",
            "nowhere: bad invalid_program_verifier",
        ],
    );
}

#[test]
fn size_and_depth_are_bounded() {
    let world = World::new();
    for name in ["deep_json", "deep_python", "huge_spec", "huge_verifier", "wide"] {
        world.add_valid_task(name);
    }
    let tasks = world.tasks_dir();
    // Holes: nothing is written.
    for file in ["huge_verifier/verifier.py", "huge_spec/task.json"] {
        fs::File::create(tasks.join(file)).unwrap().set_len(1 << 30).unwrap();
    }
    fs::write(tasks.join("deep_json/task.json"), "[".repeat(100_000)).unwrap();
    fs::write(tasks.join("deep_python/verifier.py"), "(".repeat(100_000)).unwrap();
    fs::write(
        tasks.join("wide/verifier.py"),
        format!("def verify(): pass\nx = [{}]\n", "1,".repeat(100_000)),
    )
    .unwrap();
    check(
        &world,
        &[
            "deep_json: bad parse_error",
            "deep_python: bad invalid_program_verifier",
            "huge_spec: bad parse_error",
            "huge_verifier: bad invalid_program_verifier",
            "wide: ok",
        ],
    );
}

#[test]
fn names_and_files_need_not_be_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    world.add_valid_task("a");
    let odd = world.tasks_dir().join(OsStr::from_bytes(b"z\xff"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("task.json"), b"{\"id\": \"\xff\"}").unwrap();
    check(&world, &["a: ok", "z\u{fffd}: bad parse_error"]);
}

#[test]
fn a_folder_may_be_a_file() {
    let world = World::new();
    world.add_valid_task("a");
    world.write_env_file("tasks/file", "");
    fs::create_dir_all(world.task_dir("b").join("task.json")).unwrap();
    check(&world, &["a: ok", "b: bad parse_error"]);
    let world = World::new();
    fs::remove_dir(world.tasks_dir()).unwrap();
    world.write_env_file("tasks", "");
    check(&world, &[]);
}

/// What may not be read is said of the spec that it is about, and the rest is checked.
#[test]
fn unreadable_files_are_reported() {
    let world = World::new();
    for name in ["blind", "closed", "open", "secret_spec", "secret_verifier"] {
        world.add_valid_task(name);
    }
    world.add_env("locked_env");
    world.add_env("tasks_closed_env");
    let closed = [
        ("demo_env/tasks/blind", 0o311),
        ("demo_env/tasks/closed", 0o000),
        ("demo_env/tasks/secret_spec/task.json", 0o200),
        ("demo_env/tasks/secret_verifier/verifier.py", 0o200),
        ("locked_env", 0o000),
        ("tasks_closed_env/tasks", 0o000),
    ];
    let set_modes = |mode_of: &dyn Fn(u32) -> u32| {
        for (name, mode) in closed {
            let path = world.path(ENVIRONMENTS).join(name);
            fs::set_permissions(path, PermissionsExt::from_mode(mode_of(mode))).unwrap();
        }
    };
    set_modes(&|mode| mode);
    let output = Ran::of(&mut as_ordinary_user(&world, &["--python", "none", ENVIRONMENTS]), "");
    set_modes(&|_| 0o755);
    let expected = [
        "demo_env: ok",
        "blind: ok",
        "closed: bad parse_error",
        "open: ok",
        "secret_spec: bad parse_error",
        "secret_verifier: bad invalid_program_verifier",
        "locked_env: bad parse_error unreadable_tasks",
        "tasks_closed_env: ok unreadable_tasks",
    ];
    assert_eq!(verdicts(&output), expected, "{}", output.stderr);
    assert_eq!(output.status, Some(1), "{}", output.stderr);
}

/// The command as somebody whom modes of files keep out, as they do not keep out root.
fn as_ordinary_user(world: &World, args: &[&str]) -> Command {
    const UNPRIVILEGED: u32 = 65_534;
    let command = world.command(args);
    if fs::metadata(world.path(".")).unwrap().uid() != 0 {
        return command;
    }
    // Where root has built the program, other users may have no access. A copy that this process had written itself
    // could not be started while a child of another test still has it open.
    let program = world.path("stage-verify-spec");
    assert!(Command::new("cp").arg(command.get_program()).arg(&program).status().unwrap().success());
    fs::set_permissions(world.path("."), PermissionsExt::from_mode(0o755)).unwrap();
    let mut ordinary = Command::new(program);
    ordinary
        .args(command.get_args())
        .current_dir(world.path("."))
        .uid(UNPRIVILEGED)
        .gid(UNPRIVILEGED)
        .env_clear();
    for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        ordinary.env(name, value);
    }
    ordinary.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ordinary
}
