//! What a task is validated by: a program, a picture, a checklist.

use std::path::Path;

use super::findings::{Findings, IssueCode};
use super::interpreter::{AskError, Interpreter};
use super::paths::{exists, pure};
use super::program::{ProgramError, Roots, check_program};
use super::shape::Mode;
use crate::python::Module;
use crate::spec::NamedVerifier;
use crate::value::Value;

/// Checks that what a task is validated by is there.
pub(super) struct SuccessCheck<'a> {
    /// Takes what is found.
    pub(super) findings: &'a mut Findings,
    /// Takes the verifier, if the task has one of its own that parses.
    pub(super) verifier: &'a mut Option<Module>,
    /// The path of the spec.
    pub(super) spec_path: &'a Path,
    /// The folders of the task and of its environment.
    pub(super) roots: Roots<'a>,
    /// The Python that runs verifiers.
    pub(super) interpreter: &'a Interpreter,
}

/// The file of a checklist if the spec names none.
const DEFAULT_CHECKLIST: &str = "vlm_checklist.json";

impl SuccessCheck<'_> {
    /// Checks a spec of a valid shape and this mode.
    pub(super) fn check(&mut self, spec: &Value, mode: Mode) -> Result<(), AskError> {
        let target = spec.get("success").and_then(|success| success.get("spec"));
        let target = target.filter(|target| target.truthy());
        match mode {
            Mode::Program | Mode::Multi => self.check_program_or_multi(spec, mode, target)?,
            Mode::ImageMatch => match target.map_or(Target::Unnamed, Target::of) {
                Target::Unnamed => {
                    let message = "success.spec names no target; add the picture";
                    self.add(IssueCode::MissingImageTarget, message, self.spec_path);
                }
                target => self.check_image(&target, "success.spec"),
            },
            Mode::VlmChecklist => self.check_checklist(target),
        }
        Ok(())
    }

    fn check_program_or_multi(
        &mut self,
        spec: &Value,
        mode: Mode,
        target: Option<&Value>,
    ) -> Result<(), AskError> {
        match NamedVerifier::of(spec) {
            NamedVerifier::Named { reference, .. } => self.check_program(&reference.to_text())?,
            NamedVerifier::Unnamed if mode == Mode::Program => self.add(
                IssueCode::MissingProgramVerifier,
                "success.spec names no verifier; give it program: \"verifier.py::function\"",
                self.spec_path,
            ),
            NamedVerifier::Unnamed | NamedVerifier::OtherMode => {}
            NamedVerifier::NotAnObject(place) => {
                // The original does not get any further.
                self.odd_shape(&place);
                return Ok(());
            }
        }
        if mode == Mode::Multi
            && let Some(part) = target.and_then(|target| target.get("image_match"))
        {
            self.check_image(&Target::of(part), "success.spec.image_match");
        }
        Ok(())
    }

    fn check_program(&mut self, reference: &str) -> Result<(), AskError> {
        match check_program(reference, self.roots, self.interpreter, self.verifier) {
            Ok(()) => {}
            Err(ProgramError::Invalid(message)) => {
                self.add(IssueCode::InvalidProgramVerifier, message, self.roots.task);
            }
            Err(error @ (ProgramError::MissingImports(_) | ProgramError::MissingModule(_))) => {
                self.add(IssueCode::InvalidProgramVerifier, error.to_string(), self.roots.task);
                self.findings.missing_modules = error.into_missing_modules();
            }
            Err(error @ ProgramError::Unknown(_)) => {
                self.add(IssueCode::UnknownImport, error.to_string(), self.roots.task);
            }
            Err(ProgramError::Ask(error)) => return Err(error),
        }
        Ok(())
    }

    fn check_image(&mut self, target: &Target<'_>, place: &str) {
        let target = match target {
            Target::Named(Value::String(target)) => target,
            Target::Named(_) => return self.odd_shape("the target"),
            Target::NotAnObject => return self.odd_shape(place),
            Target::Unnamed => return,
        };
        let path = pure(target);
        if !path.is_absolute() && !self.is_beside(&path) {
            let message = format!(
                "the picture '{target}' is neither in the task folder nor in the environment; add it"
            );
            self.add(IssueCode::MissingImageTarget, message, self.roots.task);
        }
    }

    fn check_checklist(&mut self, target: Option<&Value>) {
        let part = target.map(|target| target.get("vlm_checklist").unwrap_or(target));
        let named = match part {
            Some(Value::Map(map)) => ["checklist", "checklist_path"]
                .iter()
                .filter_map(|key| map.get(key))
                .find(|value| value.truthy()),
            Some(text @ Value::String(_)) => Some(text),
            _ => None,
        };
        let checklist = match named {
            Some(Value::String(path)) => path.as_str(),
            None => DEFAULT_CHECKLIST,
            Some(_) => return self.odd_shape("the checklist"),
        };
        let path = pure(checklist);
        let is_there = if path.is_absolute() { exists(&path) } else { self.is_beside(&path) };
        if !is_there {
            let message = format!(
                "the checklist '{checklist}' is neither in the task folder nor in the environment; add it"
            );
            self.add(IssueCode::MissingVlmChecklist, message, self.roots.task);
        }
    }

    /// Whether a path leads to something from the task folder or from the environment.
    fn is_beside(&self, path: &Path) -> bool {
        exists(&self.roots.task.join(path)) || exists(&self.roots.environment.join(path))
    }

    /// Reports a shape that ends the original with a traceback.
    fn odd_shape(&mut self, what: &str) {
        let message = format!("{what} has a shape that gym-anything cannot use; see its other tasks");
        self.add(IssueCode::ValidationError, message, self.spec_path);
    }

    fn add(&mut self, code: IssueCode, message: impl Into<String>, path: &Path) {
        self.findings.add(code, message, path);
    }
}

/// The picture that the final screen is compared with.
enum Target<'a> {
    Named(&'a Value),
    Unnamed,
    /// Not an object: the original ends with a traceback.
    NotAnObject,
}

impl<'a> Target<'a> {
    fn of(part: &'a Value) -> Self {
        let Some(map) = part.as_map() else { return Self::NotAnObject };
        map.get("target").filter(|target| target.truthy()).map_or(Self::Unnamed, Self::Named)
    }
}
