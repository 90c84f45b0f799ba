//! The check of an environment's spec.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use common::environment::ENV_SPECS;
use common::record::SpecKind;

use super::findings::{Findings, IssueCode};
use super::hooks::{Mounted, Places, check_hook};
use super::paths::exists;
use super::shape;
use super::specs::environment_spec;
use crate::value::Value;

/// An environment that was checked, and what its tasks are checked with.
#[derive(Clone, Debug)]
pub struct CheckedEnvironment {
    /// Its folder, as it was given.
    pub root: PathBuf,
    /// What was found. Without a spec, tasks are not checked.
    pub findings: Findings,
    /// The spec, if it could be read.
    pub spec: Option<Value>,
    pub(super) mounts: Vec<Mounted>,
    /// Whether `utils` exists and is not a folder, which the original cannot list.
    pub(super) utils_is_file: bool,
}

impl CheckedEnvironment {
    fn new(root: &Path, findings: Findings, spec: Option<Value>, mounts: Vec<Mounted>) -> Self {
        let utils = root.join("utils");
        let utils_is_file = exists(&utils) && !utils.is_dir();
        Self { root: root.to_owned(), findings, spec, mounts, utils_is_file }
    }
}

/// Checks the environment in the folder `root`. Paths in the findings start with `root` as it is given. Like
/// the original, it looks for mounts in other places if `root` is relative.
pub fn check_environment(root: &Path) -> CheckedEnvironment {
    let Some(path) = environment_spec(root) else {
        let mut findings = Findings::new(SpecKind::Env, root);
        let message = format!("the environment spec is missing; add one of {}", ENV_SPECS.join(", "));
        findings.add(IssueCode::MissingEnvSpec, message, root);
        return CheckedEnvironment::new(root, findings, None, Vec::new());
    };
    let mut findings = Findings::new(SpecKind::Env, &path);
    let mut mounts = Vec::new();
    let spec = findings.read_spec();
    if let Some(spec) = &spec {
        findings.spec_id = shape::id(spec);
        match shape::environment(spec) {
            Ok(environment) => {
                findings.spec_id = environment.id;
                mounts = environment.mounts.iter().map(|mount| Mounted::new(mount, root)).collect();
                for (hook, command) in &environment.hooks {
                    let places = Places { environment: root, task: None, mounts: &mounts };
                    check_hook(&mut findings, hook, command, places);
                }
            }
            Err(message) => findings.add(IssueCode::ValidationError, message, &path),
        }
    }
    let tasks = root.join("tasks");
    if fs_err::read_dir(&tasks).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        let message = "tasks/ cannot be listed, so none of its tasks was checked; make it readable";
        findings.add(IssueCode::UnreadableTasks, message, &tasks);
    }
    CheckedEnvironment::new(root, findings, spec, mounts)
}
