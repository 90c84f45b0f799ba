//! What a task's verifier needs to be run: read from the task folder, all of it, before it goes into a
//! sandbox that sees none of this machine's folders.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use serde_json::{Value, json};
use task_spec::fixtures::{self, Fixtures};
use task_spec::spec::{self, NamedVerifier, VerifierRef};
use task_spec::value::Value as Spec;

/// How much of a task, and of what its environment shares, goes into a sandbox, in bytes.
const MAX_FILES: u64 = 32 << 20;

/// How deep folders are followed.
const MAX_DEPTH: usize = 8;

/// A task whose verifier can be run.
#[derive(Debug)]
pub(crate) struct ProbeTask {
    /// The environment's id, as the task names it.
    pub(crate) env_id: String,
    /// The verifier's file in the task folder.
    pub(crate) verifier: String,
    /// The function in it.
    pub(crate) function: String,
    /// The third argument of a verifier.
    pub(crate) info: Value,
    /// Files by their names below the environment: the task's own, and the Python that tasks share.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// The script that writes the result, where there is one.
    pub(crate) export_script: Option<String>,
    pub(crate) fixtures: Fixtures,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The task folder, as an absolute path.
    pub(crate) dir: PathBuf,
    /// The environment's folder name.
    pub(crate) env: String,
    /// The task's folder name.
    pub(crate) task: String,
}

impl Place {
    /// The place of the task in the folder `dir`, which lies below its environment's `tasks`.
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let dir = fs::canonicalize(dir)?;
        let name = |path: Option<&Path>| Some(path?.file_name()?.to_str()?.to_owned());
        let (task, env) = (name(Some(&dir)), name(dir.parent().and_then(Path::parent)));
        let (Some(task), Some(env)) = (task, env) else {
            bail!("{} is no task folder: it does not lie in an environment's tasks", dir.display());
        };
        Ok(Self { dir, env, task })
    }

    fn env_root(&self) -> &Path {
        self.dir.parent().and_then(Path::parent).unwrap_or(&self.dir)
    }
}

/// What a task comes to.
#[derive(Debug)]
pub(crate) enum Loaded {
    /// Its verifier can be run.
    Task(Box<ProbeTask>),
    /// It is judged without a program.
    NoProgram,
}

/// Reads the task at `place`.
pub(crate) fn load(place: &Place) -> Result<Loaded> {
    let spec = spec::read_task(&place.dir)?;
    let named = NamedVerifier::of(&spec);
    if named == NamedVerifier::OtherMode {
        return Ok(Loaded::NoProgram);
    }
    let reference = named.text().context("the spec names no verifier")?;
    let Some(VerifierRef::File { file: verifier, function }) = VerifierRef::parse(reference) else {
        bail!("the verifier {reference} is not in the task folder");
    };
    ensure!(place.dir.join(verifier).is_file(), "the verifier {verifier} is missing");
    let text = |key: &str| spec.get(key).and_then(Spec::as_str).unwrap_or_default().to_owned();
    let whole = spec.to_json();
    let metadata = whole.get("metadata").filter(|value| value.is_object()).cloned().unwrap_or(json!({}));
    let info = json!({ "task_id": text("id"), "metadata": metadata, "task_spec": whole });
    Ok(Loaded::Task(Box::new(ProbeTask {
        env_id: text("env_id"),
        verifier: verifier.to_owned(),
        function: function.to_owned(),
        info,
        files: gather(place)?,
        export_script: read_if_there(&place.dir.join("export_result.sh"))?,
        fixtures: read_fixtures(&place.dir)?,
    })))
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    if !path.is_file() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&fs::read(path)?).into_owned()))
}

fn read_fixtures(dir: &Path) -> Result<Fixtures> {
    let Some(text) = read_if_there(&dir.join(fixtures::FILE_NAME))? else { return Ok(Fixtures::default()) };
    serde_json::from_str(&text).with_context(|| format!("{} is of another shape", fixtures::FILE_NAME))
}

/// The files of the task, and the Python beside and above it that gym-anything's import path reaches.
fn gather(place: &Place) -> Result<Vec<(String, Vec<u8>)>> {
    let mut gathered = Gathered { root: place.env_root(), files: Vec::new(), left: MAX_FILES };
    gathered.folder(&place.dir, MAX_DEPTH, |_| true)?;
    let is_python = |path: &Path| path.extension().is_some_and(|extension| extension == "py");
    gathered.folder(&place.env_root().join("tasks"), 0, is_python)?;
    gathered.folder(place.env_root(), 0, is_python)?;
    gathered.folder(&place.env_root().join("utils"), MAX_DEPTH, |_| true)?;
    Ok(gathered.files)
}

struct Gathered<'a> {
    root: &'a Path,
    files: Vec<(String, Vec<u8>)>,
    left: u64,
}

impl Gathered<'_> {
    /// Takes the files in a folder, and in those below it down to `depth`. Links are not followed: they may
    /// lead anywhere.
    fn folder(&mut self, dir: &Path, depth: usize, wanted: impl Fn(&Path) -> bool + Copy) -> Result<()> {
        if !dir.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() && depth > 0 {
                self.folder(&path, depth - 1, wanted)?;
            } else if kind.is_file() && wanted(&path) {
                self.file(&path, entry.metadata()?.len())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, size: u64) -> Result<()> {
        let Some(left) = self.left.checked_sub(size) else {
            bail!("its files are larger than {} MiB in all", MAX_FILES >> 20);
        };
        self.left = left;
        let Ok(name) = path.strip_prefix(self.root) else { return Ok(()) };
        let Some(name) = name.to_str() else { return Ok(()) };
        self.files.push((name.to_owned(), fs::read(path)?));
        Ok(())
    }
}
