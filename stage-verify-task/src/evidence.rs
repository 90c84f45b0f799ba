//! What is kept of an episode for people: logs, screenshots, and the files that the verifier read.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::episode::{Observed, Read};

/// The largest log and the largest file that are kept, in bytes. The end of a log is more useful than its start.
const MAX_KEPT: usize = 128 << 10;

/// Which evidence is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// That of all tasks.
    All,
    /// That of tasks with an issue.
    Bad,
    /// None.
    Nothing,
}

/// The folder of a task's evidence.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    dir: PathBuf,
    keep: Keep,
}

impl Evidence {
    /// The evidence of a task below `trials`. That of an earlier run is removed.
    pub(crate) fn of(trials: &Path, task: &str, keep: Keep) -> io::Result<Self> {
        let evidence = Self { dir: trials.join(task), keep };
        evidence.remove()?;
        Ok(evidence)
    }

    /// Keeps what an episode shows. Returns the folder, if anything is kept.
    pub(crate) fn add(&self, observed: &Observed) -> io::Result<Option<PathBuf>> {
        if self.keep == Keep::Nothing {
            return Ok(None);
        }
        let dir = self.dir.join(observed.record.name.replace(':', "-"));
        fs::create_dir_all(&dir)?;
        for (name, log) in &observed.logs {
            let from = log.len().saturating_sub(MAX_KEPT);
            fs::write(dir.join(format!("{name}.log")), log.get(from..).unwrap_or_default())?;
        }
        let last = observed.after.as_ref().or(observed.end.as_ref());
        for (name, look) in [("start.png", observed.start.as_ref()), ("end.png", last)] {
            if let Some(png) = look.and_then(|look| look.png.as_ref()) {
                fs::write(dir.join(name), png)?;
            }
        }
        for read in &observed.reads {
            add_file(&dir, read)?;
        }
        Ok(Some(dir))
    }

    /// Removes what is not to be kept of a task without issues. Returns whether it did.
    pub(crate) fn prune(&self, is_ok: bool) -> io::Result<bool> {
        let is_pruned = self.keep == Keep::Bad && is_ok;
        if is_pruned {
            self.remove()?;
        }
        Ok(is_pruned)
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A file under a name without folders: what a verifier asks for is not trusted.
fn add_file(dir: &Path, read: &Read) -> io::Result<()> {
    let Some(content) = read.content.as_ref().filter(|content| content.len() <= MAX_KEPT) else {
        return Ok(());
    };
    let name = read.path.trim_matches('/').chars();
    let name: String =
        name.map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '_' }).collect();
    let files = dir.join("files");
    fs::create_dir_all(&files)?;
    fs::write(files.join(format!("_{}", common::text::shorten(&name, 120).trim_end_matches('…'))), content)
}
