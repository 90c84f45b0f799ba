//! A Python package for GRASP: the Harbor export, and a `grasp.Task` that drives its tasks.
//!
//! <https://github.com/jomoll/GRASP>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::environment::Environment;
use common::read::{read_beneath, read_regular};
use serde_json::{Value, json};

use crate::exported::Exported;
use crate::folder::Folder;
use crate::harbor::{self, Machine};
use crate::splits::{Side, portion};

/// The name of the Python package.
const PACKAGE: &str = "grasp_tasks";

/// The files of the package that are the same in every export, but for `pyproject.toml` and `README.md`.
const FILES: [(&str, &str); 11] = [
    ("__init__.py", include_str!("package/__init__.py")),
    ("__main__.py", include_str!("package/__main__.py")),
    ("agent.py", include_str!("package/agent.py")),
    ("agents/local.yaml", include_str!("package/agents/local.yaml")),
    ("config.yaml", include_str!("package/config.yaml")),
    ("environments.py", include_str!("package/environments.py")),
    ("failure_examples.txt", include_str!("package/failure_examples.txt")),
    ("protocol.py", include_str!("package/protocol.py")),
    ("skills/base/skeleton.md", include_str!("package/skills/base/skeleton.md")),
    ("tags.py", include_str!("package/tags.py")),
    ("tasks.py", include_str!("package/tasks.py")),
];

/// The part of the training tasks on which skills are compared and not learned.
const VALIDATION: f64 = 0.25;

/// The longest notes that are read, in bytes.
const MAX_NOTES: usize = 1 << 20;

/// The most of the notes on an environment that the writer of skills is shown, in bytes. Each of its prompts has them.
const SHOWN_NOTES: usize = 8000;

/// Notes on an environment: the file that the user names, else its README.md. Empty without either.
pub(crate) fn read_notes(environment: &Environment, named: Option<&PathBuf>) -> Result<String> {
    let bytes = match named {
        Some(path) => read_regular(path, MAX_NOTES)
            .with_context(|| format!("cannot read the notes {}", path.display()))?,
        None => match read_beneath(&environment.root, Path::new("README.md"), MAX_NOTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(String::new()),
            Err(error) => return Err(error).context("cannot read README.md of the environment"),
        },
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(beginning(text.trim(), SHOWN_NOTES).to_owned())
}

/// The files of the package. `notes` are those on the environments, by name.
pub(crate) fn folder(
    tasks: &[Exported],
    machines: &BTreeMap<String, Machine>,
    notes: &BTreeMap<String, String>,
) -> Result<Folder> {
    let mut folder = Folder::default();
    folder.add("pyproject.toml", include_str!("package/pyproject.toml"));
    folder.add("README.md", include_str!("package/README.md"));
    for (name, text) in FILES {
        folder.add(format!("{PACKAGE}/{name}"), text);
    }
    let splits = splits(tasks);
    let samples: Vec<Value> = tasks.iter().zip(splits).map(|(task, split)| sample(task, split)).collect();
    folder.add(format!("{PACKAGE}/samples.json"), serde_json::to_string_pretty(&samples)? + "\n");
    let guidance = guidance(notes);
    if !guidance.is_empty() {
        folder.add(format!("{PACKAGE}/guidance.md"), guidance);
    }
    harbor::add(&mut folder, &format!("{PACKAGE}/harbor/"), tasks, machines)?;
    Ok(folder)
}

/// The split of each task, as GRASP names them. Of two training tasks or more, at least one is for either purpose.
fn splits(tasks: &[Exported]) -> Vec<&'static str> {
    let key = |task: &Exported| portion(&format!("validation/{}/{}", task.env, task.task));
    let mut train: Vec<usize> = (0..tasks.len()).filter(|&at| tasks[at].side == Side::Train).collect();
    train.sort_by(|&one, &other| key(&tasks[one]).total_cmp(&key(&tasks[other])));
    let wanted = train.iter().filter(|&&at| key(&tasks[at]) < VALIDATION).count();
    let validation = if train.len() < 2 { 0 } else { wanted.clamp(1, train.len() - 1) };
    let validation: BTreeSet<usize> = train.into_iter().take(validation).collect();
    let split = |(at, task): (usize, &Exported)| match task.side {
        Side::Test => "test",
        Side::Train if validation.contains(&at) => "val",
        Side::Train => "dev",
    };
    tasks.iter().enumerate().map(split).collect()
}

/// What the loop is told of a task. `type` is what it balances its choices by.
fn sample(task: &Exported, split: &str) -> Value {
    json!({
        "id": format!("{}/{}", task.env, task.task), "env": task.env, "task": task.task, "split": split,
        "type": task.env, "description": task.text(&["description"]).trim(),
        "difficulty": task.text(&["difficulty"]), "occupation": task.occupation(), "features": task.features(),
        "max_steps": task.max_steps(), "probe_issues": task.known.probe_issues,
    })
}

/// The notes on all environments, as one text.
fn guidance(notes: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (env, notes) in notes.iter().filter(|(_, notes)| !notes.is_empty()) {
        // Writing to a String does not fail.
        let _ = write!(text, "\nNotes on {env}, which the tasks above are done in:\n\n{notes}\n");
    }
    text
}

/// The whole lines at the beginning of a text, at most this many bytes of them.
fn beginning(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = text.as_bytes()[..bytes].iter().rposition(|&byte| byte == b'\n');
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}
