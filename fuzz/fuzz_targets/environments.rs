//! Builds a hostile environment on disk (links, pipes, sparse files, deep folders, odd names) and reads it as the
//! stages do: no panic, no endless wait, and nothing of a file outside is read where a prompt could contain it.
//!
//! A run in `/dev/shm` is many times faster: set TMPDIR.
#![no_main]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use common::environment::Environment;
use common::read::{read_beneath, start_beneath};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use task_spec::verify::{Interpreter, check_environment, check_task, task_specs};
use task_spec::{files, seeds, spec};

/// The content of a file outside the environment.
const SECRET: &str = "secret-outside-4711";

/// Folders that are made or linked; names without a slash are below the environment.
const FOLDERS: [&str; 8] = ["", "tasks", "tasks/a", "tasks/b", "tasks/a/data", "scripts", "utils", "config"];

const NAMES: [&[u8]; 22] = [
    b"env.json",
    b"env.yaml",
    b"seed_tasks.json",
    b"task.json",
    b"task.yaml",
    b"verifier.py",
    b"setup_task.sh",
    b"export_result.sh",
    b"README.md",
    b"fixtures.json",
    b"checklist.json",
    b"helper.py",
    b"tasks",
    b"scripts",
    b"utils",
    b"a",
    b"b",
    b"two\nlines",
    b"\xff\xfe",
    b"\x1b[31m",
    b"con",
    b" ",
];

const TARGETS: [&str; 9] = [
    "../secret.txt",
    "../../secret.txt",
    "../../../secret.txt",
    "..",
    ".",
    "/",
    "/dev/zero",
    "env.json",
    "a",
];

const CONTENTS: [&str; 8] = [
    r#"{"id": "a@1", "success": {"spec": {"program": "verifier.py::verify"}}, "hooks": {"pre_task": "bash /workspace/tasks/a/setup_task.sh"}}"#,
    r#"{"id": "e@1", "mounts": [{"source": "tasks", "target": "/workspace/tasks"}, {"source": "..", "target": "/x"}], "hooks": {"post_start": "/workspace/scripts/a"}}"#,
    r#"["a", "b", "../a", "con"]"#,
    "import json, helper\nfrom utils.a import *\ndef verify(traj, env_info, task_info):\n    return {}\n",
    "#!/bin/bash\nsource /workspace/scripts/a\ncat <<E\n",
    "id: a\nsuccess:\n  spec: &x {program: verifier.py::verify}\nx: *x\n",
    "{\"golden\": [{\"files\": {\"/tmp/a\": 1}}]}",
    "",
];

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().expect("a folder can be made");
    let root = dir.path().join("env");
    fs::create_dir(&root).expect("a folder can be made");
    fs::write(dir.path().join("secret.txt"), SECRET).expect("a file can be written");
    // The tree is as large as the bytes allow.
    let _ = build(&root, &mut Unstructured::new(bytes));
    read(&root);
});

/// Makes nodes until the bytes are used up. Nodes that cannot be made are left out.
fn build(root: &Path, bytes: &mut Unstructured<'_>) -> Result<()> {
    while !bytes.is_empty() {
        let folder = root.join(bytes.choose(&FOLDERS)?);
        drop(fs::create_dir_all(&folder));
        let path = folder.join(OsStr::from_bytes(bytes.choose(&NAMES)?));
        match bytes.int_in_range(0..=9)? {
            0 => drop(symlink(bytes.choose(&TARGETS)?, &path)),
            1 => drop(mknodat(CWD, &path, FileType::Fifo, Mode::from_bits_truncate(0o666), 0)),
            2 => drop(
                File::create(&path)
                    .and_then(|file| file.set_len(1 << bytes.int_in_range(0..=40).unwrap_or(40))),
            ),
            3 => drop(deep(&path, bytes.int_in_range(1..=300)?)),
            4 => drop(fs::create_dir_all(&path)),
            5 => {
                let length = bytes.int_in_range(0..=200)?;
                let length = length.min(bytes.len());
                drop(fs::write(&path, bytes.bytes(length)?));
            }
            _ => drop(fs::write(&path, bytes.choose(&CONTENTS)?)),
        }
    }
    Ok(())
}

/// Makes nested folders, with a file at the end.
fn deep(path: &Path, depth: usize) -> std::io::Result<()> {
    let mut path = path.to_owned();
    path.extend(std::iter::repeat_n("d", depth));
    fs::create_dir_all(&path)?;
    fs::write(path.join("end.txt"), "end")
}

fn read(root: &Path) {
    let checked = check_environment(root);
    for spec in task_specs(root, None) {
        let found = check_task(&spec, &checked, &Interpreter::none());
        assert!(found.is_ok());
    }
    for name in names(root) {
        let name = Path::new(&name);
        for path in [name.to_owned(), Path::new("tasks/a").join(name), Path::new("scripts").join(name)] {
            check(read_beneath(root, &path, 1 << 20).ok());
            check(start_beneath(root, &path, 1 << 10).ok().map(|start| start.bytes));
        }
        let task = Path::new("tasks").join(name);
        if let Ok(files) = files::read_folder(root, &task) {
            files.into_values().for_each(|content| check(Some(content.into_bytes())));
        }
        if let Ok(spec) = spec::read_task(root, &task) {
            check(Some(format!("{spec:?}").into_bytes()));
        }
    }
    if let Ok(environment) = Environment::open(root) {
        drop(environment.task_names());
        if let Ok(names) = seeds::names(&environment) {
            check(Some(names.concat().into_bytes()));
        }
    }
}

fn names(root: &Path) -> Vec<PathBuf> {
    let fixed = NAMES.iter().map(|name| PathBuf::from(OsStr::from_bytes(name)));
    let listed = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.file_name().into());
    fixed.chain(listed).collect()
}

fn check(content: Option<Vec<u8>>) {
    let content = content.unwrap_or_default();
    assert!(
        !content.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()),
        "it was read through a link"
    );
}
