//! An export that is a folder: written as a whole, and replaced as a whole by the next one.
//!
//! `export.json` in it says what it is. A folder without that file, or with other files beside those of the export, is
//! never replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use common::publish::{NewFile, Workshop, publish, remove_unfinished};
use common::read::read_regular;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::exported::{Exported, TaskFile};
use crate::splits::Side;

/// The file that says what an export is.
const MARKER: &str = "export.json";

/// The longest marker that is read, in bytes.
const MAX_MARKER: usize = 64 << 20;

/// The files of an export.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    files: BTreeMap<String, (Vec<u8>, bool)>,
}

/// What an export says of itself.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// The format, as on the command line.
    format: String,
    /// The names in the folder, sorted.
    entries: BTreeSet<String>,
    /// The side of each task, by environment and name.
    tasks: BTreeMap<String, BTreeMap<String, Side>>,
}

impl Folder {
    /// Adds a file. Its name has `/` between its parts.
    pub(crate) fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(name.into(), (bytes.into(), false));
    }

    /// Adds a file with the executable bit.
    pub(crate) fn add_executable(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(name.into(), (bytes.into(), true));
    }

    /// Adds a copy of a file.
    pub(crate) fn add_file(&mut self, name: impl Into<String>, file: &TaskFile) {
        self.files.insert(name.into(), (file.bytes.clone(), file.executable));
    }

    /// Publishes the folder at `target` for these tasks, in place of the export that may be there.
    pub(crate) fn publish(mut self, target: &Path, format: &str, tasks: &[Exported]) -> Result<()> {
        let first = |name: &String| name.split('/').next().unwrap_or_default().to_owned();
        let mut marker = Marker { format: format.to_owned(), ..Marker::default() };
        marker.entries = self.files.keys().map(first).chain([MARKER.to_owned()]).collect();
        for Exported { env, task, side, .. } in tasks {
            marker.tasks.entry(env.clone()).or_default().insert(task.clone(), *side);
        }
        self.add(MARKER, serde_json::to_string_pretty(&marker)? + "\n");
        self.replace(target).with_context(|| format!("cannot write the export {}", target.display()))
    }

    fn replace(&self, target: &Path) -> Result<()> {
        let parent =
            target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = target.file_name().and_then(|name| name.to_str()).context("its name is not UTF-8")?;
        fs::create_dir_all(parent)?;
        remove_unfinished(parent)?;
        let files: Vec<NewFile<'_>> = self
            .files
            .iter()
            .map(|(name, (bytes, executable))| NewFile { name, bytes, executable: *executable })
            .collect();
        publish(&[Workshop::open(parent)?.build(name, &files, true)?])?;
        remove_unfinished(parent)?;
        Ok(())
    }
}

impl Marker {
    /// The marker of the export at `target`, if there is one. Ensures that an export may replace what is there.
    pub(crate) fn read(target: &Path) -> Result<Self> {
        let names = names(target)?;
        if names.is_empty() {
            return Ok(Self::default());
        }
        let path = target.join(MARKER);
        ensure!(
            names.contains(MARKER),
            "{} is not an export: it has no {MARKER}; give --export-dir the name of a new folder",
            target.display()
        );
        let bytes =
            read_regular(&path, MAX_MARKER).with_context(|| format!("cannot read {}", path.display()))?;
        let marker: Self = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} does not describe an export", path.display()))?;
        let others: Vec<PathBuf> = names.difference(&marker.entries).map(|name| target.join(name)).collect();
        ensure!(
            others.is_empty(),
            "{} is not part of the export, and would be lost; move it away, or export to a new folder",
            others.first().map(|path| path.display().to_string()).unwrap_or_default()
        );
        Ok(marker)
    }

    /// The sides of an environment's tasks.
    pub(crate) fn sides(&self, env: &str) -> BTreeMap<String, Side> {
        self.tasks.get(env).cloned().unwrap_or_default()
    }
}

/// The names in a folder; none if it does not exist.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    if folder.symlink_metadata().is_err() {
        return Ok(BTreeSet::new());
    }
    let entries = fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
