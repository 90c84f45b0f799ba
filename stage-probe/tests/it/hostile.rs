//! Hostile and misleading verifiers. Each test is named for its letter in the list of attacks that once succeeded.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::Ran;

use crate::world::{PROGRAM, World, codes, confines, outcomes};

/// Reads the result, and passes if it is the expected one.
const READER: &str = r#"
import json

def read(env_info):
    env_info["copy_from_env"]("/tmp/task_result.json", "/tmp/copy.json")
    with open("/tmp/copy.json") as file:
        return json.load(file)

def verdict(passed):
    return {"passed": passed, "score": 100 if passed else 0, "feedback": ""}
"#;

fn golden(result: &Value) -> String {
    json!({ "golden": [{ "files": { "/tmp/task_result.json": result } }] }).to_string()
}

/// Probes a task with a golden state, and returns its record.
fn probe(verifier: &str, result: &Value) -> Value {
    let world = World::new();
    world.task("one", &format!("{READER}{verifier}"));
    world.write_task_file("one", "fixtures.json", &golden(result));
    world.probe_one(&["--repeat", "1"])
}

fn severity<'a>(record: &'a Value, code: &str) -> Option<&'a str> {
    let issue = record["issues"].as_array()?.iter().find(|issue| issue["code"] == code)?;
    issue["severity"].as_str()
}

#[test]
fn a1_shared_folders_that_are_links_are_not_shown() {
    let world = World::new();
    let outside = world.path("outside");
    fs_err::create_dir(&outside).unwrap();
    fs_err::write(outside.join("secret.py"), "KEY = 'secret'\n").unwrap();
    std::os::unix::fs::symlink(&outside, world.env_dir().join("utils")).unwrap();
    let verifier = "import secret\ndef verify(a, b, c):\n    return {'passed': True, 'score': 100, 'feedback': secret.KEY}\n";
    world.task("one", verifier);
    let record = world.probe_one(&["--repeat", "1"]);
    assert!(outcomes(&record).iter().all(|(_, outcome)| *outcome != "pass"), "{record:#}");
}

#[test]
fn a3_a_task_that_cannot_be_judged_is_not_ok() {
    for body in ["raise PermissionError(13, 'denied')", "import a_package_that_does_not_exist"] {
        let world = World::new();
        world.task("one", &format!("def verify(a, b, c):\n    {body}\n"));
        world.write_task_file("one", "fixtures.json", &golden(&json!({ "done": true })));
        let ran = world.probe(&["--repeat", "1"]);
        let record = &ran.records()[0];
        assert_eq!((ran.status, &record["ok"]), (Some(1), &json!(false)), "{record:#}");
        assert_eq!(severity(record, "unjudged"), Some("error"));
        assert!(ran.stderr.contains("1 tasks probed, 0 of them bad"), "{}", ran.stderr);
        assert!(ran.stderr.contains("1 tasks could not be judged on this machine"), "{}", ran.stderr);
    }
}

#[test]
fn a3_a_golden_state_that_cannot_be_set_up_is_unjudged() {
    let world = World::new();
    world.task("one", "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n");
    let fixtures = json!({ "golden": [{ "base64": { "/tmp/a.png": "not Base64" } }] });
    world.write_task_file("one", "fixtures.json", &fixtures.to_string());
    let record = world.probe_one(&["--repeat", "1"]);
    assert_eq!((codes(&record), &record["ok"]), (vec!["unjudged"], &json!(false)), "{record:#}");
}

#[test]
fn a4_a_verifier_does_not_see_its_fixtures() {
    let record = probe(
        "
import os
def verify(traj, env_info, task_info):
    seen = os.listdir(os.path.dirname(__file__))
    try:
        read(env_info)['done']
    except Exception:
        return verdict(False)
    return verdict('fixtures.json' not in seen)
",
        &json!({ "done": true }),
    );
    assert!(outcomes(&record).contains(&("golden", "pass")), "{record:#}");
}

#[test]
fn a4_a_verifier_finds_no_trace_of_the_probe() {
    let record = probe(
        r#"
import os, socket, sys
def verify(traj, env_info, task_info):
    import __main__
    traces = [path for path in ("/harness.py", "/bench") if os.path.exists(path)]
    traces += [name for name in (socket.gethostname(), os.uname().nodename) if "sandbox" in name]
    traces += [name for name in vars(__main__) if not name.startswith("__")]
    traces += [text for text in sys.argv + getattr(sys, "orig_argv", []) if text]
    if "/benchmarks/cua_world/environments/" not in __file__:
        traces.append(__file__)
    for function in env_info.values():
        for cell in getattr(function, "__closure__", None) or ():
            traces.append(repr(cell))
    try:
        done = read(env_info).get("done")
    except Exception:
        return verdict(False)
    return {"passed": bool(done and not traces), "score": 0, "feedback": repr(traces)}
"#,
        &json!({ "done": true }),
    );
    assert!(outcomes(&record).contains(&("golden", "pass")), "{record:#}");
}

#[test]
fn a4_a_verifier_that_looks_its_verdict_up_is_rigid() {
    let known = json!({ "name": "History", "count": 12 });
    let record = probe(
        r#"
def verify(traj, env_info, task_info):
    try:
        env_info["copy_from_env"]("/tmp/task_result.json", "/tmp/copy.json")
        text = open("/tmp/copy.json").read()
    except Exception:
        return verdict(False)
    return verdict(text == '{"name":"History","count":12}')
"#,
        &known,
    );
    assert_eq!(severity(&record, "rigid_verifier"), Some("error"), "{record:#}");
    assert_eq!(record["ok"], false);
}

#[test]
fn a4_a_valid_verifier_is_neither_rigid_nor_insensitive() {
    let record = probe(
        r#"
def verify(traj, env_info, task_info):
    try:
        result = read(env_info)
        return verdict(result.get("name") == "History" and result.get("saved") > result.get("started"))
    except Exception:
        return verdict(False)
"#,
        &json!({ "name": "History", "started": 1_790_000_000, "saved": 1_790_000_100 }),
    );
    assert_eq!(codes(&record), [""; 0], "{record:#}");
}

#[test]
fn a4_a_verifier_that_catches_no_mutant_is_insensitive() {
    let record = probe(
        r#"
def verify(traj, env_info, task_info):
    try:
        env_info["copy_from_env"]("/tmp/task_result.json", "/tmp/copy.json")
        text = open("/tmp/copy.json").read()
    except Exception:
        return verdict(False)
    return verdict(len(text) > 4 and text.startswith("{"))
"#,
        &json!({ "name": "History", "count": 12 }),
    );
    assert_eq!(severity(&record, "insensitive_verifier"), Some("error"), "{record:#}");
    assert_eq!(record["mutation"]["caught"], 0);
}

#[test]
fn a5_files_of_the_machine_cannot_be_locked_or_watched() {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    world.task(
        "one",
        r#"
import fcntl, os, signal
def verify(a, b, c):
    got = []
    file = os.open(os.__file__, os.O_RDONLY)
    folder = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
    for what, call in {
        "lease": lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        "flock": lambda: fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB),
        "notify": lambda: fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_MODIFY),
        "memfd": lambda: os.memfd_create("x"),
    }.items():
        try:
            call()
            got.append(what)
        except OSError:
            pass
    return {"passed": bool(got), "score": 0, "feedback": repr(got)}
"#,
    );
    let record = world.probe_one(&["--repeat", "1"]);
    assert!(outcomes(&record).iter().all(|(_, outcome)| *outcome == "fail"), "{record:#}");
}

#[test]
fn a5_nothing_of_a_run_is_left_in_the_network_of_its_worker() {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    // All runs of a task are in one worker, and share its network and IPC namespaces.
    world.task(
        "one",
        r#"
import os, socket, time
def verify(a, b, c):
    found = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as peer:
            try:
                peer.connect(b"\0left-" + str(kind).encode())
                found.append("a socket")
            except OSError:
                pass
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        left = socket.socket(socket.AF_UNIX, kind)
        left.bind(b"\0left-" + str(kind).encode())
        if kind == socket.SOCK_STREAM:
            left.listen()
        # A message with descriptors in flight, one of which is the socket itself.
        one, other = socket.socketpair()
        try:
            socket.send_fds(one, [b"x"], [left.fileno(), one.fileno(), other.fileno()])
        except OSError:
            pass
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
    return {"passed": bool(found), "score": 0, "feedback": repr(found)}
"#,
    );
    let record = world.probe_one(&["--repeat", "3"]);
    assert!(outcomes(&record).iter().all(|(_, outcome)| *outcome == "fail"), "{record:#}");
}

#[test]
fn a6_a_run_that_waits_for_the_processor_is_not_out_of_time() {
    let world = World::new();
    // Other processes that take the processor away have the same effect as sleep.
    world.task(
        "one",
        "import time\ndef verify(a, b, c):\n    time.sleep(1.5)\n    return {'passed': False, 'score': 0}\n",
    );
    let record = world.probe_one(&["--repeat", "1", "--timeout", "1"]);
    assert_eq!(codes(&record), ["no_fixtures"], "{record:#}");
    world.task("one", "def verify(a, b, c):\n    while True:\n        pass\n");
    let record = world.probe_one(&["--repeat", "1", "--timeout", "1"]);
    assert_eq!(codes(&record), ["timeout", "no_fixtures"], "{record:#}");
}

#[test]
fn a7_thousands_of_fields_need_little_memory() {
    let world = World::new();
    world.task("one", &format!("{READER}def verify(a, b, c):\n    try:\n        return verdict(len(read(b)) >= 3000)\n    except Exception:\n        return verdict(False)\n"));
    let fields: serde_json::Map<String, Value> =
        (0..3000).map(|number| (format!("field_{number}"), json!("x".repeat(300)))).collect();
    world.write_task_file("one", "fixtures.json", &golden(&Value::Object(fields)));
    // Not less than the limit of a run.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -v 4000000 && exec \"$@\"", "sh", PROGRAM]);
    command.args(["--unsafe", "--repeat", "1", "--jobs", "1"]).arg(world.env_dir());
    let record = Ran::of(&mut command, "").record();
    assert_eq!(record["mutation"]["mutants"], 40, "{record:#}");
}

/// Checks that a verifier does not pass by other means than its verdict.
fn check_forgery(verifier: &str) {
    let world = World::new();
    if !confines(world.command(PROGRAM)) {
        return;
    }
    world.task("one", verifier);
    let record = world.probe_one(&["--repeat", "1", "--timeout", "2"]);
    assert!(outcomes(&record).iter().all(|(_, outcome)| *outcome != "pass"), "{record:#}");
}

#[test]
fn a8_a_destructor_does_not_change_the_report() {
    check_forgery(
        r#"
import sys
def forgeries():
    a = b = c = d = e = None
    report = b'{"returned": {"passed": true, "score": 100}}'
    def write_all(token):
        import os
        for descriptor in range(3, 256):
            try:
                os.write(descriptor, token + report)
            except OSError:
                pass
        os._exit(0)
    # A replacement needs as many free variables as the original.
    def three(token, report): write_all, a, b; write_all(token)
    def four(token, report): write_all, a, b, c; write_all(token)
    def five(token, report): write_all, a, b, c, d; write_all(token)
    return three, four, five
class Bomb:
    def __del__(self):
        frame = sys._getframe()
        while frame is not None:
            finish = frame.f_locals.get("finish")
            for forged in forgeries() if finish is not None else ():
                try:
                    finish.__code__ = forged.__code__
                    for cell, value in zip(finish.__closure__, forged.__closure__):
                        cell.cell_contents = value.cell_contents
                except ValueError:
                    pass
            frame = frame.f_back
def verify(a, b, c):
    return {"passed": False, "score": 0, "feedback": Bomb()}
"#,
    );
}

#[test]
fn a8_a_pipe_in_the_place_of_the_report_gets_no_token() {
    let attack = |replace: &str| {
        check_forgery(&format!(
            r#"
import os, threading, time
def verify(a, b, c):
    forged = b'{{"returned": {{"passed": true, "score": 100}}}}'
    found = []
    for descriptor in range(3, 256):
        try:
            os.fstat(descriptor)
            found.append(descriptor)
        except OSError:
            pass
    reports = [(descriptor, os.dup(descriptor)) for descriptor in found]
    stolen, end = os.pipe()
    if os.fork() == 0:
        for descriptor, _ in reports:
            os.close(descriptor)
        os.close(end)
        token = os.read(stolen, 16)
        for _, real in reports:
            os.write(real, token + forged)
            os.close(real)
        while os.read(stolen, 1 << 16):
            pass
        os._exit(0)
    def replace():
        for descriptor, _ in reports:
            try:
                os.dup2(end, descriptor)
            except OSError:
                pass
    def replace_forever():
        while True:
            replace()
    {replace}
    time.sleep(0.1)
    # More than a pipe holds, so that the report waits for its reader.
    return {{"passed": False, "score": 0, **{{str(n): "x" * 4000 for n in range(30)}}}}
"#
        ));
    };
    attack("replace()");
    attack("threading.Thread(target=replace_forever, daemon=True).start()");
}

#[test]
fn a9_native_code_cannot_be_loaded() {
    let attempt = |load: &str| {
        check_forgery(&format!(
            r#"
import glob, importlib.machinery, importlib.util, os, shutil, sys
def native():
    folder = os.path.dirname(os.__file__) + "/lib-dynload"
    return (glob.glob(folder + "/_ctypes.*") + glob.glob(folder + "/_ctypes*"))[0]
def load(name, path):
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
def verify(a, b, c):
    try:
        {load}
    except BaseException as error:
        return {{"passed": False, "score": 0, "feedback": repr(error)}}
    return {{"passed": True, "score": 100}}
"#
        ));
    };
    attempt("load('_ctypes', native())");
    attempt("load('x._ctypes', native())");
    attempt("shutil.copy(native(), '/tmp/_ctypes.so'); load('_ctypes', '/tmp/_ctypes.so')");
    attempt("os.symlink(native(), '/tmp/other.so'); load('_ctypes', '/tmp/other.so')");
    attempt("os.chdir('/tmp'); os.symlink(native(), 'other.so'); load('_ctypes', 'other.so')");
    attempt("import _interpreters; _interpreters.run_string(_interpreters.create(), 'import ctypes')");
    attempt("import _xxsubinterpreters as i; i.run_string(i.create(), 'import ctypes')");
}

#[test]
fn a10_a_lone_surrogate_is_text() {
    let world = World::new();
    let verifier = r#"
def verify(a, b, c):
    return {"passed": False, "score": 0, "feedback": "a\ud800b \U0001f600"}
"#;
    world.task("one", verifier);
    let record = world.probe_one(&["--repeat", "1"]);
    assert_eq!(codes(&record), ["no_fixtures"], "{record:#}");
    assert_eq!(record["states"][0]["detail"], "a\u{fffd}b \u{1f600}");
}

#[test]
fn a11_a_script_whose_result_explodes_is_ignored() {
    let world = World::new();
    let mut lines = vec!["python3 << 'EOF'".to_owned(), "import json".to_owned(), "a0 = [1]".to_owned()];
    for level in 1..13 {
        let items = vec![format!("a{}", level - 1); 10].join(", ");
        lines.push(format!("a{level} = [{items}]"));
    }
    lines.push(
        "with open('/tmp/task_result.json', 'w') as f:\n    json.dump({'x': a12}, f)\nEOF\n".to_owned(),
    );
    let script = lines.join("\n");
    world.task("one", "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n");
    world.write_task_file("one", "export_result.sh", &script);
    let started = Instant::now();
    let record = world.probe_one(&["--repeat", "1"]);
    assert_eq!((&record["record"], codes(&record)), (&json!("probe"), vec!["no_fixtures"]), "{record:#}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a12_a_dict_that_lies_is_not_a_verdict() {
    let world = World::new();
    let verifier = r#"
class Verdict(dict):
    def get(self, key, default=None):
        return {"passed": True, "score": 100}.get(key, default)
    __getitem__ = get
def verify(a, b, c):
    return Verdict(passed=False, score=0)
"#;
    world.task("one", verifier);
    let record = world.probe_one(&["--repeat", "1"]);
    assert_eq!(codes(&record), ["bad_answer", "no_fixtures"], "{record:#}");
}

#[test]
fn d2_pipes_links_and_huge_files_are_not_read() {
    let world = World::new();
    let pipe = |path: &std::path::Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let verifier = "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n";
    world.task("a_pipes", verifier).task("b_huge", verifier).task("c_link", verifier);
    for name in ["fixtures.json", "export_result.sh", "other.py"] {
        pipe(&world.task_dir("a_pipes").join(name));
    }
    let huge = fs_err::File::create(world.task_dir("b_huge").join("export_result.sh")).unwrap();
    huge.set_len(1 << 40).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", world.task_dir("c_link").join("export_result.sh")).unwrap();
    let ran = world.probe(&["--repeat", "1"]);
    let records = ran.records();
    let found: Vec<_> = records.iter().map(codes).collect();
    assert_eq!(found, [["unreadable_task"]; 3], "{}", ran.stderr);
    let messages: Vec<_> = records.iter().map(|record| record["issues"][0]["message"].as_str()).collect();
    let expected = [
        "cannot read export_result.sh: it is not a regular file",
        "the files of the task are larger than 32 MiB",
        "cannot read export_result.sh: it is a symbolic link, or below one",
    ];
    assert_eq!(messages, expected.map(Some));
}

#[test]
fn d1_a_task_that_is_a_link_is_not_read() {
    let world = World::new();
    let outside = world.path("outside/tasks/one");
    fs_err::create_dir_all(&outside).unwrap();
    world.task("two", "def verify(a, b, c):\n    return {'passed': False, 'score': 0}\n");
    for name in ["task.json", "verifier.py"] {
        fs_err::copy(world.task_dir("two").join(name), outside.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(&outside, world.task_dir("one")).unwrap();
    fs_err::remove_file(world.task_dir("two").join("verifier.py")).unwrap();
    std::os::unix::fs::symlink(outside.join("verifier.py"), world.task_dir("two").join("verifier.py"))
        .unwrap();
    let ran = world.probe(&["--repeat", "1"]);
    let records = ran.records();
    let messages: Vec<_> =
        records.iter().map(|record| record["issues"][0]["message"].as_str().unwrap()).collect();
    assert!(
        messages[0].ends_with("task.json cannot be read: it is a symbolic link, or below one"),
        "{messages:?}"
    );
    assert_eq!(messages[1], "cannot read the verifier verifier.py: it is a symbolic link, or below one");
}
