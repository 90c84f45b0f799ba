//! Tasks as Harbor runs them: a folder per task, and the images of their environments.
//!
//! The image of an environment holds the application, after `pre_start` and `post_start`; it is built once, by
//! `build_images.sh`. The set-up of a task is its health check, which Harbor awaits before the agent starts. The tests
//! run the export and the verifier in the same container. <https://harborframework.com/docs/tasks>

mod image;
mod task;

use std::collections::BTreeMap;

use anyhow::Result;
use common::environment::{Environment, Workspace};
use serde_json::json;

use self::image::Image;
use crate::exported::Exported;
use crate::folder::Folder;

/// The name of the dataset in `registry.json`.
const DATASET: &str = "tasks";

/// An environment as a container.
pub(crate) struct Machine {
    image: Image,
}

impl Machine {
    /// Reads what the image of an environment consists of.
    pub(crate) fn read(environment: &Environment, workspace: &Workspace) -> Result<Self> {
        Ok(Self { image: Image::read(environment, workspace)? })
    }
}

/// The files of the export.
pub(crate) fn folder(tasks: &[Exported], machines: &BTreeMap<String, Machine>) -> Result<Folder> {
    let mut folder = Folder::default();
    add(&mut folder, "", tasks, machines)?;
    Ok(folder)
}

/// Adds the files of the export, below `at`: an empty text, or the name of a folder and `/`.
pub(crate) fn add(
    folder: &mut Folder,
    at: &str,
    tasks: &[Exported],
    machines: &BTreeMap<String, Machine>,
) -> Result<()> {
    let mut entries = Vec::new();
    for task in tasks {
        let Some(Machine { image }) = machines.get(&task.env) else { continue };
        let path = format!("tasks/{}__{}", task.env, task.task);
        entries.push(json!({ "name": task::name(task), "path": path }));
        task::add(folder, &format!("{at}{path}"), task, image)?;
    }
    for (env, Machine { image }) in machines {
        image.add(folder, &format!("{at}environments/{env}"));
    }
    let registry = json!([{
        "name": DATASET, "version": "1.0", "description": "Tasks for computer-use agents", "tasks": entries,
    }]);
    folder.add(format!("{at}registry.json"), serde_json::to_string_pretty(&registry)? + "\n");
    folder.add_executable(format!("{at}build_images.sh"), include_str!("scripts/build_images.sh"));
    folder.add(format!("{at}README.md"), include_str!("README.md"));
    Ok(())
}
