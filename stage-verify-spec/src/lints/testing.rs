//! A task for the tests of lints.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use task_spec::verify::{Interpreter, SpecFile, check_environment, check_task};
use tempfile::TempDir;

use super::{Lint, Subject, Warning};

/// A task in an environment of its own. Its verifier is `verifier.py::verify_NAME`.
pub(super) struct Task {
    environment: TempDir,
    name: String,
    fields: Vec<(String, String)>,
}

impl Task {
    pub(super) fn new(name: &str) -> Self {
        let environment = tempfile::Builder::new().prefix("app_env").tempdir().expect("a folder");
        let task = Self { environment, name: name.to_owned(), fields: Vec::new() };
        fs_err::create_dir_all(task.folder()).expect("a folder");
        let spec = r#"{"id": "example.app_env@0.1", "observation": [{"type": "rgb_screen"}], "action": [{"type": "mouse"}]}"#;
        fs_err::write(task.environment.path().join("env.json"), spec).expect("written");
        let program =
            format!(r#"{{"mode": "program", "spec": {{"program": "verifier.py::verify_{name}"}}}}"#);
        task.spec("id", &format!("\"{name}@1\"")).spec("success", &program)
    }

    /// Sets the spec of the environment.
    pub(super) fn environment(self, json: &str) -> Self {
        fs_err::write(self.environment.path().join("env.json"), json).expect("written");
        self
    }

    /// Sets a field of the spec to a JSON value.
    pub(super) fn spec(mut self, key: &str, json: &str) -> Self {
        self.fields.retain(|(known, _)| known != key);
        self.fields.push((key.to_owned(), json.to_owned()));
        let fields: Vec<_> = self.fields.iter().map(|(key, json)| format!("\"{key}\": {json}")).collect();
        self.file("task.json", &format!("{{{}}}", fields.join(", ")))
    }

    pub(super) fn file(self, name: &str, text: &str) -> Self {
        fs_err::write(self.folder().join(name), text).expect("written");
        self
    }

    pub(super) fn mode(self, name: &str, mode: u32) -> Self {
        let permissions = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(self.folder().join(name), permissions).expect("a mode");
        self
    }

    pub(super) fn verifier(self, source: &str) -> Self {
        self.file("verifier.py", source)
    }

    /// Adds another task to the environment.
    pub(super) fn beside(self, name: &str) -> Self {
        fs_err::create_dir_all(self.folder().with_file_name(name)).expect("a folder");
        self
    }

    /// The messages of the lint's warnings.
    pub(super) fn warnings(&self, lint: &Lint) -> Vec<String> {
        self.check(lint).into_iter().map(|warning| warning.message).collect()
    }

    /// The files of the lint's warnings.
    pub(super) fn files_warned_of(&self, lint: &Lint) -> Vec<String> {
        self.check(lint).into_iter().map(|warning| warning.file.expect("a file")).collect()
    }

    fn check(&self, lint: &Lint) -> Vec<Warning> {
        let environment = check_environment(self.environment.path());
        let spec = SpecFile::at(self.folder().join("task.json"));
        let task = check_task(&spec, &environment, &Interpreter::none()).expect("a check");
        (lint.check)(&Subject::new(&spec.folder, &task, &environment))
    }

    fn folder(&self) -> PathBuf {
        self.environment.path().join("tasks").join(&self.name)
    }
}
