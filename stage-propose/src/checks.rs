//! Checks tasks as stage-verify-spec does.

use std::path::Path;

use common::environment::{TaskName, task_spec};
use common::record::{Issue, Severity};
use task_spec::verify::{CheckedEnvironment, Interpreter, SpecFile, check_environment, check_task};

use crate::settings::RunContext;

/// Checks the tasks of an environment. Create a new one for each round of checks, since the agent may have changed
/// the environment or installed modules.
pub(crate) struct Checker<'a> {
    context: &'a RunContext,
    environment: CheckedEnvironment,
    interpreter: Interpreter,
}

/// The result of a check.
pub(crate) struct CheckedSeed {
    /// The id in the task's spec.
    pub(crate) id: Option<String>,
    /// The reasons why the task cannot be a seed.
    pub(crate) problems: Vec<String>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(context: &'a RunContext) -> Self {
        // Without a Python, modules outside the standard library are assumed to be installed.
        let interpreter = Interpreter::open("python3").unwrap_or_else(|_| Interpreter::none());
        Self { context, environment: check_environment(&context.environment.root), interpreter }
    }

    /// Checks a task.
    pub(crate) fn check(&self, task: &str) -> CheckedSeed {
        if TaskName::new(task).is_none() {
            return CheckedSeed::refused(&format!("its name must be {}", TaskName::FORM));
        }
        let Some(spec) = task_spec(&self.context.environment.task_dir(task)).map(SpecFile::at) else {
            return CheckedSeed::refused("it has no task.json");
        };
        // The Python may have been interrupted together with this process. The task is not to blame.
        let checked = check_task(&spec, &self.environment, &self.interpreter)
            .or_else(|_| check_task(&spec, &self.environment, &Interpreter::none()));
        match checked {
            Err(error) => CheckedSeed::refused(&error.to_string()),
            Ok(checked) => {
                let dir = self.context.environment.task_dir(task);
                let issues = checked.findings.issues.iter();
                let errors = issues.filter(|issue| issue.severity == Severity::Error);
                CheckedSeed {
                    id: checked.findings.spec_id,
                    problems: errors.map(|issue| describe(issue, &dir)).collect(),
                }
            }
        }
    }
}

impl CheckedSeed {
    fn refused(problem: &str) -> Self {
        Self { id: None, problems: vec![problem.to_owned()] }
    }
}

/// An issue in one line, with its file if it is about a file of the task folder `dir`.
fn describe(issue: &Issue, dir: &Path) -> String {
    let Issue { message, code, path, .. } = issue;
    let file = path.as_ref().and_then(|path| Path::new(path).strip_prefix(dir).ok());
    match file.filter(|file| !file.as_os_str().is_empty()) {
        Some(file) => format!("{}: {message} ({code})", file.display()),
        None => format!("{message} ({code})"),
    }
}
