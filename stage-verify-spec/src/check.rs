//! Does the jobs, on whatever thread.

use std::path::Path;

use anyhow::Result;
use common::environment::Workspace;
use common::jsonl::RawLine;
use common::record::{Record, Severity, SpecKind, Task, Verdict};
use task_spec::verify::{Findings, Interpreter, SpecFile, check_task, missing_task_spec};

use crate::args::Settings;
use crate::jobs::{Environment, Job};
use crate::lints::{Lint, Subject, chosen};

/// What came of a job.
pub(crate) enum Outcome {
    /// A line to pass on.
    Pass(RawLine),
    /// A record to pass on.
    PassTask(Box<Task>),
    /// What was found in one spec.
    Checked(Box<Checked>),
}

/// What was found in one spec, and where that belongs.
pub(crate) struct Checked {
    /// Paths in it are as they were reached, which is how gym-anything writes them.
    pub findings: Findings,
    /// The environment's folder name.
    pub env: String,
    /// The name of the task's folder.
    pub task: Option<String>,
    /// Whether the verdict is good.
    pub ok: bool,
}

impl Checked {
    /// The record of it, with the paths of records.
    pub(crate) fn record(&self, workspace: &Workspace) -> Record {
        let mut issues = self.findings.issues.clone();
        for issue in &mut issues {
            issue.path = issue.path.take().map(|path| workspace.relative(Path::new(&path)));
        }
        Record::Verdict(Verdict {
            env: self.env.clone(),
            task: self.task.clone(),
            kind: self.findings.kind,
            path: workspace.relative(&self.findings.path),
            spec_id: self.findings.spec_id.clone(),
            ok: self.ok,
            issues,
        })
    }
}

/// Everything that is needed to check.
pub(crate) struct Checks<'a> {
    interpreter: &'a Interpreter,
    lints: Vec<&'static Lint>,
    strict: bool,
}

impl<'a> Checks<'a> {
    pub(crate) fn new(settings: &Settings, interpreter: &'a Interpreter) -> Self {
        Self { interpreter, lints: chosen(&settings.lints), strict: settings.strict }
    }

    pub(crate) fn check(&self, job: Job) -> Result<Outcome> {
        match job {
            Job::Pass(line) => Ok(Outcome::Pass(line)),
            Job::PassTask(task) => Ok(Outcome::PassTask(task)),
            Job::Environment(environment) => {
                let findings = environment.checked().findings.clone();
                Ok(self.outcome(findings, &environment, None))
            }
            Job::Task { environment, spec } => self.check_task(&environment, &spec),
            Job::NoSpec { environment, folder } => {
                Ok(self.outcome(missing_task_spec(&folder), &environment, Some(&folder)))
            }
        }
    }

    fn check_task(&self, environment: &Environment, spec: &SpecFile) -> Result<Outcome> {
        let mut task = check_task(spec, environment.checked(), self.interpreter)?;
        if !self.lints.is_empty() {
            let subject = Subject::new(&spec.folder, &task, environment.checked());
            let warnings: Vec<_> = self.lints.iter().flat_map(|lint| lint.warnings(&subject)).collect();
            task.findings.issues.extend(warnings);
        }
        Ok(self.outcome(task.findings, environment, Some(spec.folder.folder())))
    }

    fn outcome(&self, findings: Findings, environment: &Environment, folder: Option<&Path>) -> Outcome {
        let strictly_ok = findings.issues.iter().all(|issue| issue.severity != Severity::Warning);
        let ok = findings.ok() && (strictly_ok || !self.strict);
        let task = folder.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        debug_assert_eq!(task.is_some(), findings.kind == SpecKind::Task, "tasks have a folder");
        Outcome::Checked(Box::new(Checked { findings, env: environment.name(), task, ok }))
    }
}
