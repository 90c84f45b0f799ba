//! Loads a task: everything that its verifier needs. The sandbox has no access to the task folder.

use std::path::{self, Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use common::read::{FileError, read_beneath};
use fs_err as fs;
use sandbox::Program;
use serde_json::json;
use task_spec::files::walk;
use task_spec::fixtures::{self, Fixtures};
use task_spec::spec::{self, NamedVerifier, VerifierRef};
use task_spec::value::Value;

/// The largest size of a task's files and its environment's shared files together, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// How many levels of folders are read.
const MAX_DEPTH: usize = 9;

/// A task whose verifier can be run.
#[derive(Debug)]
pub(crate) struct ProbeTask {
    pub(crate) program: Program,
    /// The script that writes the result, if there is one.
    pub(crate) export_script: Option<String>,
    pub(crate) fixtures: Fixtures,
}

/// A task folder and its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskFolder {
    /// The folder, as an absolute path. Links in it are not resolved, so that records keep its name.
    pub(crate) dir: PathBuf,
    /// The folder name of the environment.
    pub(crate) env: String,
    /// The folder name of the task.
    pub(crate) task: String,
}

impl TaskFolder {
    /// The task folder `dir`, which is in the `tasks` folder of its environment. `env` is the environment's
    /// name where a record gives it; otherwise it is that of its folder.
    pub(crate) fn at(dir: &Path, env: Option<&str>) -> Result<Self> {
        fs::metadata(dir)?;
        // `..` is not the name of a folder.
        let has_names = dir.components().all(|part| part != Component::ParentDir);
        let dir = if has_names { path::absolute(dir)? } else { fs::canonicalize(dir)? };
        let env_root = dir.parent().and_then(Path::parent);
        let env = env.map(str::to_owned).or_else(|| env_root.and_then(name_of));
        let (Some(task), Some(env)) = (name_of(&dir), env) else {
            bail!("{} is not a task folder: it is not in an environment's tasks folder", dir.display());
        };
        Ok(Self { dir, env, task })
    }

    fn env_root(&self) -> &Path {
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
pub(crate) fn load(folder: &TaskFolder) -> Result<Option<ProbeTask>> {
    let spec = spec::read_task(folder.env_root(), folder.below())?;
    let named = NamedVerifier::of(&spec);
    if named == NamedVerifier::OtherMode {
        return Ok(None);
    }
    let reference = named.text().context("the spec names no verifier")?;
    let Some(VerifierRef::File { file, function }) = VerifierRef::parse(reference) else {
        bail!("the verifier {reference} is not in the task folder");
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
    Ok(Some(ProbeTask {
        program,
        export_script: read_if_present(folder, "export_result.sh")?,
        fixtures: read_fixtures(folder)?,
    }))
}

fn text(spec: &Value, key: &str) -> String {
    spec.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn ensure_readable(folder: &TaskFolder, verifier: &str) -> Result<()> {
    match folder.read(verifier) {
        Ok(_) => Ok(()),
        Err(why) if why.is_not_found() => bail!("the verifier {verifier} is missing"),
        Err(why) => bail!("cannot read the verifier {verifier}: {why}"),
    }
}

fn read_if_present(folder: &TaskFolder, name: &str) -> Result<Option<String>> {
    match folder.read(name) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(why) if why.is_not_found() => Ok(None),
        Err(why) => Err(why).with_context(|| format!("cannot read {name}")),
    }
}

fn read_fixtures(folder: &TaskFolder) -> Result<Fixtures> {
    let Some(text) = read_if_present(folder, fixtures::FILE_NAME)? else { return Ok(Fixtures::default()) };
    serde_json::from_str(&text)
        .with_context(|| format!("{} does not have the expected fields", fixtures::FILE_NAME))
}

/// The files of the task, and the Python files beside and above it that gym-anything's import path reaches.
fn gather(folder: &TaskFolder) -> Result<Vec<(String, Vec<u8>)>> {
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
    fn add(&mut self, dir: &Path, levels: usize, wanted: impl Fn(&Path) -> bool) -> Result<()> {
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

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let Ok(name) = path.strip_prefix(self.root) else { return Ok(()) };
        let Some(name) = name.to_str() else { return Ok(()) };
        let content = match read_beneath(self.root, Path::new(name), self.left) {
            Err(FileError::TooLong(_)) => {
                bail!("the files of the task are larger than {} MiB", MAX_BYTES >> 20)
            }
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        self.left -= content.len();
        self.files.push((name.to_owned(), content));
        Ok(())
    }
}
