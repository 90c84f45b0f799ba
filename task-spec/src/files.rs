//! The files of a task folder: those that the tools know by name, and every file that is there.

use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};

use common::read::{FileError, read_beneath};
use walkdir::WalkDir;

/// The largest file of a task that is generated or sent to a model, in bytes. The largest of the published
/// benchmark that a model could have written has 0.5 MB.
pub const MAX_FILE_BYTES: usize = 2 << 20;

/// The most files of a task that is generated or sent to a model. The published benchmark has tasks with up
/// to 15.
pub const MAX_FILES: usize = 64;

/// What a core file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The description for people.
    Readme,
    /// The spec.
    Spec,
    /// The script that prepares the environment.
    Setup,
    /// The script that collects what the verifier looks at.
    Export,
    /// The program that validates the result.
    Verifier,
    /// The checklist that a vision model validates the result by.
    Checklist,
    /// What the checklist's author verified, and where.
    Evidence,
    /// States with known verdicts, on which the verifier is run.
    Fixtures,
}

/// A file of a task that gym-anything or a stage knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreFile {
    /// Its name in the task folder.
    pub name: &'static str,
    /// What it is for.
    pub role: Role,
}

/// The core files, in the order in which a reader needs them.
pub const CORE_FILES: [CoreFile; 10] = [
    CoreFile { name: "README.md", role: Role::Readme },
    CoreFile { name: "task.json", role: Role::Spec },
    CoreFile { name: "setup_task.sh", role: Role::Setup },
    CoreFile { name: "setup_task.ps1", role: Role::Setup },
    CoreFile { name: "export_result.sh", role: Role::Export },
    CoreFile { name: "export_result.ps1", role: Role::Export },
    CoreFile { name: "verifier.py", role: Role::Verifier },
    CoreFile { name: "vlm_checklist.json", role: Role::Checklist },
    CoreFile { name: "validated_pi.json", role: Role::Evidence },
    CoreFile { name: "fixtures.json", role: Role::Fixtures },
];

/// Whether a name is that of a core file.
pub fn is_core(name: &str) -> bool {
    CORE_FILES.iter().any(|file| file.name == name)
}

/// Something below a folder that is not a folder.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its path.
    pub path: PathBuf,
    /// Its name below the folder, with `/` between the parts. `None` if it is not UTF-8.
    pub name: Option<String>,
    /// Whether it is a file, a link or something else. Links are not followed.
    pub kind: FileType,
}

/// Lists what is below a folder, sorted by name within each folder. Goes `max_depth` levels down; 1 lists the
/// folder alone. Folders whose name `enters` declines are left out.
pub fn walk(
    folder: &Path,
    max_depth: usize,
    enters: impl Fn(&str) -> bool,
) -> impl Iterator<Item = io::Result<Entry>> {
    let walk = WalkDir::new(folder).min_depth(1).max_depth(max_depth).sort_by_file_name();
    let entries = walk.into_iter().filter_entry(move |entry| {
        !entry.file_type().is_dir() || entry.depth() == 0 || enters(&entry.file_name().to_string_lossy())
    });
    entries.filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_dir() => None,
        Ok(entry) => {
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let name = below.to_str().map(str::to_owned);
            Some(Ok(Entry { kind: entry.file_type(), name, path: entry.into_path() }))
        }
        Err(error) => Some(Err(error.into())),
    })
}

/// Why a task folder is not read as a whole.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be listed.
    #[error("cannot list {}: {problem}", folder.display())]
    List {
        /// The folder.
        folder: PathBuf,
        /// Why.
        problem: io::Error,
    },
    /// A name in it is not UTF-8.
    #[error("the name of {} is not UTF-8", .0.display())]
    Name(PathBuf),
    /// There is a link in it.
    #[error("{} is a link", .0.display())]
    Link(PathBuf),
    /// It holds more than [`MAX_FILES`] files.
    #[error("{} holds more than {MAX_FILES} files", .0.display())]
    TooManyFiles(PathBuf),
    /// A file in it cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: FileError,
    },
    /// A file in it is not text.
    #[error("{} is not text in UTF-8", .0.display())]
    NotText(PathBuf),
}

/// Reads every file of the task folder `folder`, a path below `root`, by its name below the folder. All have to
/// be text, none may be a link or be reached through one, and there are limits to their number and size: what is
/// read here may replace the whole folder.
pub fn read_folder(root: &Path, folder: &Path) -> Result<BTreeMap<String, String>, FolderError> {
    let path = root.join(folder);
    let mut files = BTreeMap::new();
    for entry in walk(&path, usize::MAX, |name| name != "__pycache__") {
        let Entry { path: file, name, kind } =
            entry.map_err(|problem| FolderError::List { folder: path.clone(), problem })?;
        if kind.is_symlink() {
            return Err(FolderError::Link(file));
        }
        if files.len() == MAX_FILES {
            return Err(FolderError::TooManyFiles(path.clone()));
        }
        let Some(name) = name else { return Err(FolderError::Name(file)) };
        let bytes = match read_beneath(root, &folder.join(&name), MAX_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(problem) => return Err(FolderError::Read { path: file, problem }),
        };
        let Ok(text) = String::from_utf8(bytes) else { return Err(FolderError::NotText(file)) };
        files.insert(name, text);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use fs_err as fs;

    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    #[test]
    fn a_walk_goes_as_deep_as_it_may() {
        let dir = folder(&[("b/c/d", b""), ("b/a", b""), ("a", b""), ("skipped/a", b"")]);
        symlink("a", dir.path().join("link")).unwrap();
        let names = |depth: usize| -> Vec<String> {
            let entries = walk(dir.path(), depth, |name| name != "skipped");
            entries.map(|entry| entry.unwrap().name.unwrap()).collect()
        };
        assert_eq!(names(1), ["a", "link"]);
        assert_eq!(names(2), ["a", "b/a", "link"]);
        assert_eq!(names(9), ["a", "b/a", "b/c/d", "link"]);
        assert!(walk(&dir.path().join("gone"), 1, |_| true).next().unwrap().is_err());
    }

    #[test]
    fn a_folder_is_read_whole() {
        let dir = folder(&[("task.json", b"{}"), ("data/a.csv", b"a"), ("x/__pycache__/v.pyc", b"\xff")]);
        let files = read_folder(dir.path(), Path::new("")).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["data/a.csv", "task.json"]);
    }

    #[test]
    fn a_folder_that_cannot_be_replaced_is_not_read() {
        let error = |dir: &tempfile::TempDir| read_folder(dir.path(), Path::new("")).unwrap_err();
        let dir = folder(&[("task.json", b"\xff")]);
        assert!(matches!(error(&dir), FolderError::NotText(_)));
        let dir = folder(&[("task.json", &vec![b' '; MAX_FILE_BYTES + 1])]);
        assert!(matches!(error(&dir), FolderError::Read { problem: FileError::TooLong(_), .. }));
        let dir = folder(&[("task.json", b"{}")]);
        symlink("task.json", dir.path().join("link")).unwrap();
        assert!(matches!(error(&dir), FolderError::Link(_)));
        let names: Vec<String> = (0..=MAX_FILES).map(|number| number.to_string()).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert!(matches!(error(&folder(&files)), FolderError::TooManyFiles(_)));
    }
    #[test]
    fn d1_a_folder_behind_a_link_is_not_read() {
        let dir = folder(&[("elsewhere/task/task.json", b"{}"), ("env/env.json", b"{}")]);
        symlink("../elsewhere", dir.path().join("env/tasks")).unwrap();
        let error = read_folder(&dir.path().join("env"), Path::new("tasks/task")).unwrap_err();
        assert!(matches!(error, FolderError::Read { problem: FileError::Link, .. }), "{error}");
    }
}
