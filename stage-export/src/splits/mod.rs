//! gym-anything's lists of training and test tasks.
//!
//! A benchmark environment may have a file `*_split.json`, whose `env_folder` ends with the name of the environment. Its
//! tasks are then those that the file lists, and no others (`benchmarks/cua_world/registry/splits.py` of gym-anything).
//! An environment without such a file needs none: every task of it is a training task. `verified.json` lists the valid
//! tasks of all environments.

mod assign;
mod json;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::environment::Environment;
use fs_err as fs;
use serde_json::{Value, json};
use task_spec::spec;
use task_spec::verified::VerifiedTasks;

pub(crate) use self::assign::{Side, portion};

use self::assign::{Assignment, Task};
use self::json::Document;
use crate::selection::Chosen;

/// From this number of steps on, a task is one of a long horizon. The tasks that the benchmark lists as such have a
/// median of 200.
const LONG_HORIZON_STEPS: f64 = 200.0;

/// The share of training tasks, if the file does not state its own. It is that of the published files.
const TRAIN_RATIO: f64 = 0.8;

/// How the tasks of one environment were added.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// The split file. `None` if the environment has none.
    pub(crate) file: Option<PathBuf>,
    /// The number of new training tasks.
    pub(crate) train: usize,
    /// The number of new test tasks.
    pub(crate) test: usize,
    /// The number of tasks that were listed before.
    pub(crate) listed: usize,
}

/// Adds tasks of an environment to its split file and to the list of valid tasks. A task that is listed stays where it
/// is.
pub(crate) fn export(folder: &Path, environment: &Environment, chosen: &[Chosen]) -> Result<Added> {
    add_to_verified(&folder.join("verified.json"), &environment.name, chosen)?;
    let Some((path, mut document)) = split_file(folder, &environment.name)? else {
        return Ok(Added { listed: chosen.len(), ..Added::default() });
    };
    let added = add(&mut document.value, environment, chosen)
        .with_context(|| format!("cannot add tasks to {}", path.display()))?;
    document.write_if_changed(&path)?;
    Ok(Added { file: Some(path), ..added })
}

/// Adds tasks to the list of valid tasks, if there is one. A list that has all of them is not written again.
fn add_to_verified(path: &Path, env: &str, chosen: &[Chosen]) -> Result<()> {
    if chosen.is_empty() || !path.exists() {
        return Ok(());
    }
    let before = VerifiedTasks::read(path)?;
    let mut after = before.clone();
    after.environment(env).extend(chosen.iter().map(|chosen| chosen.task.clone()));
    if after != before {
        after.write(path)?;
    }
    Ok(())
}

/// The split file of an environment. If several name it, gym-anything reads the last one.
fn split_file(folder: &Path, env: &str) -> Result<Option<(PathBuf, Document)>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_str().is_some_and(|path| path.ends_with("_split.json")) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    for path in paths.into_iter().rev() {
        let document = Document::read(&path)?;
        let named = document.value["env_folder"].as_str().map(Path::new).and_then(Path::file_name);
        if named.is_some_and(|name| name == env) {
            return Ok(Some((path, document)));
        }
    }
    Ok(None)
}

fn add(split: &mut Value, environment: &Environment, chosen: &[Chosen]) -> Result<Added> {
    let mut assignment = listed(split, environment)?;
    let new: Vec<&Chosen> = chosen.iter().filter(|chosen| !assignment.has(&chosen.task)).collect();
    let mut added = Added { listed: chosen.len() - new.len(), ..Added::default() };
    for (name, side, is_long) in assign(&mut assignment, environment, new) {
        let (list, count) = match side {
            Side::Train => ("train_tasks", &mut added.train),
            Side::Test => ("test_tasks", &mut added.test),
        };
        json::insert(json::list(split, list)?, name);
        *count += 1;
        if split.get("all_tasks").is_some() {
            json::insert(json::list(split, "all_tasks")?, name);
        }
        if is_long {
            let others = split.as_object_mut().context("it is not a JSON object")?;
            let others = others.entry("additional_splits").or_insert_with(|| json!({}));
            json::insert(json::list(others, "long_horizon")?, name);
        }
    }
    Ok(added)
}

/// The side of each task: the one where its environment's split file lists it, else that of an earlier export, else a
/// new one.
pub(crate) fn sides(
    folder: &Path,
    environment: &Environment,
    chosen: &[Chosen],
    earlier: &BTreeMap<String, Side>,
) -> Result<BTreeMap<String, Side>> {
    let split = split_file(folder, &environment.name)?.map_or(Value::Null, |(_, document)| document.value);
    let mut assignment = listed(&split, environment)?;
    for (name, side) in earlier {
        if !assignment.has(name) {
            assignment.listed(name, &Facts::read(environment, name).description, *side);
        }
    }
    let new = chosen.iter().filter(|chosen| !assignment.has(&chosen.task)).collect();
    assign(&mut assignment, environment, new);
    Ok(assignment.into_sides())
}

/// The sides of the tasks that a split file lists.
fn listed<'a>(split: &Value, environment: &'a Environment) -> Result<Assignment<'a>> {
    let ratio = split["train_ratio"].as_f64().unwrap_or(TRAIN_RATIO);
    let mut assignment = Assignment::new(&environment.name, ratio);
    for (list, side) in [("train_tasks", Side::Train), ("test_tasks", Side::Test)] {
        for name in json::names(split, list)? {
            assignment.listed(&name, &Facts::read(environment, &name).description, side);
        }
    }
    Ok(assignment)
}

/// Assigns new tasks: name, side, and whether the task is one of a long horizon. Seeds are training tasks, and so is
/// what resembles them: they come first.
fn assign<'a>(
    assignment: &mut Assignment<'_>,
    environment: &Environment,
    mut new: Vec<&'a Chosen>,
) -> Vec<(&'a str, Side, bool)> {
    new.sort_by_key(|chosen| !chosen.known.is_seed);
    let mut assigned = Vec::new();
    for Chosen { task, known } in new {
        let Facts { description, is_long } = Facts::read(environment, task);
        let side = assignment.assign(&Task { name: task, description, is_seed: known.is_seed });
        assigned.push((task.as_str(), side, is_long));
    }
    assigned
}

/// What the spec of a task says of it.
#[derive(Default)]
struct Facts {
    description: String,
    is_long: bool,
}

impl Facts {
    /// Reads the spec of a task. Nothing is known of one that cannot be read: the task may be gone by now.
    fn read(environment: &Environment, task: &str) -> Self {
        let Ok(spec) = spec::read_task(&environment.root, &Path::new("tasks").join(task)) else {
            return Self::default();
        };
        let max_steps = spec.get("init").and_then(|init| init.get("max_steps")?.as_f64());
        Self {
            description: spec
                .get("description")
                .and_then(|text| text.as_str())
                .unwrap_or_default()
                .to_owned(),
            is_long: max_steps.is_some_and(|steps| steps >= LONG_HORIZON_STEPS),
        }
    }
}
