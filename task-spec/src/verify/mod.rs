//! What gym-anything's `verify spec` says of an environment and its tasks.
//!
//! The verdicts are the original's, record for record: the same kind, the same codes. Its rules are those of
//! gym-anything's `verification/specs.py`, `specs.py`, `config/` and `utils/` (May 2026). Where the original
//! ends with a traceback, on a spec of a shape that nobody expected, the spec gets the nearest code.
//!
//! Nothing of a task is executed. Only regular files are read, and only up to a size.

mod files;
mod hooks;
mod interpreter;
mod listing;
mod program;
mod shape;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::files::{MAX_SPEC_BYTES, exists, may_exist, pure, read_regular};
pub use self::files::{ReadError, read_regular as read_file};
pub use self::hooks::scripts;
use self::hooks::{Mounted, Places, missing_scripts};
pub use self::interpreter::{AskError, Interpreter};
pub use self::listing::Listing;
use self::program::{ProgramError, Roots, check_program};
use self::shape::Mode;
use crate::pyjson::{self, Value};
use crate::python::Module;
use crate::yaml;
use common::environment::{ENV_SPECS, TASK_SPECS};
use common::record::{Issue, Severity, SpecKind};

/// What is found in a spec. `as_str` is what gym-anything calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The environment has no spec.
    MissingEnvSpec,
    /// The spec is no JSON or YAML.
    ParseError,
    /// The spec has a shape or a value that gym-anything does not take.
    ValidationError,
    /// A hook names a script that is nowhere.
    MissingHookReference,
    /// The task is judged by a program and names none.
    MissingProgramVerifier,
    /// The program that judges the task cannot be run.
    InvalidProgramVerifier,
    /// The picture that the task is judged by is nowhere.
    MissingImageTarget,
    /// The checklist that the task is judged by is nowhere.
    MissingVlmChecklist,
    /// A warning of ours: nobody can say whether a module is installed.
    UnknownImport,
    /// A warning of ours: the tasks cannot be listed, so that none was checked.
    UnreadableTasks,
}

impl Code {
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

/// What a check of one spec came to.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What the spec is of.
    pub kind: SpecKind,
    /// The spec; the folder where there is none. As it was reached, so that it may be relative.
    pub path: PathBuf,
    /// The spec's `id`, where it is text.
    pub spec_id: Option<String>,
    /// What was found, in the original's order. The paths in it are as they were reached, too.
    pub issues: Vec<Issue>,
    /// For each issue of [`Code::MissingHookReference`], the hook and the scripts that it misses.
    pub missing_scripts: Vec<(String, Vec<String>)>,
}

impl Findings {
    fn new(kind: SpecKind, path: &Path) -> Self {
        Self { kind, path: path.to_owned(), spec_id: None, issues: Vec::new(), missing_scripts: Vec::new() }
    }

    /// Whether no issue is an error.
    pub fn ok(&self) -> bool {
        self.issues.iter().all(|issue| issue.severity != Severity::Error)
    }

    fn add(&mut self, code: Code, message: impl Into<String>, path: &Path) {
        self.issues.push(Issue {
            code: code.as_str().to_owned(),
            severity: code.severity(),
            message: message.into(),
            path: Some(path.to_string_lossy().into_owned()),
        });
    }
}

/// An environment that was checked, and what its tasks are checked with.
#[derive(Clone, Debug)]
pub struct CheckedEnvironment {
    /// Its folder, as it was given.
    pub root: PathBuf,
    /// What was found. Without a spec, tasks are not looked at.
    pub findings: Findings,
    /// The spec, where it could be read.
    pub spec: Option<Value>,
    mounts: Vec<Mounted>,
    utils_is_file: bool,
}

impl CheckedEnvironment {
    fn new(root: &Path, findings: Findings, spec: Option<Value>, mounts: Vec<Mounted>) -> Self {
        let utils = root.join("utils");
        let utils_is_file = exists(&utils) && !utils.is_dir();
        Self { root: root.to_owned(), findings, spec, mounts, utils_is_file }
    }
}

/// A task's spec that is to be checked, and the folder that it is in.
#[derive(Clone, Debug)]
pub struct TaskSpec {
    /// The spec.
    pub path: PathBuf,
    /// The task's folder.
    pub folder: Arc<Listing>,
}

impl TaskSpec {
    /// The spec at this path.
    pub fn at(path: PathBuf) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { path, folder: Arc::new(Listing::of(folder)) }
    }

    /// The specs in a task's folder.
    pub fn all_in(folder: PathBuf) -> Vec<Self> {
        specs_in(&[Arc::new(Listing::of(folder))])
    }
}

/// A task that was checked, and what was read of it.
pub struct CheckedTask {
    /// What was found.
    pub findings: Findings,
    /// The spec, where it could be read.
    pub spec: Option<Value>,
    /// The verifier, where the task has one of its own that parses.
    pub verifier: Option<Module>,
}

/// Checks the environment in the folder `root`. Paths in what is found start with `root` as it is given; to
/// the original it makes a difference whether that is relative, for where mounts are looked for.
pub fn check_environment(root: &Path) -> CheckedEnvironment {
    let Some(path) = environment_spec(root) else {
        let mut findings = Findings::new(SpecKind::Env, root);
        let message = format!("there is no environment spec; add one of {}", ENV_SPECS.join(", "));
        findings.add(Code::MissingEnvSpec, message, root);
        return CheckedEnvironment::new(root, findings, None, Vec::new());
    };
    let mut findings = Findings::new(SpecKind::Env, &path);
    let mut mounts = Vec::new();
    let spec = load(&path, &mut findings);
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
            Err(message) => findings.add(Code::ValidationError, message, &path),
        }
    }
    let tasks = root.join("tasks");
    if fs_err::read_dir(&tasks).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        let message = "tasks/ cannot be listed, and none of its tasks was checked; make it readable";
        findings.add(Code::UnreadableTasks, message, &tasks);
    }
    CheckedEnvironment::new(root, findings, spec, mounts)
}

/// The spec of the environment in a folder: the first that is there, or may be.
pub fn environment_spec(root: &Path) -> Option<PathBuf> {
    ENV_SPECS.iter().map(|name| root.join(name)).find(|path| may_exist(path))
}

/// Specs of an environment's tasks in the original's order: each `task.yaml` by the name of its folder, then
/// each `task.yml`, then each `task.json`. Of one task only, if one is named.
pub fn task_specs(root: &Path, task: Option<&str>) -> Vec<TaskSpec> {
    let tasks = root.join("tasks");
    let folders = match task {
        Some(task) => vec![tasks.join(pure(task))],
        None => task_folders(&tasks),
    };
    let folders: Vec<_> = folders.into_iter().map(|folder| Arc::new(Listing::of(folder))).collect();
    specs_in(&folders)
}

fn specs_in(folders: &[Arc<Listing>]) -> Vec<TaskSpec> {
    let spec = |name: &str, folder: &Arc<Listing>| {
        let path = folder.folder().join(name);
        // Of a folder that may not be looked into, one verdict is enough.
        let is_there = if name == "task.json" { folder.may_exist(&path) } else { folder.exists(&path) };
        is_there.then(|| TaskSpec { path, folder: folder.clone() })
    };
    TASK_SPECS.iter().flat_map(|name| folders.iter().filter_map(|folder| spec(name, folder))).collect()
}

/// Folders below `tasks/`, sorted. One that cannot be listed has none.
fn task_folders(tasks: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(tasks).into_iter().flatten().filter_map(Result::ok);
    let is_folder = |entry: &fs_err::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        kind => kind.is_ok_and(|kind| kind.is_dir()),
    };
    let mut folders: Vec<_> = entries.filter(is_folder).map(|entry| entry.path()).collect();
    folders.sort_unstable();
    folders
}

/// Checks a task of an environment.
pub fn check_task(
    spec: &TaskSpec,
    environment: &CheckedEnvironment,
    interpreter: &Interpreter,
) -> Result<CheckedTask, AskError> {
    let TaskSpec { path, folder } = spec;
    let mut task = CheckedTask { findings: Findings::new(SpecKind::Task, path), spec: None, verifier: None };
    let Some(value) = load(path, &mut task.findings) else { return Ok(task) };
    task.findings.spec_id = shape::id(&value);
    match shape::task(&value) {
        Ok(parts) => {
            let places =
                Places { environment: &environment.root, task: Some(folder), mounts: &environment.mounts };
            check_hook(&mut task.findings, "pre_task", &parts.pre_task, places);
            check_hook(&mut task.findings, "post_task", &parts.post_task, places);
            let folder = folder.folder();
            let mut judge = Judge { task: &mut task, spec: path, folder, environment, interpreter };
            judge.check(parts.mode, &parts.success)?;
        }
        Err(message) => task.findings.add(Code::ValidationError, message, path),
    }
    task.spec = Some(value);
    Ok(task)
}

/// What there is to say of a task folder that holds no spec.
pub fn missing_task_spec(folder: &Path) -> Findings {
    let mut findings = Findings::new(SpecKind::Task, folder);
    let message = format!("there is no task spec; add one of {}", TASK_SPECS.join(", "));
    findings.add(Code::ParseError, message, folder);
    findings
}

/// Reads a spec, as JSON or as YAML by its name.
fn load(path: &Path, findings: &mut Findings) -> Option<Value> {
    match parse(path) {
        Ok(value) => Some(value),
        Err(message) => {
            findings.add(Code::ParseError, message, path);
            None
        }
    }
}

fn parse(path: &Path) -> Result<Value, String> {
    let bytes = read_regular(path, MAX_SPEC_BYTES).map_err(|error| format!("cannot be read: {error}"))?;
    let text = str::from_utf8(&bytes)
        .map_err(|error| format!("is not UTF-8 from byte {} on", error.valid_up_to()))?;
    if path.extension().is_some_and(|extension| extension == "json") {
        return pyjson::parse(text).map_err(|error| format!("is no JSON: {error}"));
    }
    match yaml::parse(text) {
        Ok(value @ Value::Map(_)) => Ok(value),
        Ok(other) => Err(format!("holds {}, not an object", other.kind())),
        Err(error) => Err(format!("is no YAML: {error}")),
    }
}

fn check_hook(findings: &mut Findings, hook: &str, command: &Value, places: Places<'_>) {
    let path = places.task.map_or(places.environment, Listing::folder);
    match command {
        Value::String(command) => {
            let missing: Vec<_> = missing_scripts(command, places).into_iter().collect();
            if !missing.is_empty() {
                let message = format!("{hook} references missing script(s): {}", missing.join(", "));
                findings.add(Code::MissingHookReference, message, path);
                findings.missing_scripts.push((hook.to_owned(), missing));
            }
        }
        // The original ends with a traceback.
        other if other.truthy() => {
            let message = format!("the hook {hook} is {}; give it a command as text", other.kind());
            findings.add(Code::ValidationError, message, path);
        }
        _ => {}
    }
}

/// Checks what a task is judged by.
struct Judge<'a> {
    task: &'a mut CheckedTask,
    spec: &'a Path,
    folder: &'a Path,
    environment: &'a CheckedEnvironment,
    interpreter: &'a Interpreter,
}

/// What is under a key where an object is expected, as far as the original gets.
enum Found<'a> {
    Value(&'a Value),
    Nothing,
    /// There is no object to look into: the original ends with a traceback.
    NoObject,
}

fn look_up<'a>(value: &'a Value, keys: &[&str]) -> Found<'a> {
    let Some(map) = value.as_map() else { return Found::NoObject };
    let value = keys.iter().filter_map(|key| map.get(key)).find(|value| value.truthy());
    value.map_or(Found::Nothing, Found::Value)
}

impl Judge<'_> {
    fn check(&mut self, mode: Mode, success: &Value) -> Result<(), AskError> {
        let empty = Value::Map(pyjson::Map::default());
        let success = if success.truthy() { success } else { &empty };
        match mode {
            Mode::Program => match program(success) {
                Found::Value(reference) => self.check_program(reference)?,
                Found::Nothing => self.add(
                    Code::MissingProgramVerifier,
                    "success.spec names no verifier; give it program: \"verifier.py::function\"",
                    self.spec,
                ),
                Found::NoObject => self.odd_shape("success.spec"),
            },
            Mode::ImageMatch => match look_up(success, &["target"]) {
                Found::Value(target) => self.check_image(target),
                Found::Nothing => {
                    self.add(
                        Code::MissingImageTarget,
                        "success.spec names no target; add the picture",
                        self.spec,
                    );
                }
                Found::NoObject => self.odd_shape("success.spec"),
            },
            Mode::Multi => self.check_multi(success)?,
            Mode::VlmChecklist => self.check_checklist(success),
        }
        Ok(())
    }

    fn check_multi(&mut self, success: &Value) -> Result<(), AskError> {
        let Some(parts) = success.as_map() else {
            self.odd_shape("success.spec");
            return Ok(());
        };
        if let Some(part) = parts.get("program") {
            match program(part) {
                Found::Value(reference) => self.check_program(reference)?,
                Found::Nothing => {}
                Found::NoObject => {
                    self.odd_shape("success.spec.program");
                    return Ok(());
                }
            }
        }
        if let Some(part) = parts.get("image_match") {
            match look_up(part, &["target"]) {
                Found::Value(target) => self.check_image(target),
                Found::Nothing => {}
                Found::NoObject => self.odd_shape("success.spec.image_match"),
            }
        }
        Ok(())
    }

    fn check_program(&mut self, reference: &Value) -> Result<(), AskError> {
        let roots = Roots {
            task: self.folder,
            environment: &self.environment.root,
            utils_is_file: self.environment.utils_is_file,
        };
        let reference = reference.to_text();
        match check_program(&reference, roots, self.interpreter, &mut self.task.verifier) {
            Ok(()) => {}
            Err(ProgramError::Invalid(message)) => {
                self.add(Code::InvalidProgramVerifier, message, self.folder);
            }
            Err(error @ ProgramError::Unknown(_)) => {
                self.add(Code::UnknownImport, error.to_string(), self.folder);
            }
            Err(ProgramError::Ask(error)) => return Err(error),
        }
        Ok(())
    }

    fn check_image(&mut self, target: &Value) {
        let Some(target) = target.as_str() else { return self.odd_shape("the target") };
        let path = pure(target);
        if !path.is_absolute() && !self.is_beside(&path) {
            let message = format!(
                "the picture '{target}' is neither in the task folder nor in the environment; add it"
            );
            self.add(Code::MissingImageTarget, message, self.folder);
        }
    }

    fn check_checklist(&mut self, success: &Value) {
        const DEFAULT: &Value = &Value::Null;
        let checklist = match success.get("vlm_checklist").unwrap_or(success) {
            text @ Value::String(_) => text,
            part => match look_up(part, &["checklist", "checklist_path"]) {
                Found::Value(path) => path,
                Found::Nothing | Found::NoObject => DEFAULT,
            },
        };
        let checklist = match checklist {
            Value::String(path) => path.as_str(),
            Value::Null => "vlm_checklist.json",
            _ => return self.odd_shape("the checklist"),
        };
        let path = pure(checklist);
        let there = if path.is_absolute() { exists(&path) } else { self.is_beside(&path) };
        if !there {
            let message = format!(
                "the checklist '{checklist}' is neither in the task folder nor in the environment; add it"
            );
            self.add(Code::MissingVlmChecklist, message, self.folder);
        }
    }

    /// Whether a path is there from the task folder or from the environment.
    fn is_beside(&self, path: &Path) -> bool {
        exists(&self.folder.join(path)) || exists(&self.environment.root.join(path))
    }

    /// Reports a shape that ends the original with a traceback.
    fn odd_shape(&mut self, what: &str) {
        let message = format!("{what} has a shape that gym-anything cannot use; see its other tasks");
        self.add(Code::ValidationError, message, self.spec);
    }

    fn add(&mut self, code: Code, message: impl Into<String>, path: &Path) {
        self.task.findings.add(code, message, path);
    }
}

/// The reference to a program: the value itself if it is text, or what it holds.
fn program(value: &Value) -> Found<'_> {
    match value {
        Value::String(text) if text.is_empty() => Found::Nothing,
        Value::String(_) => Found::Value(value),
        value => look_up(value, &["program", "target"]),
    }
}

#[cfg(test)]
mod tests;
