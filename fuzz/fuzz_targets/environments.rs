//! Builds a hostile environment on disk (links, pipes, sparse files, deep folders, odd names) and reads it as the
//! stages do: no panic, no endless wait, and nothing of a file outside is read where a prompt could contain it.
//!
//! A run in `/dev/shm` is many times faster: set TMPDIR.
#![no_main]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
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
    // The fuzzer finds the text in the program, and would write it into files of the environment.
    if String::from_utf8_lossy(bytes).contains(SECRET) {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder can be made");
    let root = dir.path().join("env");
    fs::create_dir(&root).expect("a folder can be made");
    fs::write(dir.path().join("secret.txt"), SECRET).expect("a file can be written");
    // The tree is as large as the bytes allow.
    let _ = build(&root, &mut Unstructured::new(bytes));
    read(&root);
});

/// Makes nodes until the bytes are used up. A node is left out if its name is taken, or if a link is on the way to it.
fn build(root: &Path, bytes: &mut Unstructured<'_>) -> Result<()> {
    while !bytes.is_empty() {
        let folder = bytes.choose(&FOLDERS)?;
        let name = bytes.choose(&NAMES)?;
        let kind = bytes.int_in_range(0..=9)?;
        let Ok(folder) = real_folder(root, folder) else { continue };
        let path = folder.join(OsStr::from_bytes(name));
        if path.symlink_metadata().is_err() {
            drop(make(&path, kind, bytes));
        }
    }
    Ok(())
}

/// Makes a folder below `root` that no link leads to.
fn real_folder(root: &Path, name: &str) -> io::Result<PathBuf> {
    let mut folder = root.to_owned();
    for part in name.split('/').filter(|part| !part.is_empty()) {
        folder.push(part);
        match folder.symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(_) => fs::create_dir(&folder)?,
        }
    }
    Ok(folder)
}

fn make(path: &Path, kind: u8, bytes: &mut Unstructured<'_>) -> io::Result<()> {
    match kind {
        0 => symlink(chosen(&TARGETS, bytes), path),
        1 => Ok(mknodat(CWD, path, FileType::Fifo, Mode::from_bits_truncate(0o666), 0)?),
        2 => File::create_new(path)?.set_len(1 << bytes.int_in_range(0..=40).unwrap_or(40)),
        3 => deep(path, bytes.int_in_range(1..=300).unwrap_or(1)),
        4 => fs::create_dir(path),
        5 => {
            let length = bytes.int_in_range(0..=200).unwrap_or(0).min(bytes.len());
            File::create_new(path)?.write_all(bytes.bytes(length).unwrap_or_default())
        }
        _ => File::create_new(path)?.write_all(chosen(&CONTENTS, bytes).as_bytes()),
    }
}

fn chosen(texts: &[&'static str], bytes: &mut Unstructured<'_>) -> &'static str {
    bytes.choose(texts).copied().unwrap_or_default()
}

/// Makes nested folders, with a file at the end.
fn deep(path: &Path, depth: usize) -> io::Result<()> {
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
            check(read_beneath(root, &path, 1 << 12).ok());
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
    assert!(!String::from_utf8_lossy(&content).contains(SECRET), "it was read through a link");
}
