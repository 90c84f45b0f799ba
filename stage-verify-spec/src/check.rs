//! Checks one work item. Any thread may do it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use common::environment::Workspace;
use common::jsonl::RawLine;
use common::record::{Annotations, Record, Severity, SpecKind, Task, Verdict};
use task_spec::verify::{Findings, Interpreter, SpecFile, check_task, missing_task_spec};

use crate::lints::{Lint, Subject};
use crate::work::{LazyEnvironment, WorkItem};

/// A work item after its check.
pub(crate) enum CheckedItem {
    /// A line to pass on.
    PassLine(RawLine),
    /// A record to pass on.
    PassTask(Box<Task>),
    /// The findings of one spec.
    Spec(Box<CheckedSpec>),
}

/// The findings of one spec, and what the spec belongs to.
pub(crate) struct CheckedSpec {
    /// Paths in it are as they were reached, which is how gym-anything writes them.
    pub findings: Findings,
    /// The environment's folder name.
    pub env: String,
    /// The name of the task's folder.
    pub task: Option<String>,
    /// The folder of the task, or of the environment.
    pub folder: PathBuf,
    /// Whether the verdict is good.
    pub ok: bool,
    /// The annotations of the record that named the task.
    pub annotations: Annotations,
}

impl CheckedSpec {
    /// The `verdict` record. Its paths are relative to the workspace.
    pub(crate) fn record(&self, workspace: &Workspace) -> Record {
        let mut issues = self.findings.issues.clone();
        for issue in &mut issues {
            issue.path = issue.path.take().map(|path| workspace.relative(Path::new(&path)));
        }
        Record::Verdict(Verdict {
            env: self.env.clone(),
            task: self.task.clone(),
            kind: self.findings.kind,
            dir: workspace.relative(&self.folder),
            path: workspace.relative(&self.findings.path),
            spec_id: self.findings.spec_id.clone(),
            ok: self.ok,
            issues,
            annotations: self.annotations.clone(),
        })
    }
}

/// Checks work items.
pub(crate) struct Checker<'a> {
    pub interpreter: &'a Interpreter,
    pub lints: &'a [&'static Lint],
    /// Whether a warning makes a verdict bad.
    pub strict: bool,
}

impl Checker<'_> {
    /// Checks an item. Fails if the Python that knows the installed modules fails.
    pub(crate) fn check(&self, item: WorkItem) -> Result<CheckedItem> {
        match item {
            WorkItem::PassLine(line) => Ok(CheckedItem::PassLine(line)),
            WorkItem::PassTask(task) => Ok(CheckedItem::PassTask(task)),
            WorkItem::Environment(environment) => {
                let findings = environment.checked().findings.clone();
                Ok(self.checked(findings, &environment, None, Annotations::new()))
            }
            WorkItem::Task { environment, spec, annotations } => {
                self.check_task(&environment, &spec, annotations)
            }
            WorkItem::MissingSpec { environment, folder, annotations } => {
                Ok(self.checked(missing_task_spec(&folder), &environment, Some(&folder), annotations))
            }
        }
    }

    fn check_task(
        &self,
        environment: &LazyEnvironment,
        spec: &SpecFile,
        annotations: Annotations,
    ) -> Result<CheckedItem> {
        let mut task = check_task(spec, environment.checked(), self.interpreter)?;
        if !self.lints.is_empty() {
            let subject = Subject::new(&spec.folder, &task, environment.checked());
            let warnings: Vec<_> = self.lints.iter().flat_map(|lint| lint.issues(&subject)).collect();
            task.findings.issues.extend(warnings);
        }
        Ok(self.checked(task.findings, environment, Some(spec.folder.folder()), annotations))
    }

    fn checked(
        &self,
        findings: Findings,
        environment: &LazyEnvironment,
        folder: Option<&Path>,
        annotations: Annotations,
    ) -> CheckedItem {
        let has_warnings = findings.issues.iter().any(|issue| issue.severity == Severity::Warning);
        let ok = findings.ok() && !(self.strict && has_warnings);
        let task = folder.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        debug_assert_eq!(task.is_some(), findings.kind == SpecKind::Task, "tasks have a folder");
        let folder = folder.unwrap_or(environment.root()).to_owned();
        let env = environment.name();
        CheckedItem::Spec(Box::new(CheckedSpec { findings, env, task, folder, ok, annotations }))
    }
}
