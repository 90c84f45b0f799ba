//! A task that may be shown as an example, and whether it is worth showing.

use std::path::Path;

use common::environment::Environment;
use common::text::escape;
use serde::Serialize;
use task_spec::expectations::stored;
use task_spec::platform::Platform;
use task_spec::python::{self, constant_verdict};
use task_spec::shell;
use task_spec::spec::{NamedVerifier, VerifierRef};
use task_spec::value::Value;
use task_spec::verify::scripts;

use super::Wanted;
use super::evidence::{Evidence, evidence};
use crate::corpus::excerpt::Excerpt;
use crate::corpus::source::{Refused, Source};
use crate::difficulty;

/// The maximum size of a file of an example, in bytes. An example with a longer file is not shown: a part of a
/// verifier teaches less than none. 9 of 10 files of the published very hard tasks are shorter than 16 KB.
const FILE_BYTES: usize = 24_000;

/// The maximum size of the README of an example, in bytes; a longer one is not shown.
const README_BYTES: usize = 10_000;

/// The maximum shown of the metadata where an example has no README, in bytes.
const METADATA_BYTES: usize = 2_500;

/// The verifier of an example.
const VERIFIER: &str = "verifier.py";

/// A task that is shown to the model. All its files are shown whole.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Example {
    pub(super) env: String,
    pub(super) task: String,
    /// Whether it is a task of the environment itself.
    pub(super) is_own: bool,
    pub(super) kinds: Vec<Evidence>,
    /// Its README; if it has none, a substitute made from its spec.
    pub(super) readme: String,
    #[serde(skip)]
    pub(super) has_readme: bool,
    /// Whether its setup stores an expected result where the agent can read it.
    #[serde(skip)]
    pub(super) leaks: bool,
    /// The difficulty in its spec.
    #[serde(skip)]
    pub(super) difficulty: Option<String>,
    pub(super) files: Vec<Excerpt>,
    /// Its files that are not shown.
    #[serde(skip)]
    pub(crate) refused: Refused,
}

impl Example {
    /// The task `task` of an environment on this platform, if it is a good example; else its files that may not
    /// be shown.
    pub(super) fn read(
        environment: &Environment,
        platform: Platform,
        task: &str,
        wanted: Wanted<'_>,
    ) -> Result<Self, Refused> {
        let source = Source::of(environment, wanted.sent);
        let read = Self::read_from(&source, platform, task);
        let refused = source.into_refused();
        match read {
            Some(example) => Ok(Self { refused, ..example }),
            None => Err(refused),
        }
    }

    fn read_from(source: &Source<'_>, platform: Platform, task: &str) -> Option<Self> {
        let (spec_path, spec) = source.task_spec(task)?;
        let spec_name = Path::new(&spec_path).file_name()?.to_str()?;
        let excerpt =
            |name: &str, max_bytes| Excerpt::read(source, &format!("tasks/{task}/{name}"), name, max_bytes);
        let extension = platform.script_extension();
        let [setup, export] = ["setup_task", "export_result"].map(|stem| format!("{stem}{extension}"));
        let files = [spec_name, &setup, &export, VERIFIER].map(|name| excerpt(name, FILE_BYTES));
        let readme = excerpt("README.md", README_BYTES).filter(|readme| readme.cut == 0);
        let files: Vec<Excerpt> = files.into_iter().flatten().filter(|file| file.cut == 0).collect();
        let [_, setup_file, export_file, verifier] = files.as_slice() else { return None };
        if !hooks_run(&spec, platform, task, &setup, &export)
            || !(platform == Platform::Windows || are_complete(&[setup_file, export_file]))
            || !verifies(&spec, &verifier.text)
        {
            return None;
        }
        let has_readme = readme.is_some();
        Some(Self {
            env: escape(&source.environment().name).into_owned(),
            task: escape(task).into_owned(),
            is_own: true,
            kinds: evidence(&export_file.text, &verifier.text),
            readme: readme.map_or_else(|| readme_from_spec(task, &spec), |readme| readme.text),
            has_readme,
            leaks: stored(&setup_file.text).is_some(),
            difficulty: spec.get("difficulty").and_then(Value::as_str).map(difficulty::normalize),
            files,
            refused: Refused::default(),
        })
    }

    /// Its place among others; the smaller, the better: first whether it leaks an expected result, then how far its
    /// difficulty is from the wanted ones.
    pub(super) fn place(&self, difficulties: &[String]) -> (bool, usize) {
        (self.leaks, self.distance(difficulties))
    }

    fn distance(&self, difficulties: &[String]) -> usize {
        let label = self.difficulty.as_deref().unwrap_or_default();
        let hardest_first = difficulty::LABELS.iter().rev().position(|known| *known == label);
        let is_wanted = difficulties.is_empty() || difficulties.iter().any(|wanted| wanted == label);
        hardest_first.unwrap_or(difficulty::LABELS.len()) + if is_wanted { 0 } else { 10 }
    }

    /// The size of its files in a prompt, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.text.len()).sum()
    }
}

/// Whether the hooks run these scripts of this task. On Android only a shell can: `/sdcard` allows no execution.
fn hooks_run(spec: &Value, platform: Platform, task: &str, setup: &str, export: &str) -> bool {
    [("pre_task", setup), ("post_task", export)].into_iter().all(|(hook, script)| {
        let command = spec.get("hooks").and_then(|hooks| hooks.get(hook)).and_then(Value::as_str);
        let own = format!("/{task}/{script}");
        command.is_some_and(|command| {
            (platform != Platform::Android || command.starts_with("sh "))
                && scripts(command).any(|name| name.ends_with(&own))
        })
    })
}

/// Whether shell scripts are not cut off.
fn are_complete(scripts: &[&Excerpt]) -> bool {
    scripts.iter().all(|script| script.text.starts_with("#!") && shell::check(&script.text).is_ok())
}

/// Whether the verifier looks at what the agent did, as far as its source tells.
fn verifies(spec: &Value, source: &str) -> bool {
    let Some(VerifierRef::File { file: VERIFIER, function }) = NamedVerifier::of(spec).reference() else {
        return false;
    };
    let Ok(module) = python::parse(source.as_bytes()) else { return false };
    let Some(verifier) = module.function(function) else { return false };
    constant_verdict(verifier).is_none()
        && !module.is_blind(verifier)
        && module.stub_words(Some(verifier)).is_none()
}

/// A substitute for the README of a task that has none.
fn readme_from_spec(task: &str, spec: &Value) -> String {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default();
    let (difficulty, description) = (text("difficulty"), text("description"));
    let mut readme =
        format!("# {} (difficulty: {difficulty})\n\n## Description\n{description}", escape(task));
    if let Some(metadata) = spec.get("metadata") {
        readme += "\n\n## What the verifier expects\n";
        let metadata = format!("{:#}", metadata.to_json());
        readme += &Excerpt::of("metadata", &metadata, METADATA_BYTES).text;
    }
    readme
}
