//! A task, as far as running it in a machine needs it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use common::read::{FileError, read_beneath};
use fs_err as fs;
use sandbox::{Program, TaskFolder};
use serde::Deserialize;
use task_spec::fixtures::Fixtures;
use task_spec::machine::EnvironmentSpec;

/// The time limit of `pre_task` where the spec has none. gym-anything, `specs.py`.
const PRE_TASK: u64 = 600;

/// The largest script of a solution, in bytes.
const MAX_SCRIPT: usize = 1 << 20;

/// A task that can be run.
#[derive(Debug)]
pub(crate) struct LiveTask {
    pub(crate) program: Program,
    pub(crate) fixtures: Fixtures,
    /// What runs before the set-up, in every episode.
    pub(crate) reset: Option<String>,
    pub(crate) pre_task: Option<String>,
    pub(crate) pre_task_limit: Duration,
    pub(crate) init_script: Option<String>,
    pub(crate) post_task: Option<String>,
}

/// The fields of `task.json` that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    hooks: Option<Hooks>,
    init: Option<Init>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hooks {
    pre_task: Option<String>,
    post_task: Option<String>,
    pre_task_timeout: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Init {
    init_script: Option<String>,
}

impl LiveTask {
    /// Loads the task in `folder`. None if the task is not verified by a program.
    pub(crate) fn load(folder: &TaskFolder, environment: &EnvironmentSpec) -> Result<Option<Self>> {
        let Some(task) = sandbox::load(folder)? else { return Ok(None) };
        let spec = task.program.task_info.get("task_spec").cloned().unwrap_or_default();
        let spec: Spec =
            serde_json::from_value(spec).context("task.json does not have the expected fields")?;
        let hooks = spec.hooks.unwrap_or_default();
        let seconds = hooks.pre_task_timeout.filter(|seconds| *seconds > 0.0 && seconds.is_finite());
        Ok(Some(Self {
            program: task.program,
            fixtures: task.fixtures,
            reset: environment.reset_script.clone().or_else(|| environment.hooks.reset.clone()),
            pre_task: hooks.pre_task,
            pre_task_limit: seconds
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .unwrap_or(Duration::from_secs(PRE_TASK)),
            init_script: spec.init.and_then(|init| init.init_script),
            post_task: hooks.post_task,
        }))
    }
}

/// The scripts of a task's solutions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Solutions {
    /// Whether there is a `solve.sh`.
    pub(crate) solves: bool,
    /// The names of the wrong solutions, sorted.
    pub(crate) wrong: Vec<String>,
}

impl Solutions {
    /// The solutions in `folder`; none without a folder.
    pub(crate) fn find(folder: &Path) -> Result<Self> {
        let mut solutions = Self::default();
        if !folder.is_dir() {
            return Ok(solutions);
        }
        for entry in fs::read_dir(folder)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            let wrong = name.strip_prefix("wrong-").and_then(|rest| rest.strip_suffix(".sh"));
            if name != "solve.sh" && wrong.is_none() {
                continue;
            }
            ensure_readable(folder, &name)?;
            match wrong {
                Some(wrong) => solutions.wrong.push(wrong.to_owned()),
                None => solutions.solves = true,
            }
        }
        solutions.wrong.sort_unstable();
        Ok(solutions)
    }
}

fn ensure_readable(folder: &Path, name: &str) -> Result<(), anyhow::Error> {
    let read: Result<Vec<u8>, FileError> = read_beneath(folder, Path::new(name), MAX_SCRIPT);
    read.map(drop).with_context(|| format!("cannot read the solution {}", folder.join(name).display()))
}
