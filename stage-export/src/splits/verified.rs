//! gym-anything's list of valid tasks, `verified.json`.

use std::path::Path;

use anyhow::{Context, Result};
use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

use super::json::{self, Document};
use crate::selection::Chosen;

/// Adds tasks of an environment to the list at `path`, if there is one. The entries of others stay, and so does the
/// file if it lists all of them.
pub(super) fn add(path: &Path, env: &str, chosen: &[Chosen]) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut document = Document::read(path)?;
    let is_changed = insert(&mut document.value, env, chosen)
        .with_context(|| format!("cannot add tasks to {}", path.display()))?;
    if is_changed { document.write_if_changed(path) } else { Ok(()) }
}

fn insert(verified: &mut Value, env: &str, chosen: &[Chosen]) -> Result<bool> {
    let object = verified.as_object_mut().context("it is not a JSON object")?;
    let environments = object.entry("by_environment").or_insert_with(|| json!({}));
    let environments = environments.as_object_mut().context("by_environment is not a JSON object")?;
    if !environments.contains_key(env) {
        let place = environments.keys().take_while(|other| other.as_str() < env).count();
        environments.shift_insert(place, env.to_owned(), json!([]));
    }
    let listed = environments[env].as_array_mut().context("a list of tasks is not a list")?;
    let before = listed.len();
    for Chosen { task, .. } in chosen {
        json::insert(listed, task);
    }
    if listed.len() == before {
        return Ok(false);
    }
    let all = json::list(verified, "tasks")?;
    for Chosen { task, .. } in chosen {
        json::insert(all, &format!("{env}/{task}"));
    }
    verified["task_count"] = json::list(verified, "tasks")?.len().into();
    // The form of Python's `isoformat`, as gym-anything writes it.
    let now = Timestamp::now().round(Unit::Microsecond)?;
    verified["generated_at"] = now.to_string().replace('Z', "+00:00").into();
    Ok(true)
}
