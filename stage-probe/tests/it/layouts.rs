//! Layouts of Python installations. Each test is named for its letter in the list of those that once failed.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use tempfile::TempDir;
use testkit::Ran;

use crate::world::{PROGRAM, World, confines};

/// The path of the Python that the tests use by default.
fn python() -> PathBuf {
    let script = "import sys; print(sys.executable)";
    let output = Command::new("python3").args(["-c", script]).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Creates a virtual environment in a folder and returns its Python.
fn virtual_environment(folder: &Path, arguments: &[&str]) -> PathBuf {
    let mut command = Command::new(python());
    command.args(["-m", "venv", "--without-pip"]).args(arguments).arg(folder);
    assert!(command.status().unwrap().success());
    folder.join("bin/python")
}

/// Whether this machine confines programs of the default Python.
fn is_confined() -> bool {
    confines(World::new().command(PROGRAM))
}

/// Checks that the self-test runs with a Python, and that everything is denied.
#[track_caller]
fn check(python: impl AsRef<OsStr>, dir: &Path, environment: &[(&str, &OsStr)]) {
    let mut command = World::new().command(PROGRAM);
    command.arg("--self-test").arg("--python").arg(python).current_dir(dir);
    command.envs(environment.iter().copied());
    let ran = Ran::of(&mut command, "");
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
}

/// A new folder below `parent`, if this user can create one there.
fn folder_in(parent: &str) -> Option<TempDir> {
    let found = tempfile::tempdir_in(parent);
    if found.is_err() {
        eprintln!("skipped: cannot create a folder in {parent}");
    }
    found.ok()
}

#[test]
fn b1_a_python_may_be_in_any_folder() {
    if !is_confined() {
        return;
    }
    for parent in ["/tmp", "/mnt", "/srv", "/var", "/var/tmp", "/opt"] {
        let Some(dir) = folder_in(parent) else { continue };
        for arguments in [&["--symlinks"][..], &["--copies"]] {
            let python = virtual_environment(&dir.path().join(arguments[0]), arguments);
            check(&python, dir.path(), &[]);
        }
    }
}

#[test]
fn b2_a_python_may_be_behind_links() {
    if !is_confined() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let python = python();
    let prefix = fs::canonicalize(&python).unwrap().ancestors().nth(2).unwrap().to_owned();
    // As uv does: a versioned folder, a link to it, and a link in a folder for programs.
    let managed = dir.path().join("share/cpython");
    let local = dir.path().join(".local/bin");
    fs::create_dir_all(dir.path().join("share")).unwrap();
    fs::create_dir_all(&local).unwrap();
    symlink(&prefix, &managed).unwrap();
    symlink("../../share/cpython/bin/python3", local.join("python3.x")).unwrap();
    check(managed.join("bin/python3"), dir.path(), &[]);
    check(local.join("python3.x"), dir.path(), &[]);
    check(local.join("python3.x"), dir.path(), &[("HOME", dir.path().as_os_str())]);
}

#[test]
fn b3_a_loader_may_be_outside_the_prefix() {
    if !is_confined() {
        return;
    }
    let loader = b"/lib64/ld-linux-x86-64.so.2";
    let Some(dir) = tempfile::Builder::new().prefix("").rand_bytes(1).tempdir_in("/srv").ok() else { return };
    let python = virtual_environment(&dir.path().join("venv"), &["--copies"]);
    let program = fs::read(fs::canonicalize(&python).unwrap()).unwrap();
    let Some(start) = program.windows(loader.len()).position(|window| window == loader) else { return };
    let moved = dir.path().join("ld-linux-x86-64.so.2");
    // The path has the length of the usual one.
    assert_eq!(moved.as_os_str().len(), loader.len());
    fs::copy("/lib64/ld-linux-x86-64.so.2", dir.path().join("real.so.2")).unwrap();
    symlink("real.so.2", &moved).unwrap();
    let mut program = program;
    program[start..start + loader.len()].copy_from_slice(moved.as_os_str().as_encoded_bytes());
    fs::remove_file(&python).unwrap();
    fs::write(&python, program).unwrap();
    fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    check(&python, dir.path(), &[]);
}

#[test]
fn b4_libraries_may_be_in_the_library_path() {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    let script =
        "import zlib; print(*[l.split()[-1] for l in open('/proc/self/maps') if '/libz.so' in l][:1])";
    let output = Command::new(python()).args(["-c", script]).output().unwrap();
    let library = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    if !library.is_file() {
        eprintln!("skipped: this Python has no separate libz");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("libz.so.1");
    fs::copy(&library, &copy).unwrap();
    let path = std::env::join_paths([dir.path(), Path::new("/nowhere")]).unwrap();
    check(python(), dir.path(), &[("LD_LIBRARY_PATH", &path)]);
    let verifier = format!(
        "import os\ndef verify(a, b, c):\n    seen = os.path.exists({:?}) and os.environ['LD_LIBRARY_PATH']\n    return {{'passed': False, 'score': 0, 'feedback': str(seen)}}\n",
        copy.display().to_string()
    );
    world.task("one", &verifier);
    let mut command = world.command(PROGRAM);
    command.arg(world.env_dir()).args(["--repeat", "1"]).env("LD_LIBRARY_PATH", &path);
    let record = Ran::of(&mut command, "").record();
    assert_eq!(record["states"][0]["detail"], dir.path().display().to_string());
}

#[test]
fn b5_the_path_of_a_python_may_be_relative() {
    if !is_confined() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    virtual_environment(&dir.path().join("venv"), &[]);
    check("venv/bin/python", dir.path(), &[]);
    check("./venv/bin/python3", dir.path(), &[]);
}

#[test]
fn b_a_root_that_may_not_mount_is_treated_like_a_user() {
    if !is_confined() || !rustix::process::geteuid().is_root() {
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-sys_admin", PROGRAM, "--self-test"]);
    check_setpriv(command);
}

/// Checks that a command of setpriv passes, if that program is there.
#[track_caller]
fn check_setpriv(mut command: Command) {
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => eprintln!("skipped: setpriv is missing"),
    }
}

/// Without the capability, root has no id in a new user namespace. It becomes an ordinary user before.
#[test]
fn b_a_root_that_may_not_be_mapped_becomes_another_user() {
    if !is_confined() || !rustix::process::geteuid().is_root() {
        return;
    }
    let mut command = Command::new("setpriv");
    // A Python and a program that other users can read.
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = dir.path().join("stage-probe");
    fs::copy(PROGRAM, &program).unwrap();
    command.args(["--bounding-set", "-sys_admin,-setfcap"]).arg(program);
    command.args(["--self-test", "--python", "/usr/bin/python3"]);
    check_setpriv(command);
}

/// As Docker's default profile does.
#[test]
fn b_a_system_call_filter_that_denies_namespaces_is_named() {
    let filter = "import ctypes, os, platform, struct, sys
unshare = {'x86_64': 272, 'aarch64': 97}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, unshare), (6, 0, 0, 0x50001), (6, 0, 0, 0x7FFF0000)]
program = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *step) for step in steps))
header = struct.pack('HxxxxxxP', len(steps), ctypes.addressof(program))
libc = ctypes.CDLL(None)
sys.exit(libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, header, 0, 0) or os.execv(sys.argv[1], sys.argv[1:]))
";
    let mut command = Command::new(python());
    command.args(["-c", filter, PROGRAM, "--self-test"]);
    let ran = Ran::of(&mut command, "");
    assert_eq!(ran.status, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot enter namespaces"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--security-opt seccomp=unconfined"), "{}", ran.stderr);
}

/// As the first program of a container, it has an id that each run also has in its own namespace.
#[test]
fn b_a_probe_may_be_the_first_process_of_a_container() {
    if !is_confined() {
        return;
    }
    let mut container = Command::new("unshare");
    container.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]);
    if !container.arg("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a process namespace cannot be created here");
        return;
    }
    for wrapper in [&[][..], &["sh", "-c", r#""$@"; exit $?"#, "sh"]] {
        let mut container = Command::new("unshare");
        container.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]);
        let output = container.args(wrapper).args([PROGRAM, "--self-test"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The modules of packages that uv links from its cache are not shown. Only their folders are there.
#[test]
fn b2_a_package_whose_modules_are_hidden_does_not_end_every_run() {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let python = virtual_environment(&dir.path().join("venv"), &[]);
    let lib = fs::read_dir(dir.path().join("venv/lib")).unwrap().next().unwrap().unwrap().path();
    let verifier =
        "import numpy\n\ndef verify(a, b, c):\n    return {'passed': False, 'score': 0, 'feedback': 'ran'}\n";
    world.task("one", verifier);
    for folder in ["numpy", "numpy/random"] {
        fs::create_dir(lib.join("site-packages").join(folder)).unwrap();
        let mut command = world.command(PROGRAM);
        command.arg(world.env_dir()).args(["--repeat", "1", "--python"]).arg(&python);
        assert_eq!(Ran::of(&mut command, "").record()["states"][0]["detail"], "ran");
    }
}

#[test]
fn a2_a_checkout_outside_the_prefix_is_shown_on_request_only() {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let checkout = dir.path().join("checkout");
    fs::create_dir(&checkout).unwrap();
    fs::write(checkout.join("editable.py"), "KEY = 'secret'\n").unwrap();
    let python = virtual_environment(&dir.path().join("venv"), &[]);
    let lib = fs::read_dir(dir.path().join("venv/lib")).unwrap().next().unwrap().unwrap().path();
    let lines = format!("{}\n", checkout.display());
    fs::write(lib.join("site-packages/editable.pth"), lines).unwrap();
    world.task(
        "one",
        "def verify(a, b, c):\n    import editable\n    return {'passed': False, 'score': 0, 'feedback': editable.KEY}\n",
    );
    let probe = |arguments: &[&OsStr]| {
        let mut command = world.command(PROGRAM);
        command.arg(world.env_dir()).args(["--repeat", "1", "--python"]).arg(&python).args(arguments);
        Ran::of(&mut command, "").record()["states"][0]["detail"].as_str().unwrap().to_owned()
    };
    assert!(probe(&[]).contains("No module named 'editable'"));
    assert_eq!(probe(&[OsStr::new("--python-path"), checkout.as_os_str()]), "secret");
}
