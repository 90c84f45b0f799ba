//! The prompt and the output of an agent in one phase, kept in files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::phase::Phase;
use crate::process::Stream;

/// The files of one phase.
pub(crate) struct PhaseLog {
    /// The prompt.
    pub(crate) prompt: PathBuf,
    /// The agent's standard output.
    pub(crate) path: PathBuf,
    out: fs::File,
    err: fs::File,
}

impl PhaseLog {
    /// Writes the prompt and opens the logs, in the session's folder `dir`. Logs of earlier runs of the phase are
    /// appended to.
    pub(crate) fn open(dir: &Path, phase: Phase, prompt: &str) -> io::Result<Self> {
        let name = format!("{}-{}", phase.number(), phase.name());
        let path = dir.join(format!("{name}.jsonl"));
        let prompt_file = dir.join(format!("{name}.prompt.md"));
        fs::write(&prompt_file, prompt)?;
        let err = open_to_append(&dir.join(format!("{name}.stderr.log")))?;
        Ok(Self { out: open_to_append(&path)?, err, prompt: prompt_file, path })
    }

    /// Writes a line of output.
    pub(crate) fn write(&mut self, stream: Stream, line: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Stdout => self.out.write_all(line),
            Stream::Stderr => self.err.write_all(line),
        }
    }
}

fn open_to_append(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().create(true).append(true).open(path)
}
