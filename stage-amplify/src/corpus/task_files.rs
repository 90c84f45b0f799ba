//! The files of an existing task.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use task_spec::files::{MAX_FILE_BYTES, MAX_FILES};

use super::excerpt::Excerpt;

/// The files that a model is shown, in this order.
const SHOWN: [&str; 8] = [
    "README.md",
    "task.json",
    "setup_task.sh",
    "setup_task.ps1",
    "export_result.sh",
    "export_result.ps1",
    "verifier.py",
    "fixtures.json",
];

/// Name and content of each file below the task folder `dir`. All of them must be text, because the result
/// of a pass replaces the whole folder.
pub(crate) fn read(dir: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(dir.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name();
            let name =
                name.to_str().with_context(|| format!("the name of {} is not UTF-8", path.display()))?;
            let name = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            ensure!(!kind.is_symlink(), "{} is a symbolic link", path.display());
            if kind.is_dir() {
                if name != "__pycache__" {
                    folders.push((path, format!("{name}/")));
                }
                continue;
            }
            ensure!(files.len() < MAX_FILES, "{} holds more than {MAX_FILES} files", dir.display());
            ensure!(entry.metadata()?.len() <= MAX_FILE_BYTES as u64, "{} is too large", path.display());
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

/// The files that a model is shown, except those named in `hidden`.
pub(crate) fn shown(files: &BTreeMap<String, String>, hidden: &[&str]) -> Vec<Excerpt> {
    SHOWN
        .iter()
        .filter(|name| !hidden.contains(name))
        .filter_map(|&name| Some(Excerpt::of(name, files.get(name)?, usize::MAX)))
        .collect()
}
