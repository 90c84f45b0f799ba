//! Loads a task: everything that its verifier needs. The sandbox has no access to the task folder.

use std::io;
use std::path::{self, Component, Path, PathBuf};

use common::read::{FileError, read_beneath};
use common::targets::Target;
use common::text::with_hint;
use fs_err as fs;
use serde_json::json;
use task_spec::files::walk;
use task_spec::fixtures::{self, Fixtures};
use task_spec::spec::{self, NamedVerifier, SpecError, VerifierRef};
use task_spec::value::Value;
use thiserror::Error;

use crate::program::Program;

/// The largest size of a task's files and its environment's shared files together, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// How many levels of folders are read.
const MAX_DEPTH: usize = 9;

/// Why a task cannot be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A record may not name this folder.
    #[error("{0}")]
    Refused(String),
    /// The folder is not in the `tasks` folder of an environment.
    #[error("{} is not a task folder: it is not in an environment's tasks folder", .0.display())]
    NotATaskFolder(PathBuf),
    /// The spec cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The spec does not name a verifier.
    #[error("the spec names no verifier")]
    NoVerifier,
    /// The verifier is not a file of the task.
    #[error("the verifier {0} is not in the task folder")]
    Elsewhere(String),
    /// The file of the verifier is not there.
    #[error("the verifier {0} is missing")]
    Missing(String),
    /// The file of the verifier cannot be read.
    #[error("cannot read the verifier {name}: {problem}")]
    UnreadableVerifier {
        /// Its name in the task folder.
        name: String,
        /// Why.
        problem: FileError,
    },
    /// All files together are too large.
    #[error("the files of the task are larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// A file cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: FileError,
    },
    /// The fixtures have another form.
    #[error("fixtures.json does not have the expected fields")]
    Fixtures(#[source] serde_json::Error),
    /// A folder cannot be listed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A task whose verifier can be run.
#[derive(Debug)]
pub struct VerifiedTask {
    /// The verifier, with all files that it can read.
    pub program: Program,
    /// The script that writes the result, if there is one.
    pub export_script: Option<String>,
    /// The states with a known verdict that the task has.
    pub fixtures: Fixtures,
}

/// A task folder and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFolder {
    /// The folder, as an absolute path. Links in it are not resolved, so that records keep its name.
    pub dir: PathBuf,
    /// The folder name of the environment.
    pub env: String,
    /// The folder name of the task.
    pub task: String,
}

impl TaskFolder {
    /// The task folder of a target.
    pub fn of(target: &Target) -> Result<Self, TaskError> {
        if let Some(error) = &target.refused {
            return Err(TaskError::Refused(with_hint(error, error.hint().as_deref())));
        }
        Self::at(&target.dir, target.env.as_deref())
    }

    /// The task folder `dir`, which is in the `tasks` folder of its environment. `env` is the environment's
    /// name where a record gives it; otherwise it is that of its folder.
    pub fn at(dir: &Path, env: Option<&str>) -> Result<Self, TaskError> {
        fs::metadata(dir)?;
        // `..` is not the name of a folder.
        let has_names = dir.components().all(|part| part != Component::ParentDir);
        let dir = if has_names { path::absolute(dir)? } else { fs::canonicalize(dir)? };
        let env_root = dir.parent().and_then(Path::parent);
        let env = env.map(str::to_owned).or_else(|| env_root.and_then(name_of));
        let (Some(task), Some(env)) = (name_of(&dir), env) else {
            return Err(TaskError::NotATaskFolder(dir));
        };
        Ok(Self { dir, env, task })
    }

    /// The folder of the environment.
    pub fn env_root(&self) -> &Path {
        self.dir.parent().and_then(Path::parent).unwrap_or(&self.dir)
    }

    /// The folder below that of its environment.
    fn below(&self) -> &Path {
        self.dir.strip_prefix(self.env_root()).unwrap_or(&self.dir)
    }

    /// Reads a file of the task. No link is followed: it may lead out of the environment.
    fn read(&self, name: &str) -> Result<Vec<u8>, FileError> {
        read_beneath(self.env_root(), &self.below().join(name), MAX_BYTES)
    }
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// Loads the task in `folder`. None if the task is not verified by a program.
pub fn load(folder: &TaskFolder) -> Result<Option<VerifiedTask>, TaskError> {
    let spec = spec::read_task(folder.env_root(), folder.below())?;
    let named = NamedVerifier::of(&spec);
    if named == NamedVerifier::OtherMode {
        return Ok(None);
    }
    let reference = named.text().ok_or(TaskError::NoVerifier)?;
    let Some(VerifierRef::File { file, function }) = VerifierRef::parse(reference) else {
        return Err(TaskError::Elsewhere(reference.to_owned()));
    };
    ensure_readable(folder, file)?;
    let whole = spec.to_json();
    let metadata = whole.get("metadata").filter(|value| value.is_object()).cloned().unwrap_or(json!({}));
    let program = Program {
        env: folder.env.clone(),
        task: folder.task.clone(),
        env_id: text(&spec, "env_id"),
        file: file.to_owned(),
        function: function.to_owned(),
        task_info: json!({ "task_id": text(&spec, "id"), "metadata": metadata, "task_spec": whole }),
        files: gather(folder)?,
    };
    Ok(Some(VerifiedTask {
        program,
        export_script: read_if_present(folder, "export_result.sh")?,
        fixtures: read_fixtures(folder)?,
    }))
}

fn text(spec: &Value, key: &str) -> String {
    spec.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn ensure_readable(folder: &TaskFolder, verifier: &str) -> Result<(), TaskError> {
    match folder.read(verifier) {
        Ok(_) => Ok(()),
        Err(why) if why.is_not_found() => Err(TaskError::Missing(verifier.to_owned())),
        Err(problem) => Err(TaskError::UnreadableVerifier { name: verifier.to_owned(), problem }),
    }
}

fn read_if_present(folder: &TaskFolder, name: &str) -> Result<Option<String>, TaskError> {
    match folder.read(name) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(why) if why.is_not_found() => Ok(None),
        Err(problem) => Err(TaskError::Read { path: PathBuf::from(name), problem }),
    }
}

fn read_fixtures(folder: &TaskFolder) -> Result<Fixtures, TaskError> {
    let Some(text) = read_if_present(folder, fixtures::FILE_NAME)? else { return Ok(Fixtures::default()) };
    serde_json::from_str(&text).map_err(TaskError::Fixtures)
}

/// The files of the task, and the Python files beside and above it that gym-anything's import path reaches.
fn gather(folder: &TaskFolder) -> Result<Vec<(String, Vec<u8>)>, TaskError> {
    let root = folder.env_root();
    let mut gathered = Gathered { root, files: Vec::new(), left: MAX_BYTES };
    // A verifier that could read the fixtures could look its verdict up.
    let fixtures = folder.dir.join(fixtures::FILE_NAME);
    gathered.add(&folder.dir, MAX_DEPTH, |path| path != fixtures)?;
    gathered.add(&root.join("tasks"), 1, is_python)?;
    gathered.add(root, 1, is_python)?;
    gathered.add(&root.join("utils"), MAX_DEPTH, |_| true)?;
    Ok(gathered.files)
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

struct Gathered<'a> {
    root: &'a Path,
    files: Vec<(String, Vec<u8>)>,
    /// How many more bytes may be read.
    left: usize,
}

impl Gathered<'_> {
    /// Reads the regular files in a folder and up to `levels` down. Links are not followed, also if the folder
    /// itself is one: they may lead out of the environment.
    fn add(&mut self, dir: &Path, levels: usize, wanted: impl Fn(&Path) -> bool) -> Result<(), TaskError> {
        let found = fs::symlink_metadata(dir);
        if !found.is_ok_and(|found| found.is_dir()) {
            return Ok(());
        }
        for entry in walk(dir, levels, |_| true) {
            let entry = entry?;
            if entry.kind.is_file() && wanted(&entry.path) {
                self.add_file(&entry.path)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), TaskError> {
        let Ok(name) = path.strip_prefix(self.root) else { return Ok(()) };
        let Some(name) = name.to_str() else { return Ok(()) };
        let content = match read_beneath(self.root, Path::new(name), self.left) {
            Ok(content) => content,
            Err(FileError::TooLong(_)) => return Err(TaskError::TooLarge),
            Err(problem) => return Err(TaskError::Read { path: path.to_owned(), problem }),
        };
        self.left -= content.len();
        self.files.push((name.to_owned(), content));
        Ok(())
    }
}
