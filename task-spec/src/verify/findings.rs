//! What a check of a spec reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::record::{Issue, Severity, SpecKind};

use crate::spec;
use crate::value::Value;

/// A kind of issue. `as_str` is its name in gym-anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IssueCode {
    /// The environment has no spec.
    MissingEnvSpec,
    /// The spec is not JSON or YAML.
    ParseError,
    /// The spec has a shape or a value that gym-anything does not accept.
    ValidationError,
    /// A hook names a script that is missing.
    MissingHookReference,
    /// The task is validated by a program and names none.
    MissingProgramVerifier,
    /// The program that validates the task cannot be run.
    InvalidProgramVerifier,
    /// The picture that the task is validated by is missing.
    MissingImageTarget,
    /// The checklist that the task is validated by is missing.
    MissingVlmChecklist,
    /// A warning of ours: whether a module is installed is unknown.
    UnknownImport,
    /// A warning of ours: the tasks cannot be listed, so none was checked.
    UnreadableTasks,
}

impl IssueCode {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingEnvSpec => "missing_env_spec",
            Self::ParseError => "parse_error",
            Self::ValidationError => "validation_error",
            Self::MissingHookReference => "missing_hook_reference",
            Self::MissingProgramVerifier => "missing_program_verifier",
            Self::InvalidProgramVerifier => "invalid_program_verifier",
            Self::MissingImageTarget => "missing_image_target",
            Self::MissingVlmChecklist => "missing_vlm_checklist",
            Self::UnknownImport => "unknown_import",
            Self::UnreadableTasks => "unreadable_tasks",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::UnknownImport | Self::UnreadableTasks => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// The result of a check of one spec.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Whether the spec is of an environment or of a task.
    pub kind: SpecKind,
    /// The spec; the folder if it has none. As it was given, so it may be relative.
    pub path: PathBuf,
    /// The spec's `id`, if it is text.
    pub spec_id: Option<String>,
    /// What was found, in the original's order, with paths as they were given.
    pub issues: Vec<Issue>,
    /// For each issue of [`IssueCode::MissingHookReference`], the hook and the missing scripts.
    pub missing_scripts: Vec<(String, Vec<String>)>,
    /// The modules that the verifier needs and that the Python does not have. They are the reason for an issue of
    /// [`IssueCode::InvalidProgramVerifier`].
    pub missing_modules: BTreeSet<String>,
}

impl Findings {
    pub(super) fn new(kind: SpecKind, path: &Path) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            spec_id: None,
            issues: Vec::new(),
            missing_scripts: Vec::new(),
            missing_modules: BTreeSet::new(),
        }
    }

    /// Whether no issue is an error.
    pub fn ok(&self) -> bool {
        self.issues.iter().all(|issue| issue.severity != Severity::Error)
    }

    /// Reads the spec; reports why if it cannot be read.
    pub(super) fn read_spec(&mut self) -> Option<Value> {
        let path = self.path.clone();
        match spec::read(&path) {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(IssueCode::ParseError, error.problem.to_string(), &path);
                None
            }
        }
    }

    pub(super) fn add(&mut self, code: IssueCode, message: impl Into<String>, path: &Path) {
        self.issues.push(Issue {
            code: code.as_str().to_owned(),
            severity: code.severity(),
            message: message.into(),
            path: Some(path.to_string_lossy().into_owned()),
        });
    }
}
