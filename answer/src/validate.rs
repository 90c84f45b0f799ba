//! Checks whether the files of an answer make a task, and fixes names that differ.

use std::collections::BTreeMap;

use common::environment::TaskName;
use common::record::Problem;
use task_spec::pyjson;
use task_spec::python::Module;
use task_spec::spec::{NamedVerifier, VerifierRef};
use task_spec::value::Value;
use task_spec::verify::scripts;

use super::content_kind::{ContentKind, python_module};
use super::edit::replace_value;
use super::parsed::ParsedAnswer;
use super::problem_code::{ProblemCode, quote, rejects};

/// A validated answer: a task, valid or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// The name of the task and of its folder.
    pub task: Option<TaskName>,
    /// Its files, with fixed names.
    pub files: BTreeMap<String, String>,
    /// The problems, fixed or not: [`rejects`] tells which.
    pub problems: Vec<Problem>,
}

impl Validation {
    /// Whether the task can be published.
    pub fn is_valid(&self) -> bool {
        self.task.is_some() && !self.problems.iter().any(rejects)
    }
}

impl ParsedAnswer {
    /// Checks whether the files make a task. The task has the `planned` name; without a plan, the name in its id,
    /// then in its title.
    pub fn validate(self, planned: Option<&TaskName>) -> Validation {
        let mut validator =
            Validator { files: self.files, modules: BTreeMap::new(), problems: self.problems };
        validator.check_contents();
        let task = validator.check_spec(planned);
        Validation { task, files: validator.files, problems: validator.problems }
    }
}

struct Validator {
    files: BTreeMap<String, String>,
    /// The valid Python files.
    modules: BTreeMap<String, Module>,
    problems: Vec<Problem>,
}

impl Validator {
    fn problem(&mut self, code: ProblemCode, message: impl Into<String>) {
        self.problems.push(code.problem(message));
    }

    /// Checks each file by itself, except task.json.
    fn check_contents(&mut self) {
        let mut found = Vec::new();
        for (name, content) in &self.files {
            if let Some(at) = control_character(content) {
                let line = content.get(..at).unwrap_or_default().matches('\n').count() + 1;
                found.push(
                    ProblemCode::ControlCharacter
                        .problem(format!("{name}, line {line}: a control character")),
                );
            }
            let checked = match ContentKind::of_file(name) {
                ContentKind::Python => python_module(content).map(|module| {
                    self.modules.insert(name.clone(), module);
                }),
                ContentKind::Json if name == "task.json" => Ok(()),
                kind => kind.check(content),
            };
            if let Err(error) = checked {
                found.push(error.code().problem(format!("{name} {error}")));
            }
        }
        self.problems.append(&mut found);
    }

    /// Checks task.json and the files that it names. Returns the name of the task.
    fn check_spec(&mut self, planned: Option<&TaskName>) -> Option<TaskName> {
        let Some(spec) = self.spec() else { return planned.cloned() };
        let Some(task) = planned.cloned().or_else(|| self.name_of(&spec)) else {
            self.problem(
                ProblemCode::NoName,
                "task.json has neither an id nor a title that names the folder",
            );
            return None;
        };
        let spec = if self.check_id(&spec, &task) { self.spec()? } else { spec };
        self.check_hooks(&spec, &task);
        self.check_success(&spec);
        Some(task)
    }

    fn spec(&mut self) -> Option<Value> {
        let Some(text) = self.files.get("task.json") else {
            // An answer that is cut off or ambiguous has been reported already.
            if !self.problems.iter().any(rejects) {
                self.problem(ProblemCode::MissingTaskJson, "the answer contains no task.json");
            }
            return None;
        };
        match pyjson::parse(text) {
            Ok(spec) if spec.as_map().is_some() => Some(spec),
            Ok(other) => {
                self.problem(
                    ProblemCode::InvalidTaskJson,
                    format!("task.json is {}, not an object", other.kind()),
                );
                None
            }
            Err(error) => {
                self.problem(ProblemCode::InvalidTaskJson, format!("task.json is not valid JSON: {error}"));
                None
            }
        }
    }

    fn name_of(&self, spec: &Value) -> Option<TaskName> {
        let in_spec = ["id", "title", "name"]
            .iter()
            .find_map(|key| spec.get(key).and_then(Value::as_str).and_then(TaskName::from_text));
        in_spec.or_else(|| {
            let readme = self.files.get("README.md")?;
            readme.lines().find_map(|line| TaskName::from_text(line.strip_prefix("# ")?))
        })
    }

    /// Checks the required fields and fixes the id. Returns whether task.json was changed.
    fn check_id(&mut self, spec: &Value, task: &TaskName) -> bool {
        for (field, is_text) in [("id", true), ("description", true), ("success", false)] {
            let fits = match spec.get(field) {
                Some(Value::String(text)) => is_text && !text.trim().is_empty(),
                Some(Value::Map(_)) => !is_text,
                _ => false,
            };
            if !fits {
                let shape = if is_text { "text" } else { "an object" };
                self.problem(
                    ProblemCode::MissingField,
                    format!("task.json has no `{field}`, or it is not {shape}"),
                );
            }
        }
        let Some(id) = spec.get("id").and_then(Value::as_str) else { return false };
        let (name, version) = id.split_once('@').unwrap_or((id, ""));
        if name == task.as_str() || id.trim().is_empty() {
            return false;
        }
        let version = if version.is_empty() { "1" } else { version };
        let fixed = format!("{task}@{version}");
        let is_fixed = self.replace(&["id"], &fixed);
        if is_fixed {
            self.problem(
                ProblemCode::IdFixed,
                format!("the id {} was changed to {}", quote(id), quote(&fixed)),
            );
            self.rename_paths(name, task);
        } else {
            self.problem(
                ProblemCode::InvalidTaskJson,
                format!("the id {} cannot be changed to {}", quote(id), quote(&fixed)),
            );
        }
        is_fixed
    }

    /// Renames the folder of the task in all paths.
    fn rename_paths(&mut self, from: &str, task: &TaskName) {
        if TaskName::new(from).is_none() {
            return;
        }
        let mut fixed = Vec::new();
        for (name, content) in &mut self.files {
            for slash in ["/", "\\", "\\\\"] {
                let (old, new) = (format!("tasks{slash}{from}{slash}"), format!("tasks{slash}{task}{slash}"));
                if content.contains(&old) {
                    *content = content.replace(&old, &new);
                    fixed.push(name.clone());
                }
            }
        }
        if !fixed.is_empty() {
            self.problem(
                ProblemCode::PathFixed,
                format!("paths to tasks/{from} in {} now lead to tasks/{task}", fixed.join(", ")),
            );
        }
    }

    fn check_hooks(&mut self, spec: &Value, task: &TaskName) {
        for hook in ["pre_task", "post_task"] {
            let Some(command) = spec.get("hooks").and_then(|hooks| hooks.get(hook)).and_then(Value::as_str)
            else {
                continue;
            };
            let mut fixed = command.to_owned();
            for script in scripts(command) {
                match self.find_script(&script, task) {
                    Script::Here | Script::Elsewhere => {}
                    Script::OtherFolder(folder) => {
                        for slash in ["/", "\\"] {
                            let [old, new] = [folder.as_str(), task.as_str()]
                                .map(|name| format!("tasks{slash}{name}{slash}"));
                            fixed = fixed.replace(&old, &new);
                        }
                    }
                    Script::Missing => self.problem(
                        ProblemCode::MissingHookScript,
                        format!("hooks.{hook} runs {}, which is not in the answer", quote(&script)),
                    ),
                }
            }
            if fixed != command && self.replace(&["hooks", hook], &fixed) {
                self.problem(
                    ProblemCode::PathFixed,
                    format!("hooks.{hook} was changed from {} to {}", quote(command), quote(&fixed)),
                );
            }
        }
    }

    fn find_script(&self, script: &str, task: &TaskName) -> Script {
        let Some((_, below)) = script.split_once("tasks/") else {
            // Only a bare name is looked up in the task folder.
            let bare = script.strip_prefix("./").unwrap_or(script);
            let here = bare.contains('/') || self.files.contains_key(bare);
            return if here { Script::Elsewhere } else { Script::Missing };
        };
        let Some((folder, file)) = below.split_once('/') else { return Script::Elsewhere };
        match (folder == task.as_str(), self.files.contains_key(file)) {
            (true, true) => Script::Here,
            (true, false) => Script::Missing,
            (false, true) => Script::OtherFolder(folder.to_owned()),
            // A script of another task.
            (false, false) => Script::Elsewhere,
        }
    }

    fn check_success(&mut self, spec: &Value) {
        let Some(success) = spec.get("success").filter(|success| success.as_map().is_some()) else { return };
        match success.get("mode").and_then(Value::as_str).unwrap_or("program") {
            "program" => self.check_program(spec),
            "vlm_checklist" => self.check_checklist(success),
            _ => {}
        }
    }

    fn check_program(&mut self, spec: &Value) {
        let named = NamedVerifier::of(spec);
        let (NamedVerifier::Named { keys, .. }, Some(reference)) = (&named, named.text()) else {
            self.problem(
                ProblemCode::MissingVerifier,
                "success.spec does not name a verifier: expected verifier.py::verify_…",
            );
            return;
        };
        // An imported module is not a file of the task.
        let Some(VerifierRef::File { file, function }) = VerifierRef::parse(reference) else { return };
        if !self.files.contains_key(file) {
            self.problem(
                ProblemCode::MissingVerifier,
                format!("the verifier {} is not in the answer", quote(file)),
            );
            return;
        }
        let Some(module) = self.modules.get(file) else {
            // A syntax error has been reported already.
            if ContentKind::of_file(file) != ContentKind::Python {
                self.problem(
                    ProblemCode::MissingVerifier,
                    format!("the verifier {} is not a .py file", quote(file)),
                );
            }
            return;
        };
        if module.functions().contains(function) {
            return;
        }
        let mut others = module.functions().iter().filter(|name| name.starts_with("verify_"));
        let fixed = match (others.next(), others.next()) {
            (Some(only), None) => Some(format!("{file}::{only}")),
            _ => None,
        };
        match fixed {
            Some(fixed) if self.replace(keys, &fixed) => self.problem(
                ProblemCode::FunctionFixed,
                format!("the verifier {} in task.json was changed to {}", quote(reference), quote(&fixed)),
            ),
            _ => self.problem(
                ProblemCode::MissingFunction,
                format!("{} does not define {}, which is named in task.json", quote(file), quote(function)),
            ),
        }
    }

    fn check_checklist(&mut self, success: &Value) {
        let spec = success.get("spec");
        let named = spec.and_then(|spec| match spec {
            Value::String(path) => Some(path.as_str()),
            spec => ["checklist", "checklist_path", "vlm_checklist"]
                .iter()
                .find_map(|key| spec.get(key)?.as_str()),
        });
        let file = named.unwrap_or("vlm_checklist.json");
        if !self.files.contains_key(file) {
            self.problem(
                ProblemCode::MissingChecklist,
                format!("the checklist {} is not in the answer", quote(file)),
            );
        }
    }

    /// Replaces the value at `path` in task.json by the text `new`. Returns whether it was found.
    fn replace(&mut self, path: &[&str], new: &str) -> bool {
        let Some(text) = self.files.get("task.json") else { return false };
        let Some(replaced) = replace_value(text, path, new) else { return false };
        self.files.insert("task.json".to_owned(), replaced);
        true
    }
}

/// The offset of a control character that a file of a task must not contain.
fn control_character(text: &str) -> Option<usize> {
    // Control characters beyond ASCII start with the byte C2, so that few texts have to be decoded.
    let may_contain_one =
        text.bytes().any(|byte| byte == 0xc2 || byte.is_ascii() && is_forbidden(char::from(byte)));
    if may_contain_one { text.find(is_forbidden) } else { None }
}

fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c' | '\x1b')
}

/// The place of a hook's script.
enum Script {
    /// Among the task's files.
    Here,
    /// Among the task's files, but the path names another folder.
    OtherFolder(String),
    /// Probably in the environment.
    Elsewhere,
    /// Missing from the task's folder.
    Missing,
}
