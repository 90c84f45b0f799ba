//! A Python package for Prime Intellect's `verifiers`: the Harbor export, and a taskset that loads it.
//!
//! <https://docs.primeintellect.ai/verifiers>

use std::collections::BTreeMap;

use anyhow::Result;

use crate::exported::Exported;
use crate::folder::Folder;
use crate::harbor::{self, Machine};

/// The name of the Python package.
const PACKAGE: &str = "generated_tasks";

/// The files of the package.
pub(crate) fn folder(tasks: &[Exported], machines: &BTreeMap<String, Machine>) -> Result<Folder> {
    let mut folder = Folder::default();
    folder.add("pyproject.toml", include_str!("pyproject.toml"));
    folder.add("README.md", include_str!("README.md"));
    folder.add(format!("{PACKAGE}/__init__.py"), include_str!("taskset.py"));
    harbor::add(&mut folder, &format!("{PACKAGE}/harbor/"), tasks, machines)?;
    Ok(folder)
}
