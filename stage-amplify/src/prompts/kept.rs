//! Prefixes as they were sent, kept in the folder `prompts/` of the run directory.
//!
//! The journal identifies a paid answer by its whole request. So the prefix of a request must not change when
//! the environment does, and it does: the tasks of this very run are published into it. A prefix is rendered
//! once, stored as plain text, and reused from then on.

use std::path::PathBuf;

use anyhow::{Context, Result};
use common::publish::write_file_atomic;
use common::ui::Ui;
use fs_err as fs;
use model_client::Prefix;

/// The passes whose prefixes depend on the plan.
const FROM_PLAN: [&str; 3] = ["plan.", "readme.", "files."];

/// The prefixes of a run directory, in files `PASS.FIRST.md`.
pub(crate) struct KeptPrefixes {
    dir: PathBuf,
    /// Render the prefixes of this run again.
    fresh: bool,
    ui: Ui,
}

impl KeptPrefixes {
    /// The prefixes in the folder `dir`, which is created when the first one is kept.
    pub(crate) fn new(dir: PathBuf, fresh: bool, ui: &Ui) -> Self {
        Self { dir, fresh, ui: ui.clone() }
    }

    /// The prefix of a pass for the rows from number `first` on: the one that was kept, else `rendered`.
    pub(crate) fn prefix(&self, pass: &str, first: usize, rendered: String) -> Result<Prefix> {
        let path = self.dir.join(format!("{pass}.{first}.md"));
        if !self.fresh && path.exists() {
            let kept = fs::read_to_string(&path).context("cannot read a prompt of an earlier run")?;
            if kept != rendered {
                self.ui.info(format_args!(
                    "reusing {}, so that answers already paid for still match; templates, options, plan or \
                     environment have changed since; --fresh renders it again",
                    path.display()
                ));
            }
            return Ok(kept.into());
        }
        fs::create_dir_all(&self.dir)?;
        write_file_atomic(&path, rendered.as_bytes())?;
        Ok(rendered.into())
    }

    /// Deletes the prefixes that depend on the plan.
    pub(crate) fn forget(&self) -> Result<()> {
        if !self.dir.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if FROM_PLAN.iter().any(|pass| name.starts_with(pass)) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// The numbers of the first rows of all batches, sorted. A batch is the rows that were planned together;
    /// the first starts at 1.
    pub(crate) fn batches(&self) -> Result<Vec<usize>> {
        let mut firsts = vec![1];
        if self.dir.exists() {
            for entry in fs::read_dir(&self.dir)? {
                let name = entry?.file_name();
                let first = name.to_str().and_then(|name| name.strip_prefix("plan.")?.strip_suffix(".md"));
                firsts.extend(first.and_then(|first| first.parse::<usize>().ok()));
            }
        }
        firsts.sort_unstable();
        firsts.dedup();
        Ok(firsts)
    }
}
