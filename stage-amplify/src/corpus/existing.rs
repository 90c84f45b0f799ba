//! The tasks that an environment has.

use std::collections::BTreeSet;

use anyhow::Result;
use common::text::{escape, one_line, shorten};
use serde::Serialize;
use task_spec::value::Value;

use super::source::Source;

/// A task that exists.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExistingTask {
    /// Its bare name.
    pub(crate) name: String,
    /// What the agent is told; empty where the spec cannot be read.
    pub(crate) description: String,
}

/// The tasks of an environment, except those named in `planned`.
pub(super) fn tasks(source: &Source<'_>, planned: &BTreeSet<&str>) -> Result<Vec<ExistingTask>> {
    let names = source.environment().task_names()?;
    let others = names.iter().filter(|name| !planned.contains(name.as_str()));
    Ok(others.map(|name| ExistingTask::read(source, name)).collect())
}

impl ExistingTask {
    /// The task `name` of an environment. A task whose spec cannot be read still occupies its name.
    fn read(source: &Source<'_>, name: &str) -> Self {
        let spec = source.task_spec(name).map_or(Value::Null, |(_, spec)| spec);
        let description = spec.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name: escape(name).into_owned(), description }
    }

    /// The same task with its description on one line of at most `max_chars` characters.
    pub(crate) fn shortened(&self, max_chars: usize) -> Self {
        let line = one_line(&self.description);
        let description = if max_chars == 0 { String::new() } else { shorten(&line, max_chars).into_owned() };
        Self { name: self.name.clone(), description }
    }
}

#[cfg(test)]
mod tests {
    use common::environment::Environment;
    use fs_err as fs;

    use super::*;

    #[test]
    fn specs_are_read_as_yaml_before_json_and_a_broken_one_is_a_task() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("env.json", "{}"),
            ("tasks/broken/task.json", "{"),
            ("tasks/both/task.json", r#"{"description": "in JSON"}"#),
            ("tasks/both/task.yaml", "description: in YAML"),
            ("tasks/planned/task.json", "{}"),
        ];
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let environment = Environment::open(dir.path()).unwrap();
        let tasks = tasks(&Source::of(&environment, &[]), &BTreeSet::from(["planned"])).unwrap();
        let tasks: Vec<_> =
            tasks.iter().map(|task| (task.name.as_str(), task.description.as_str())).collect();
        assert_eq!(tasks, [("both", "in YAML"), ("broken", "")]);
    }
}
