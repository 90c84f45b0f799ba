//! What a prompt says of the environment: its own files, and the tasks it has.

use std::path::{Path, PathBuf};

use anyhow::Result;
use common::environment::Environment;
use fs_err as fs;
use serde::Serialize;

use crate::task_text::{Excerpt, ExistingTask};

/// The most of one file that is shown, in bytes.
const FILE_BYTES: usize = 20_000;

/// The most of all files that is shown, in bytes.
const ALL_BYTES: usize = 100_000;

/// The most of a table of data that is shown, in bytes: enough to see what its columns are.
const DATA_BYTES: usize = 1_200;

/// How many files that are not shown are named.
const NAMED: usize = 60;

/// How many levels of folders are looked into.
const DEPTH: usize = 4;

/// Folders that hold tasks, or what runs leave behind.
const NOT_SHOWN: [&str; 7] =
    ["tasks", "artifacts", "evidence_docs", "__pycache__", "node_modules", "recordings", "episodes"];

/// Endings of files that say how the environment works.
const SHOWN: [&str; 19] = [
    "json", "yaml", "yml", "sh", "ps1", "py", "bat", "cmd", "md", "txt", "sql", "cfg", "conf", "ini", "toml",
    "xml", "js", "php", "service",
];

/// Endings of files that hold data.
const DATA: [&str; 3] = ["csv", "tsv", "jsonl"];

/// An environment as prompts describe it.
#[derive(Debug, Serialize)]
pub(crate) struct Context {
    name: String,
    id: String,
    /// The files that are shown, the most telling first.
    files: Vec<Excerpt>,
    /// Names of the files that are not.
    omitted: Vec<String>,
}

impl Context {
    /// Reads the environment.
    pub(crate) fn read(environment: &Environment) -> Result<Self> {
        let mut paths = Vec::new();
        list(&environment.root, "", DEPTH, &mut paths)?;
        paths.sort_by_cached_key(|name| (rank(name), name.clone()));
        let mut files = Vec::new();
        let mut omitted = Vec::new();
        let mut room = ALL_BYTES;
        for name in paths {
            match excerpt(&environment.root, &name, room) {
                Some(file) => {
                    room -= file.text.len().min(room);
                    files.push(file);
                }
                None => omitted.push(name),
            }
        }
        if omitted.len() > NAMED {
            let more = omitted.len() - NAMED;
            omitted.truncate(NAMED);
            omitted.push(format!("and {more} more"));
        }
        Ok(Self { name: environment.name.clone(), id: spec_id(environment), files, omitted })
    }

    /// Whether its tasks are run by PowerShell.
    pub(crate) fn is_windows(&self) -> bool {
        self.files.iter().any(|file| rank(&file.name) == 0 && file.text.contains(".ps1"))
    }
}

/// The environment's id, which a task names; a guess in the benchmark's style where it cannot be told.
fn spec_id(environment: &Environment) -> String {
    let fallback = || format!("{}@0.1", environment.name);
    let Ok(text) = fs::read_to_string(&environment.spec) else { return fallback() };
    let is_json = environment.spec.extension().is_some_and(|extension| extension == "json");
    let from_json =
        || serde_json::from_str::<serde_json::Value>(&text).ok()?["id"].as_str().map(str::to_owned);
    let from_yaml = || {
        Some(
            text.lines()
                .find_map(|line| line.strip_prefix("id:"))?
                .trim()
                .trim_matches(['"', '\''])
                .to_owned(),
        )
    };
    if is_json { from_json() } else { from_yaml() }.unwrap_or_else(fallback)
}

/// Names of the files below `root`, with `/` between their parts. Links are not followed.
fn list(dir: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) -> Result<()> {
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir)? {
        entries.push(entry?.path());
    }
    entries.sort_unstable();
    for path in entries {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let full = format!("{prefix}{name}");
        let kind = fs::symlink_metadata(&path)?.file_type();
        if name.starts_with('.') || (kind.is_dir() && NOT_SHOWN.contains(&name)) {
            continue;
        }
        if kind.is_file() {
            names.push(full);
        } else if kind.is_dir() && depth > 1 {
            list(&path, &format!("{full}/"), depth - 1, names)?;
        }
    }
    Ok(())
}

/// How telling a file is; the smaller, the more. The spec, then what tasks can call, then how the software
/// was set up, then what it is set up from.
fn rank(name: &str) -> u8 {
    match name.split_once('/') {
        None if name.starts_with("env.") => 0,
        _ if name.ends_with("task_utils.sh") || name.ends_with("task_utils.ps1") => 1,
        None if name.eq_ignore_ascii_case("readme.md") => 2,
        Some(("scripts", _)) => 3,
        Some(("utils", _)) => 4,
        Some(("config", _)) => 5,
        None => 6,
        Some(_) => 7,
    }
}

fn excerpt(root: &Path, name: &str, left: usize) -> Option<Excerpt> {
    let extension = Path::new(name).extension()?.to_str()?.to_lowercase();
    let most = if SHOWN.contains(&extension.as_str()) {
        // What lies deep in a folder of data is data, whatever its ending.
        if rank(name) == 7 { DATA_BYTES } else { FILE_BYTES }
    } else if DATA.contains(&extension.as_str()) {
        DATA_BYTES
    } else {
        return None;
    };
    if left < DATA_BYTES {
        return None;
    }
    Excerpt::read(name, &root.join(name), most.min(left))
}

/// The tasks of an environment, but for those named `own`: what this run has made is in its plan.
pub(crate) fn existing_tasks(
    environment: &Environment,
    own: impl Fn(&str) -> bool,
) -> Result<Vec<ExistingTask>> {
    let names = environment.task_names()?;
    Ok(names.iter().filter(|name| !own(name)).map(|name| ExistingTask::read(environment, name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(files: &[(&str, String)]) -> (tempfile::TempDir, Environment) {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("env.json"), r#"{"id": "demo@0.3"}"#).unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let environment = Environment::open(root.path()).unwrap();
        (root, environment)
    }

    #[test]
    fn what_is_too_much_is_cut_or_named() {
        let line = "echo setting up\n";
        let (_root, environment) = environment(&[
            ("scripts/setup.sh", line.repeat(2000)),
            ("data/grades.csv", "a,b\n".repeat(1000)),
            ("data/photo.png", "binary".to_owned()),
            ("tasks/t/task.json", "{}".to_owned()),
            ("scripts/odd.sh", "nul \0 inside".to_owned()),
        ]);
        let context = Context::read(&environment).unwrap();
        let shown: Vec<(&str, bool)> =
            context.files.iter().map(|file| (file.name.as_str(), file.cut > 0)).collect();
        assert_eq!(shown, [("env.json", false), ("scripts/setup.sh", true), ("data/grades.csv", true)]);
        assert_eq!(context.omitted, ["scripts/odd.sh", "data/photo.png"]);
        assert_eq!(context.id, "demo@0.3");
    }

    #[test]
    fn files_come_in_the_order_of_what_they_tell() {
        let mut names = [
            "data/a.csv",
            "config/x.json",
            "scripts/setup.sh",
            "README.md",
            "scripts/task_utils.sh",
            "env.json",
        ];
        names.sort_by_key(|name| (rank(name), *name));
        assert_eq!(
            names,
            [
                "env.json",
                "scripts/task_utils.sh",
                "README.md",
                "scripts/setup.sh",
                "config/x.json",
                "data/a.csv"
            ]
        );
    }
}
