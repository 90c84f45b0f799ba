//! A task as the exports that are folders hold it: its spec, its files, and what is known of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use common::environment::Environment;
use common::read::read_beneath;
use common::record::Usage;
use fs_err as fs;
use sandbox::{Program, TaskFolder};
use serde_json::Value;
use task_spec::files::{Entry, walk};
use task_spec::spec;

use crate::evidence::{Finding, Known};
use crate::selection::Chosen;
use crate::splits::Side;

/// The largest file of a task that is exported, in bytes. Published tasks have data files of up to 20 MB.
const MAX_FILE: usize = 64 << 20;

/// The most files of a task that are exported.
const MAX_FILES: usize = 1000;

/// The largest script of a solution, in bytes.
const MAX_SOLUTION: usize = 1 << 20;

/// A task that is exported.
#[derive(Debug)]
pub(crate) struct Exported {
    /// The name of the environment's folder.
    pub(crate) env: String,
    /// Its name.
    pub(crate) task: String,
    /// Training or test.
    pub(crate) side: Side,
    /// Its spec.
    pub(crate) spec: Value,
    /// Its files by name, sorted.
    pub(crate) files: BTreeMap<String, TaskFile>,
    /// What is known of it.
    pub(crate) known: Known,
    /// Its verifier, where the export needs it.
    pub(crate) program: Option<Program>,
    /// The script that solves it, if there is one.
    pub(crate) solution: Option<Vec<u8>>,
}

/// A file of a task.
#[derive(Debug)]
pub(crate) struct TaskFile {
    /// Its content.
    pub(crate) bytes: Vec<u8>,
    /// Whether it has the executable bit.
    pub(crate) executable: bool,
}

impl Exported {
    /// Reads a task. Its solution is `TASK/solve.sh` in the folder `solutions`.
    pub(crate) fn read(
        environment: &Environment,
        chosen: Chosen,
        side: Side,
        solutions: &Path,
    ) -> Result<Self> {
        let Chosen { task, known } = chosen;
        let folder = Path::new("tasks").join(&task);
        let spec = spec::read_task(&environment.root, &folder)?.to_json();
        let files = read_files(&environment.root, &folder)?;
        let solution = read_solution(solutions, &task)?;
        Ok(Self { env: environment.name.clone(), task, side, spec, files, known, program: None, solution })
    }

    /// The task with its verifier. It is an error if that is not a program.
    pub(crate) fn with_program(self, environment: &Environment) -> Result<Self> {
        let Self { env, task, .. } = &self;
        let folder = TaskFolder { dir: environment.task_dir(task), env: env.clone(), task: task.clone() };
        let verified = sandbox::load(&folder)?.context("no program verifies it")?;
        Ok(Self { program: Some(verified.program), ..self })
    }

    /// How far up the ladder of evidence it got, in a word.
    pub(crate) fn evidence(&self) -> &'static str {
        let Known { probe, trial, is_solved, .. } = &self.known;
        match (*is_solved, trial, probe) {
            (true, ..) => "solved",
            (_, Some(Finding::Good), _) => "live",
            (.., Some(Finding::Good)) => "probe",
            _ => "spec",
        }
    }

    /// The text at these keys of the spec, empty without one.
    pub(crate) fn text(&self, keys: &[&str]) -> &str {
        self.value(keys).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number at these keys of the spec, if there is a positive one.
    pub(crate) fn number(&self, keys: &[&str]) -> Option<f64> {
        self.value(keys).and_then(Value::as_f64).filter(|number| *number > 0.0 && number.is_finite())
    }

    fn value(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter().try_fold(&self.spec, |value, key| value.get(key))
    }

    /// Whose work it is, as its record or else its spec says.
    pub(crate) fn occupation(&self) -> &str {
        let noted = self.known.annotations.get("occupation").and_then(Value::as_str);
        noted.unwrap_or_else(|| self.text(&["metadata", "occupation"]))
    }

    /// The features of the software that it needs, as its record or else its spec says.
    pub(crate) fn features(&self) -> Vec<&str> {
        let noted = self.known.annotations.get("features");
        let list = noted.or_else(|| self.value(&["metadata", "features"])).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The most steps of an agent.
    pub(crate) fn max_steps(&self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
        self.number(&["init", "max_steps"]).map(|steps| steps as i64)
    }

    /// Where it comes from.
    pub(crate) fn origin(&self) -> &'static str {
        match &self.known.author {
            Some(_) => "generated",
            None if self.known.is_seed => "seed",
            None => "unknown",
        }
    }

    /// The tokens of the call that wrote its files.
    pub(crate) fn usage(&self) -> Usage {
        self.known.author.as_ref().map(|author| author.usage).unwrap_or_default()
    }

    /// The content of a file as text.
    pub(crate) fn file_text(&self, name: &str) -> Option<&str> {
        self.files.get(name).and_then(|file| str::from_utf8(&file.bytes).ok())
    }
}

/// What a finding is called in an export.
pub(crate) fn finding_name(finding: Option<&Finding>) -> &'static str {
    match finding {
        Some(Finding::Good) => "good",
        Some(Finding::Bad(_)) => "bad",
        Some(Finding::NotRun(_)) => "not_run",
        None => "none",
    }
}

/// The solution of a task, if it has one.
fn read_solution(solutions: &Path, task: &str) -> Result<Option<Vec<u8>>> {
    match read_beneath(solutions, &Path::new(task).join("solve.sh"), MAX_SOLUTION) {
        Ok(script) => Ok(Some(script)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("cannot read its solution in {}", solutions.display()))
        }
    }
}

/// Reads the files below `folder`, a path below `root`. Caches of Python are left out; a link is an error.
fn read_files(root: &Path, folder: &Path) -> Result<BTreeMap<String, TaskFile>> {
    let mut files = BTreeMap::new();
    for entry in walk(&root.join(folder), usize::MAX, |name| name != "__pycache__") {
        let Entry { path, name, kind } = entry?;
        let Some(name) = name else { bail!("the name of {} is not UTF-8", path.display()) };
        ensure!(kind.is_file(), "{} is a link, or no file", path.display());
        ensure!(files.len() < MAX_FILES, "it has more than {MAX_FILES} files");
        let bytes = read_beneath(root, &folder.join(&name), MAX_FILE)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let executable = fs::symlink_metadata(&path)?.permissions().mode() & 0o100 != 0;
        files.insert(name, TaskFile { bytes, executable });
    }
    Ok(files)
}
