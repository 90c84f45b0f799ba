//! Verifiers that try to break out of the sandbox, to exhaust the machine, or to forge a record. Each is a file
//! in `escapes/`. Such a verifier passes if and only if it succeeds.

use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use serde_json::json;
use testkit::{Ran, names_in};

use crate::world::{PROGRAM, World, confines, is_running};

/// The code around every attempt.
const FRAME: &str = r#"

class Denied(Exception):
    pass


def denied():
    raise Denied


def only_once(env_info):
    try:
        env_info["copy_from_env"]("/tmp/result.json", "/tmp/result.json")
    except FileNotFoundError:
        return
    raise Denied


def verify_attempt(traj, env_info, task_info):
    try:
        got = attempt(task_info["metadata"], env_info)
    except BaseException as error:
        return {"passed": False, "score": 0, "feedback": type(error).__name__ + ": " + str(error)[:100]}
    return {"passed": True, "score": 100, "feedback": "got " + str(got)[:200]}


verify = globals().get("verify", verify_attempt)
"#;

/// The user and group that own nothing.
const UNPRIVILEGED: u32 = 65534;

#[test]
fn no_verifier_escapes_from_a_probe_run_by_this_user() {
    let world = World::new();
    if confines(world.command(PROGRAM)) {
        check_escapes(&world, |world| world.command(PROGRAM));
    }
}

#[test]
fn no_verifier_escapes_from_a_probe_run_by_nobody() {
    let world = World::new();
    let Some(program) = program_for_nobody(&world) else { return };
    let command = |world: &World| {
        let mut command = world.command(&program);
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED).env("PATH", "/usr/bin:/bin");
        command
    };
    if confines(command(&world)) {
        check_escapes(&world, command);
    }
}

#[test]
fn without_a_sandbox_nothing_is_probed_by_default() {
    let world = World::new();
    world.task("one", "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n");
    // In a user namespace that cannot contain another one.
    let script = r#"echo 0 > /proc/sys/user/max_user_namespaces && echo ready >&2 && exec "$@""#;
    let probe = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-U", "-r", "sh", "-c", script, "sh", PROGRAM]).arg(world.env_dir()).args(arguments);
        Ran::of(&mut command, "")
    };
    let refused = probe(&[]);
    if !refused.stderr.starts_with("ready") {
        eprintln!("skipped: cannot disable user namespaces: {}", refused.stderr);
        return;
    }
    assert_eq!((refused.status, refused.records().len()), (Some(2), 0));
    assert!(refused.stderr.contains("verifiers cannot be confined on this machine"), "{}", refused.stderr);
    let asked = probe(&["--unsafe"]);
    assert!(asked.stderr.contains("verifiers are run unconfined"), "{}", asked.stderr);
}

/// A copy of the program that this user can start.
fn program_for_nobody(world: &World) -> Option<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can change the user");
        return None;
    }
    if !Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: /usr/bin/python3 is missing, which every user can run");
        return None;
    }
    let program = world.path("stage-probe");
    fs::copy(PROGRAM, &program).unwrap();
    fs::set_permissions(world.root(), std::fs::Permissions::from_mode(0o755)).unwrap();
    Some(program)
}

fn check_escapes(world: &World, command: impl Fn(&World) -> Command) {
    let outside = tempfile::tempdir().unwrap();
    // Every user may write here: only the sandbox denies it to a verifier.
    fs::set_permissions(outside.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).ok();
    let name = format!("stage-probe-test-{}-{port}", std::process::id());
    let abstract_socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let socket = UnixListener::bind(outside.path().join("listening")).unwrap();
    // A duration for `sleep` that identifies the process.
    let marker = format!("{}{port}", std::process::id());
    let metadata = json!({
        "folder": outside.path(), "program": PROGRAM, "port": port, "socket": name,
        "pid": std::process::id(), "marker": marker,
    });

    let attempts = attempts();
    for (name, source) in &attempts {
        world.task_with(name, &format!("{source}{FRAME}"), &metadata);
    }
    let mut command = command(world);
    command
        .arg(world.env_dir())
        .args(["--repeat", "1", "--timeout", "2"])
        .env("ANTHROPIC_API_KEY", "sk-ant-x");
    let ended = Ran::of(&mut command, "");

    check_records(&ended, &attempts.iter().map(|(name, _)| name.clone()).collect());
    tcp.set_nonblocking(true).unwrap();
    assert!(tcp.accept().is_err(), "a verifier connected");
    abstract_socket.set_nonblocking(true).unwrap();
    assert!(abstract_socket.accept().is_err(), "a verifier reached an abstract socket");
    socket.set_nonblocking(true).unwrap();
    assert!(socket.accept().is_err(), "a verifier reached a socket in the file system");
    if let Some(udp) = udp {
        udp.set_nonblocking(true).unwrap();
        assert!(udp.recv(&mut [0; 16]).is_err(), "a verifier sent a datagram");
    }
    assert_eq!(names_in(outside.path()), ["listening", "secret"]);
    for (name, _) in &attempts {
        assert_eq!(names_in(&world.task_dir(name)), ["task.json", "verifier.py"], "{name}");
    }
    assert!(!is_running(&marker), "a verifier left a process behind");
}

/// Checks that there is one record for each task, and that none passes.
fn check_records(ended: &Ran, tasks: &BTreeSet<String>) {
    let records = ended.records();
    let named: Vec<&str> = records.iter().map(|record| record["task"].as_str().unwrap()).collect();
    assert_eq!(named, tasks.iter().map(String::as_str).collect::<Vec<_>>(), "{}", ended.stderr);
    for record in &records {
        assert_eq!(record["record"], "probe", "{record}");
        let states = record["states"].as_array().unwrap();
        assert_eq!(states.len(), 4, "{record}");
        for state in states {
            assert_ne!(state["outcome"], "pass", "{}: {state}", record["task"]);
        }
    }
}

fn attempts() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/escapes");
    let mut attempts: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    attempts.sort();
    attempts
}
