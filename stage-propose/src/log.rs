//! Everything that an agent says, kept.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::child::Stream;
use fs_err as fs;

use crate::phase::Phase;

/// Where what an agent is told and says in one phase is kept.
pub(crate) struct Log {
    /// What it is told.
    pub(crate) prompt: PathBuf,
    /// What it says on standard output.
    pub(crate) path: PathBuf,
    out: fs::File,
    err: fs::File,
}

impl Log {
    /// Keeps the prompt and opens the log, in the session's folder `dir`. What an earlier run of the phase
    /// said stays in front.
    pub(crate) fn open(dir: &Path, phase: Phase, prompt: &str) -> io::Result<Self> {
        let file = |extension| dir.join(format!("{}-{}.{extension}", phase.number(), phase.name()));
        let append = |path: &Path| fs::OpenOptions::new().create(true).append(true).open(path);
        let (path, prompt_file) = (file("jsonl"), file("prompt.md"));
        fs::write(&prompt_file, prompt)?;
        Ok(Self { out: append(&path)?, err: append(&file("stderr.log"))?, prompt: prompt_file, path })
    }

    /// Keeps a line.
    pub(crate) fn write(&mut self, stream: Stream, line: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Out => self.out.write_all(line),
            Stream::Err => self.err.write_all(line),
        }
    }
}
