//! The check of a task's spec.

use std::path::Path;

use common::environment::TASK_SPECS;
use common::record::SpecKind;

use super::environment::CheckedEnvironment;
use super::findings::{Findings, IssueCode};
use super::hooks::{Places, check_hook};
use super::interpreter::{AskError, Interpreter};
use super::program::Roots;
use super::shape;
use super::specs::SpecFile;
use super::success::SuccessCheck;
use crate::python::Module;
use crate::value::Value;

/// A task that was checked, and what was read for it.
pub struct CheckedTask {
    /// What was found.
    pub findings: Findings,
    /// The spec, if it could be read.
    pub spec: Option<Value>,
    /// The verifier, if it is a file of the task that parses.
    pub verifier: Option<Module>,
}

/// Checks a task of an environment.
pub fn check_task(
    spec: &SpecFile,
    environment: &CheckedEnvironment,
    interpreter: &Interpreter,
) -> Result<CheckedTask, AskError> {
    let SpecFile { path, folder } = spec;
    let mut task = CheckedTask { findings: Findings::new(SpecKind::Task, path), spec: None, verifier: None };
    let Some(value) = task.findings.read_spec() else { return Ok(task) };
    task.findings.spec_id = shape::id(&value);
    match shape::task(&value) {
        Ok(parts) => {
            let places =
                Places { environment: &environment.root, task: Some(folder), mounts: &environment.mounts };
            check_hook(&mut task.findings, "pre_task", &parts.pre_task, places);
            check_hook(&mut task.findings, "post_task", &parts.post_task, places);
            let roots = Roots {
                task: folder.folder(),
                environment: &environment.root,
                utils_is_file: environment.utils_is_file,
            };
            let CheckedTask { findings, verifier, .. } = &mut task;
            let mut check = SuccessCheck { findings, verifier, spec_path: path, roots, interpreter };
            check.check(&value, parts.mode)?;
        }
        Err(message) => task.findings.add(IssueCode::ValidationError, message, path),
    }
    task.spec = Some(value);
    Ok(task)
}

/// The findings for a task folder without a spec.
pub fn missing_task_spec(folder: &Path) -> Findings {
    let mut findings = Findings::new(SpecKind::Task, folder);
    let message = format!("the task spec is missing; add one of {}", TASK_SPECS.join(", "));
    findings.add(IssueCode::ParseError, message, folder);
    findings
}
