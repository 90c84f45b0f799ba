//! Seeds: as records, as folders that were checked, and as the environment's list of them.

use std::path::Path;

use anyhow::{Context, Result};
use common::environment::{TaskName, task_spec};
use common::record::{Issue, Origin, Seed, Severity};
use task_spec::verify::{CheckedEnvironment, Interpreter, SpecFile, check_environment, check_task};
use walkdir::WalkDir;

use crate::settings::Place;

/// The record of the seed `name`.
pub(crate) fn record(place: &Place, name: &str, origin: Origin) -> Result<Seed> {
    let dir = place.environment.task_dir(name);
    Ok(Seed {
        env: place.environment.name.clone(),
        task: name.to_owned(),
        dir: place.workspace.relative(&dir),
        origin,
        files: files(&dir).with_context(|| format!("cannot list the files of the task {name}"))?,
    })
}

fn files(dir: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(dir).into_iter().filter_entry(|entry| entry.file_name() != "__pycache__") {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files.push(entry.path().strip_prefix(dir)?.to_string_lossy().into_owned());
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// What tasks are checked with. It is made anew for each round of checks: an agent may have changed what it
/// knows.
pub(crate) struct Checks<'a> {
    place: &'a Place,
    environment: CheckedEnvironment,
    interpreter: Interpreter,
}

/// What is known of a task that was checked.
pub(crate) struct Checked {
    /// The id in its spec.
    pub(crate) id: Option<String>,
    /// What keeps it from being a seed.
    pub(crate) problems: Vec<String>,
}

impl<'a> Checks<'a> {
    pub(crate) fn new(place: &'a Place) -> Self {
        // Without a Python, modules that are not Python's own are taken to be installed.
        let interpreter = Interpreter::open("python3").unwrap_or_else(|_| Interpreter::none());
        Self { place, environment: check_environment(&place.environment.root), interpreter }
    }

    /// Checks a task as stage-verify-spec would.
    pub(crate) fn check(&self, task: &str) -> Checked {
        let refuse = |problem: &str| Checked { id: None, problems: vec![problem.to_owned()] };
        if TaskName::new(task).is_none() {
            return refuse("its name is not made of a-z, 0-9 and _, or is too long");
        }
        let spec = task_spec(&self.place.environment.task_dir(task)).map(SpecFile::at);
        let Some(spec) = spec else { return refuse("it has no task.json") };
        // A Python that was interrupted along with us says nothing against the task.
        let checked = check_task(&spec, &self.environment, &self.interpreter)
            .or_else(|_| check_task(&spec, &self.environment, &Interpreter::none()));
        match checked {
            Err(error) => refuse(&error.to_string()),
            Ok(checked) => Checked {
                id: checked.findings.spec_id,
                problems: self.errors(task, &checked.findings.issues),
            },
        }
    }

    /// The errors among the issues, each with its file where it is of one.
    fn errors(&self, task: &str, issues: &[Issue]) -> Vec<String> {
        let dir = self.place.environment.task_dir(task);
        let file = |issue: &Issue| {
            let path = Path::new(issue.path.as_ref()?).strip_prefix(&dir).ok()?;
            (path != Path::new("")).then(|| format!("{}: ", path.display()))
        };
        let errors = issues.iter().filter(|issue| issue.severity == Severity::Error);
        let say =
            |issue: &Issue| format!("{}{} ({})", file(issue).unwrap_or_default(), issue.message, issue.code);
        errors.map(say).collect()
    }
}
