//! Whether the files of an answer make a task, and what is mended so that they do.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::code::Code;
use super::kind::{Kind, python_module};
use super::{Answer, quote, rejects};
use common::environment::TaskName;
use common::record::Problem;
use task_spec::pyjson;
use task_spec::python::Module;
use task_spec::spec::{NamedVerifier, VerifierRef};
use task_spec::value::Value;
use task_spec::verify::scripts;

/// An answer that was judged as a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The name of the task, and of its folder.
    pub task: Option<TaskName>,
    /// Its files, mended where a name differed.
    pub files: BTreeMap<String, String>,
    /// What is wrong, mended or not: [`rejects`] tells which.
    pub problems: Vec<Problem>,
}

impl Judged {
    /// Whether the task can be published.
    pub fn is_sound(&self) -> bool {
        self.task.is_some() && !self.problems.iter().any(rejects)
    }
}

impl Answer {
    /// Judges whether the files make a task. Its name is the one that was `planned`; without a plan, the one
    /// in its id, then its title.
    pub fn judge(self, planned: Option<&TaskName>) -> Judged {
        let mut judge = Judge { files: self.files, modules: BTreeMap::new(), problems: self.problems };
        judge.check_contents();
        let task = judge.check_spec(planned);
        Judged { task, files: judge.files, problems: judge.problems }
    }
}

struct Judge {
    files: BTreeMap<String, String>,
    /// The Python files, as far as they are Python.
    modules: BTreeMap<String, Module>,
    problems: Vec<Problem>,
}

impl Judge {
    fn problem(&mut self, code: Code, message: impl Into<String>) {
        self.problems.push(code.problem(message));
    }

    /// Checks each file for itself. task.json is looked at more closely later.
    fn check_contents(&mut self) {
        let mut found = Vec::new();
        for (name, content) in &self.files {
            if let Some(at) = control_character(content) {
                let line = content.get(..at).unwrap_or_default().matches('\n').count() + 1;
                found.push(
                    Code::ControlCharacter.problem(format!("{name}, line {line}: a control character")),
                );
            }
            let checked = match Kind::of_file(name) {
                Kind::Python => {
                    python_module(content).map(|module| drop(self.modules.insert(name.clone(), module)))
                }
                Kind::Json if name == "task.json" => Ok(()),
                kind => kind.flaw(content),
            };
            if let Err((code, flaw)) = checked {
                found.push(code.problem(format!("{name} {flaw}")));
            }
        }
        self.problems.append(&mut found);
    }

    /// Checks task.json and what it names; gives the task's name.
    fn check_spec(&mut self, planned: Option<&TaskName>) -> Option<TaskName> {
        let Some(spec) = self.spec() else { return planned.cloned() };
        let Some(task) = planned.cloned().or_else(|| self.name_of(&spec)) else {
            self.problem(
                Code::NoName,
                "neither the id nor the title in task.json gives a name for the folder",
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
            // Where the answer is cut off or ambiguous, that is the reason already given.
            if !self.problems.iter().any(rejects) {
                self.problem(Code::MissingTaskJson, "there is no task.json in the answer");
            }
            return None;
        };
        match pyjson::parse(text) {
            Ok(spec) if spec.as_map().is_some() => Some(spec),
            Ok(other) => {
                self.problem(Code::InvalidTaskJson, format!("task.json is {}, not an object", other.kind()));
                None
            }
            Err(error) => {
                self.problem(Code::InvalidTaskJson, format!("task.json is no JSON: {error}"));
                None
            }
        }
    }

    fn name_of(&self, spec: &Value) -> Option<TaskName> {
        let field = |key| spec.get(key).and_then(Value::as_str).and_then(TaskName::from_text);
        let heading = || {
            let readme = self.files.get("README.md")?;
            readme.lines().find_map(|line| TaskName::from_text(line.strip_prefix("# ")?))
        };
        field("id").or_else(|| field("title")).or_else(|| field("name")).or_else(heading)
    }

    /// Checks the fields that every task has, and mends the id. Says whether task.json was changed.
    fn check_id(&mut self, spec: &Value, task: &TaskName) -> bool {
        for (field, is_text) in [("id", true), ("description", true), ("success", false)] {
            let fits = match spec.get(field) {
                Some(Value::String(text)) => is_text && !text.trim().is_empty(),
                Some(Value::Map(_)) => !is_text,
                _ => false,
            };
            if !fits {
                let shape = if is_text { "text" } else { "an object" };
                self.problem(Code::MissingField, format!("task.json has no `{field}`, or it is not {shape}"));
            }
        }
        let Some(id) = spec.get("id").and_then(Value::as_str) else { return false };
        let (name, version) = id.split_once('@').unwrap_or((id, ""));
        if name == task.as_str() || id.trim().is_empty() {
            return false;
        }
        let version = if version.is_empty() { "1" } else { version };
        let mended = format!("{task}@{version}");
        let is_mended = self.replace(&["id"], &mended);
        if is_mended {
            self.problem(Code::IdMended, format!("the id was {}; it is {} now", quote(id), quote(&mended)));
            self.rename_paths(name, task);
        } else {
            self.problem(
                Code::InvalidTaskJson,
                format!("the id {} cannot be changed to {}", quote(id), quote(&mended)),
            );
        }
        is_mended
    }

    /// Makes every path to the folder that the answer had in mind lead to the task's own.
    fn rename_paths(&mut self, from: &str, task: &TaskName) {
        if TaskName::new(from).is_none() {
            return;
        }
        let mut mended = Vec::new();
        for (name, content) in &mut self.files {
            for slash in ["/", "\\", "\\\\"] {
                let (old, new) = (format!("tasks{slash}{from}{slash}"), format!("tasks{slash}{task}{slash}"));
                if content.contains(&old) {
                    *content = content.replace(&old, &new);
                    mended.push(name.clone());
                }
            }
        }
        if !mended.is_empty() {
            self.problem(
                Code::PathMended,
                format!("paths to tasks/{from} in {} lead to tasks/{task} now", mended.join(", ")),
            );
        }
    }

    fn check_hooks(&mut self, spec: &Value, task: &TaskName) {
        for hook in ["pre_task", "post_task"] {
            let Some(command) = spec.get("hooks").and_then(|hooks| hooks.get(hook)).and_then(Value::as_str)
            else {
                continue;
            };
            let mut mended = command.to_owned();
            for script in scripts(command) {
                match self.find_script(&script, task) {
                    Script::Here | Script::Elsewhere => {}
                    Script::OtherFolder(folder) => {
                        for slash in ["/", "\\"] {
                            let [old, new] = [folder.as_str(), task.as_str()]
                                .map(|name| format!("tasks{slash}{name}{slash}"));
                            mended = mended.replace(&old, &new);
                        }
                    }
                    Script::Missing => self.problem(
                        Code::MissingHookScript,
                        format!("hooks.{hook} runs {}, which is not in the answer", quote(&script)),
                    ),
                }
            }
            if mended != command && self.replace(&["hooks", hook], &mended) {
                self.problem(
                    Code::PathMended,
                    format!("hooks.{hook} was {}; it is {} now", quote(command), quote(&mended)),
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
            // It belongs to another task.
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
                Code::MissingVerifier,
                "success.spec names no verifier: verifier.py::verify_… is expected",
            );
            return;
        };
        // A module that Python imports is not a file of the task.
        let Some(VerifierRef::File { file, function }) = VerifierRef::parse(reference) else { return };
        if !self.files.contains_key(file) {
            self.problem(Code::MissingVerifier, format!("the verifier {} is not in the answer", quote(file)));
            return;
        }
        let Some(module) = self.modules.get(file) else {
            // That it does not parse was said already.
            if Kind::of_file(file) != Kind::Python {
                self.problem(Code::MissingVerifier, format!("the verifier {} is no .py file", quote(file)));
            }
            return;
        };
        if module.functions().contains(function) {
            return;
        }
        let mut others = module.functions().iter().filter(|name| name.starts_with("verify_"));
        let mended = match (others.next(), others.next()) {
            (Some(only), None) => Some(format!("{file}::{only}")),
            _ => None,
        };
        match mended {
            Some(mended) if self.replace(keys, &mended) => self.problem(
                Code::FunctionMended,
                format!("task.json named the verifier {}; it is {} now", quote(reference), quote(&mended)),
            ),
            _ => self.problem(
                Code::MissingFunction,
                format!("{} does not define {}, which task.json names", quote(file), quote(function)),
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
                Code::MissingChecklist,
                format!("the checklist {} is not in the answer", quote(file)),
            );
        }
    }

    /// Puts the text `new` in place of the value at `path` in task.json, and leaves the rest as it is written.
    fn replace(&mut self, path: &[&str], new: &str) -> bool {
        let Some(text) = self.files.get("task.json") else { return false };
        let replaced = replace_value(text, path, new);
        if let Some(replaced) = replaced {
            self.files.insert("task.json".to_owned(), replaced);
            return true;
        }
        false
    }
}

/// Where a text holds a control character that no file of a task needs.
fn control_character(text: &str) -> Option<usize> {
    let is_needless = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c' | '\x1b');
    // Those beyond ASCII begin with this byte. Few texts have to be decoded to find that there is none.
    let may_begin_one = |byte: u8| byte == 0xc2 || byte.is_ascii() && is_needless(char::from(byte));
    if text.bytes().any(may_begin_one) { text.find(is_needless) } else { None }
}

/// Where the script of a hook is.
enum Script {
    /// Among the task's files.
    Here,
    /// Among the task's files, but the path leads to a folder of another name.
    OtherFolder(String),
    /// In the environment, as far as one can tell.
    Elsewhere,
    /// Not where it ought to be, in the task's folder.
    Missing,
}

/// `json` with the text `new` as the value at `path`, and everything else byte for byte as it was.
fn replace_value(json: &str, path: &[&str], new: &str) -> Option<String> {
    let mut value = json.trim();
    for key in path {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(value).ok()?;
        value = fields.get(*key)?.get();
    }
    // The value is a part of the text it was read from, so its address says where it stands.
    let start = (value.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    let (before, after) = (json.get(..start)?, json.get(start + value.len()..)?);
    Some(format!("{before}{}{after}", serde_json::to_string(new).ok()?))
}

#[cfg(test)]
mod tests {
    use super::replace_value;

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let json = "{ \"a\": 1.50,\n \"id\" : \"x\\u0041\", \"hooks\":{\"pre\" : \"p\"} , \"id2\": \"xA\"}\n";
        assert_eq!(
            replace_value(json, &["id"], "y\"").as_deref(),
            Some("{ \"a\": 1.50,\n \"id\" : \"y\\\"\", \"hooks\":{\"pre\" : \"p\"} , \"id2\": \"xA\"}\n")
        );
        assert_eq!(
            replace_value(json, &["hooks", "pre"], "q").as_deref(),
            Some("{ \"a\": 1.50,\n \"id\" : \"x\\u0041\", \"hooks\":{\"pre\" : \"q\"} , \"id2\": \"xA\"}\n")
        );
        assert_eq!(replace_value(json, &["hooks", "post"], "q"), None);
        assert_eq!(replace_value("{\"a\": NaN, \"id\": \"x\"}", &["id"], "q"), None);
    }
}
