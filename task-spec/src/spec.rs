//! Specs of environments and tasks: reading one, and the program verifier that it names.

use std::path::{Path, PathBuf};

use common::environment::{Environment, TASK_SPECS, task_spec};
use common::read::{FileError, read_beneath, read_regular};

use crate::pyjson::{self, JsonError};
use crate::value::Value;
use crate::yaml::{self, YamlError};

/// The longest spec that is read, in bytes. The longest of the published benchmark has 77 KB.
pub const MAX_BYTES: usize = 16 << 20;

/// Why a spec is not read.
#[derive(Debug, thiserror::Error)]
#[error("{} {problem}", path.display())]
pub struct SpecError {
    /// The spec; the task folder if there is none.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: SpecProblem,
}

/// What keeps a spec from being read. As a predicate, to be written after the name of the spec.
#[derive(Debug, thiserror::Error)]
pub enum SpecProblem {
    /// The folder has no spec.
    #[error("holds none of {}", TASK_SPECS.join(", "))]
    Missing,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] FileError),
    /// The text is not UTF-8.
    #[error("is not UTF-8 from byte {offset} on")]
    NotUtf8 {
        /// Where the first byte is that is not part of a character, from 0.
        offset: usize,
        /// The line of that byte, from 1.
        line: usize,
    },
    /// The text is not JSON.
    #[error("is not valid JSON: {0}")]
    Json(#[from] JsonError),
    /// The text is not YAML.
    #[error("is not valid YAML: {0}")]
    Yaml(#[from] YamlError),
    /// The YAML is a value of this kind.
    #[error("holds {0}, not an object")]
    NotAnObject(&'static str),
}

impl SpecProblem {
    /// The line of the spec on which the problem is, from 1, if it is on one.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::NotUtf8 { line, .. } => Some(*line),
            Self::Json(error) => Some(error.line),
            Self::Yaml(error) => error.line(),
            Self::Missing | Self::Unreadable(_) | Self::NotAnObject(_) => None,
        }
    }
}

/// Reads the spec of the task in `folder`, a path below `root`: the first of [`TASK_SPECS`] that is there. Links
/// below `root` are not followed.
pub fn read_task(root: &Path, folder: &Path) -> Result<Value, SpecError> {
    let at: PathBuf = root.join(folder).components().collect();
    let missing = || SpecError { path: at.clone(), problem: SpecProblem::Missing };
    let path = task_spec(&at).ok_or_else(missing)?;
    let below = path.strip_prefix(root).unwrap_or(&path);
    parse_file(&path, read_beneath(root, below, MAX_BYTES))
}

/// Reads the spec of an environment. A link is not followed.
pub fn read_environment(environment: &Environment) -> Result<Value, SpecError> {
    let Environment { root, spec, .. } = environment;
    let below = spec.strip_prefix(root).unwrap_or(spec);
    parse_file(spec, read_beneath(root, below, MAX_BYTES))
}

/// Reads the spec of an environment or of a task, as JSON or as YAML by its extension. Links are followed, as
/// gym-anything does.
///
/// As for gym-anything, YAML has to hold an object; JSON may hold any value.
pub fn read(path: &Path) -> Result<Value, SpecError> {
    parse_file(path, read_regular(path, MAX_BYTES))
}

fn parse_file(path: &Path, bytes: Result<Vec<u8>, FileError>) -> Result<Value, SpecError> {
    let value = bytes.map_err(SpecProblem::from).and_then(|bytes| parse(path, &bytes));
    value.map_err(|problem| SpecError { path: path.to_owned(), problem })
}

/// The spec in the content of a file with this name.
pub fn parse(name: &Path, content: &[u8]) -> Result<Value, SpecProblem> {
    let text = str::from_utf8(content).map_err(|error| not_utf8(content, error.valid_up_to()))?;
    if name.extension().is_some_and(|extension| extension == "json") {
        return Ok(pyjson::parse(text)?);
    }
    match yaml::parse(text)? {
        value @ Value::Map(_) => Ok(value),
        other => Err(SpecProblem::NotAnObject(other.kind())),
    }
}

fn not_utf8(bytes: &[u8], offset: usize) -> SpecProblem {
    let newlines = bytes.iter().take(offset).filter(|&&byte| byte == b'\n').count();
    SpecProblem::NotUtf8 { offset, line: newlines + 1 }
}

/// A reference to the function that validates a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifierRef<'a> {
    /// `verifier.py::function`: a function in a file of the task folder.
    File {
        /// The file, relative to the task folder.
        file: &'a str,
        /// The function.
        function: &'a str,
    },
    /// `package.module:function`: a function of a module that Python can import.
    Module {
        /// The module's dotted name.
        module: &'a str,
        /// The function.
        function: &'a str,
    },
}

impl<'a> VerifierRef<'a> {
    /// Takes a reference apart. `None` if it has neither form.
    pub fn parse(reference: &'a str) -> Option<Self> {
        if let Some((file, function)) = reference.split_once("::") {
            return Some(Self::File { file, function });
        }
        let (module, function) = reference.split_once(':')?;
        Some(Self::Module { module, function })
    }
}

/// What a task's spec says about its program verifier.
#[derive(Clone, Debug, PartialEq)]
pub enum NamedVerifier<'a> {
    /// The spec names one.
    Named {
        /// What it is named by: text, unless the spec is faulty.
        reference: &'a Value,
        /// The keys that lead to the reference.
        keys: Vec<&'static str>,
    },
    /// The mode takes a program, and the spec names none. In the mode `multi` it does not have to.
    Unnamed,
    /// The value at these keys, joined by dots, is neither text nor an object.
    NotAnObject(String),
    /// The mode takes no program.
    OtherMode,
}

impl<'a> NamedVerifier<'a> {
    /// Finds the program verifier in a task's spec.
    ///
    /// It is under `success.spec`, in the mode `multi` under `success.spec.program`: as text, or in an object
    /// under `program` or `target`.
    pub fn of(spec: &'a Value) -> Self {
        let success = spec.get("success");
        let mode = success.and_then(|success| success.get("mode")).and_then(Value::as_str);
        let target = success.and_then(|success| success.get("spec")).filter(|target| target.truthy());
        match (mode.unwrap_or("program"), target) {
            ("program" | "multi", None) => Self::Unnamed,
            ("program", Some(target)) => Self::at(target, vec!["success", "spec"]),
            ("multi", Some(Value::Map(parts))) => match parts.get("program") {
                Some(program) => Self::at(program, vec!["success", "spec", "program"]),
                None => Self::Unnamed,
            },
            ("multi", Some(_)) => Self::NotAnObject("success.spec".to_owned()),
            _ => Self::OtherMode,
        }
    }

    fn at(value: &'a Value, mut keys: Vec<&'static str>) -> Self {
        let map = match value {
            Value::String(text) if text.is_empty() => return Self::Unnamed,
            Value::String(_) => return Self::Named { reference: value, keys },
            Value::Map(map) => map,
            _ => return Self::NotAnObject(keys.join(".")),
        };
        for key in ["program", "target"] {
            if let Some(reference) = map.get(key).filter(|value| value.truthy()) {
                keys.push(key);
                return Self::Named { reference, keys };
            }
        }
        Self::Unnamed
    }

    /// The text of the reference, if the spec names a verifier by text.
    pub fn text(&self) -> Option<&'a str> {
        match self {
            Self::Named { reference, .. } => reference.as_str(),
            _ => None,
        }
    }

    /// The reference, if the spec names a verifier by one of the two forms.
    pub fn reference(&self) -> Option<VerifierRef<'a>> {
        self.text().and_then(VerifierRef::parse)
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    #[test]
    fn the_first_spec_in_order_of_precedence_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let id = || {
            read_task(dir.path(), Path::new("")).unwrap().get("id").and_then(Value::as_str).map(str::to_owned)
        };
        fs::write(dir.path().join("task.json"), r#"{"id": "json"}"#).unwrap();
        assert_eq!(id().as_deref(), Some("json"));
        fs::write(dir.path().join("task.yml"), "id: yml\n").unwrap();
        assert_eq!(id().as_deref(), Some("yml"));
        fs::write(dir.path().join("task.yaml"), "id: yaml\n").unwrap();
        assert_eq!(id().as_deref(), Some("yaml"));
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let dir = tempfile::tempdir().unwrap();
        let check = |name: &str, content: &[u8], message: &str, line: Option<usize>| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.to_string(), format!("{} {message}", path.display()));
            assert_eq!(error.problem.line(), line, "{error}");
        };
        check(
            "task.json",
            b"{\n1",
            "is not valid JSON: line 2, column 1: expected a name in double quotes",
            Some(2),
        );
        check("task.yaml", b"- a\n", "holds a list, not an object", None);
        check("env.json", b"{}\n\n \xff", "is not UTF-8 from byte 5 on", Some(3));
        let path = dir.path().join("task.yml");
        fs::write(&path, "a: 1\nb: [1\n").unwrap();
        assert_eq!(read(&path).unwrap_err().problem.line(), Some(3));
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        let missing = read_task(&empty, Path::new("")).unwrap_err();
        let expect = format!("{} holds none of task.yaml, task.yml, task.json", empty.display());
        assert_eq!(missing.to_string(), expect);
    }

    #[test]
    fn references_have_two_forms() {
        let file = VerifierRef::File { file: "a/v.py", function: "f" };
        assert_eq!(VerifierRef::parse("a/v.py::f"), Some(file));
        let module = VerifierRef::Module { module: "a.b", function: "f" };
        assert_eq!(VerifierRef::parse("a.b:f"), Some(module));
        assert_eq!(VerifierRef::parse("verifier.py"), None);
    }

    #[test]
    fn a_verifier_is_found_where_gym_anything_looks() {
        let check = |success: &str, keys: Option<&str>| {
            let spec = pyjson::parse(&format!(r#"{{"success": {success}}}"#)).unwrap();
            let found = match NamedVerifier::of(&spec) {
                NamedVerifier::Named { keys, .. } => Some(keys.join(".")),
                _ => None,
            };
            assert_eq!(found.as_deref(), keys, "{success}");
        };
        check(r#"{"spec": "v.py::f"}"#, Some("success.spec"));
        check(r#"{"spec": {"program": "v.py::f"}}"#, Some("success.spec.program"));
        check(r#"{"spec": {"program": "", "target": "v.py::f"}}"#, Some("success.spec.target"));
        let multi = r#"{"mode": "multi", "spec": {"program": {"target": "v.py::f"}}}"#;
        check(multi, Some("success.spec.program.target"));
        check(r#"{"mode": "image_match", "spec": {"program": "v.py::f"}}"#, None);
        check(r#"{"spec": {}}"#, None);
        check("{}", None);
    }

    #[test]
    fn specs_without_a_verifier_are_told_apart() {
        let check = |success: &str, expect: NamedVerifier<'_>| {
            let spec = pyjson::parse(&format!(r#"{{"success": {success}}}"#)).unwrap();
            assert_eq!(NamedVerifier::of(&spec), expect, "{success}");
        };
        check("{}", NamedVerifier::Unnamed);
        check(r#"{"mode": "multi", "spec": {}}"#, NamedVerifier::Unnamed);
        check(r#"{"mode": "multi", "spec": [1]}"#, NamedVerifier::NotAnObject("success.spec".into()));
        let null = r#"{"mode": "multi", "spec": {"program": null}}"#;
        check(null, NamedVerifier::NotAnObject("success.spec.program".into()));
        check(r#"{"spec": 5}"#, NamedVerifier::NotAnObject("success.spec".into()));
        check(r#"{"mode": "vlm_checklist"}"#, NamedVerifier::OtherMode);
    }
}
