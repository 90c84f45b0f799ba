//! The files of the environment, as prompts show them.

use std::path::Path;

use anyhow::Result;
use common::read::FileError;
use common::text::escape;
use serde::Serialize;
use task_spec::files::walk;
use task_spec::value::Value;

use super::excerpt::Excerpt;
use super::source::{Source, Why};

/// The maximum shown of one file, in bytes.
const FILE_BYTES: usize = 20_000;

/// The maximum shown of all files together, in bytes.
const ALL_BYTES: usize = 100_000;

/// The maximum shown of a data file, in bytes: enough to see its columns.
const DATA_BYTES: usize = 1_200;

/// The maximum number of omitted files that are named.
const NAMED: usize = 60;

/// The number of folder levels that are searched.
const DEPTH: usize = 4;

/// Folders that hold tasks or output of runs.
const NOT_SHOWN: [&str; 7] =
    ["tasks", "artifacts", "evidence_docs", "__pycache__", "node_modules", "recordings", "episodes"];

/// Extensions of files that define how the environment works.
const SHOWN: [&str; 19] = [
    "json", "yaml", "yml", "sh", "ps1", "py", "bat", "cmd", "md", "txt", "sql", "cfg", "conf", "ini", "toml",
    "xml", "js", "php", "service",
];

/// Extensions of files that hold data.
const DATA: [&str; 3] = ["csv", "tsv", "jsonl"];

/// An environment as prompts describe it: a variable of the templates.
#[derive(Debug, Serialize)]
pub(crate) struct EnvironmentFiles {
    name: String,
    id: String,
    /// The files that are shown, the most relevant first.
    files: Vec<Excerpt>,
    /// Names of the files that are not shown.
    omitted: Vec<String>,
}

impl EnvironmentFiles {
    /// Reads the environment.
    pub(crate) fn read(source: &Source<'_>) -> Result<Self> {
        let mut names = file_names(source)?;
        names.sort_by_cached_key(|name| (rank(name), name.clone()));
        let mut files = Vec::new();
        let mut omitted = Vec::new();
        let mut room = ALL_BYTES;
        for name in names {
            match excerpt(source, &name, room) {
                Some(file) => {
                    room -= file.text.len().min(room);
                    files.push(file);
                }
                None => omitted.push(escape(&name).into_owned()),
            }
        }
        if omitted.len() > NAMED {
            let more = omitted.len() - NAMED;
            omitted.truncate(NAMED);
            omitted.push(format!("and {more} more"));
        }
        Ok(Self { name: source.environment().name.clone(), id: spec_id(source), files, omitted })
    }
}

/// The environment's id, which tasks refer to; a guess in the benchmark's style where the spec has none.
fn spec_id(source: &Source<'_>) -> String {
    match source.spec().get("id").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => format!("{}@0.1", source.environment().name),
    }
}

/// The names of the files in the environment's folder, with `/` between their parts.
fn file_names(source: &Source<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in walk(&source.environment().root, DEPTH, is_entered) {
        let entry = entry?;
        let Some(name) = entry.name else { continue };
        if name.starts_with('.') || name.contains("/.") || !is_entered(&name) {
            continue;
        }
        if entry.kind.is_file() {
            names.push(name);
        } else {
            let why = if entry.kind.is_symlink() { FileError::Link } else { FileError::Irregular };
            source.refuse(&name, Why::Unread(why));
        }
    }
    Ok(names)
}

fn is_entered(folder: &str) -> bool {
    !folder.starts_with('.') && !NOT_SHOWN.contains(&folder)
}

/// The position of a file among all: first the spec, then what tasks can call, then how the software is
/// installed and configured, then the rest.
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

fn excerpt(source: &Source<'_>, name: &str, left: usize) -> Option<Excerpt> {
    let extension = Path::new(name).extension()?.to_str()?.to_lowercase();
    let most = if SHOWN.contains(&extension.as_str()) {
        // Files in other folders are data, whatever their extension.
        if rank(name) == 7 { DATA_BYTES } else { FILE_BYTES }
    } else if DATA.contains(&extension.as_str()) {
        DATA_BYTES
    } else {
        return None;
    };
    if left < DATA_BYTES {
        return None;
    }
    Excerpt::read(source, name, name, most.min(left))
}

#[cfg(test)]
mod tests {
    use common::environment::Environment;
    use fs_err as fs;

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
    fn long_files_are_cut_and_omitted_files_are_named() {
        let line = "echo setting up\n";
        let (_root, environment) = environment(&[
            ("scripts/setup.sh", line.repeat(2000)),
            ("data/grades.csv", "a,b\n".repeat(1000)),
            ("data/photo.png", "binary".to_owned()),
            ("tasks/t/task.json", "{}".to_owned()),
            ("scripts/odd.sh", "nul \0 inside".to_owned()),
        ]);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[])).unwrap();
        let shown: Vec<(&str, bool)> =
            context.files.iter().map(|file| (file.name.as_str(), file.cut > 0)).collect();
        assert_eq!(shown, [("env.json", false), ("scripts/setup.sh", true), ("data/grades.csv", true)]);
        assert_eq!(context.omitted, ["scripts/odd.sh", "data/photo.png"]);
        assert_eq!(context.id, "demo@0.3");
    }

    #[test]
    fn the_id_is_read_from_yaml_too() {
        let (root, _) = environment(&[("env.yaml", "name: x\nid: 'demo@0.4' # quoted\n".to_owned())]);
        let environment = Environment::open(root.path()).unwrap();
        assert_eq!(EnvironmentFiles::read(&Source::of(&environment, &[])).unwrap().id, "demo@0.4");
    }

    #[test]
    fn the_most_relevant_files_come_first() {
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
