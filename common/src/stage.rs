//! What every stage does the same way: start and end, take records in, give records out.

use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use fs_err as fs;

use crate::environment::Workspace;
use crate::exit::ExitStatus;
use crate::jsonl::{Line, ManifestFile, RawLine, ReadError, Reader, write_raw, write_record};
use crate::record::{Kind, Record};
use crate::text::escape;
use crate::ui::{Ui, Verbosity};

/// Runs a stage and tells how it ended. An error is printed with its causes. A pipe that is closed at the
/// other end is none: nobody wants more records.
pub fn main(stage: &str, run: impl FnOnce() -> Result<ExitStatus>) -> ExitCode {
    match run() {
        Ok(status) => status.into(),
        Err(error) if is_broken_pipe(&error) => ExitStatus::Done.into(),
        Err(error) => {
            let line = format!("{stage}: error: {}\n", escape(&format!("{error:#}")));
            // Standard error may be closed as well; the exit status says it then.
            drop(io::stderr().write_all(line.as_bytes()));
            ExitCode::from(ExitStatus::CANNOT)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The arguments that every stage takes.
#[derive(Args, Clone, Debug)]
pub struct StageArgs {
    /// The folder that environments are looked up in, and that paths in records are relative to [default:
    /// the nearest ancestor that holds benchmarks/cua_world, else the working directory]
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,

    /// Where manifests, the journal and logs are kept [default: task_generation_runs/ENV in the workspace]
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,

    /// Read records from FILE [default: standard input; on a terminal, the run directory's manifest]
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Write records to FILE [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Say nothing but warnings and errors
    #[arg(short, long)]
    pub quiet: bool,

    /// Say what is being done, too
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

impl StageArgs {
    /// The way to the person's eyes.
    pub fn ui(&self, stage: &'static str) -> Ui {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        Ui::new(stage, verbosity)
    }

    /// The workspace that was asked for, or the one that is found.
    pub fn workspace(&self) -> Result<Workspace> {
        Workspace::find(self.workspace.as_deref())
    }

    /// Opens the input and reads records of these `kinds` from it. On a terminal, where nobody types
    /// records, the `manifest` is read in its stead; without one there is no input.
    pub fn input(&self, ui: &Ui, manifest: Option<&Path>, kinds: &[Kind]) -> Result<Input> {
        match &self.input {
            Some(path) if path.as_os_str() != "-" => Input::file(path, ui, kinds),
            None if io::stdin().is_terminal() => match manifest.filter(|path| path.exists()) {
                Some(path) => Input::file(path, ui, kinds),
                None => Ok(Input::new("nothing", io::empty(), ui, kinds)),
            },
            _ => Ok(Input::new("standard input", io::stdin(), ui, kinds)),
        }
    }

    /// Opens the output, and the run directory's `manifest` beside it.
    pub fn output(&self, manifest: Option<&Path>) -> Result<Output> {
        let manifest_file = manifest.map(ManifestFile::create).transpose()?;
        let records: Option<Box<dyn Write + Send>> = match &self.output {
            Some(path) if path.as_os_str() != "-" => {
                Some(Box::new(fs::File::create(path).context("cannot write the output")?))
            }
            // Nobody reads records on a terminal, and the run directory has them.
            None if manifest.is_some() && io::stdout().is_terminal() => None,
            _ => Some(Box::new(io::stdout())),
        };
        Ok(Output { records: records.map(BufWriter::new), manifest: manifest_file })
    }
}

/// Records as they come in. Lines that are no valid record are reported, and left out.
pub struct Input {
    lines: Box<dyn Iterator<Item = Result<Line, ReadError>> + Send>,
    ui: Ui,
}

impl Input {
    fn new(name: &str, lines: impl io::Read + Send + 'static, ui: &Ui, kinds: &[Kind]) -> Self {
        let lines = Reader::new(name, BufReader::with_capacity(1 << 16, lines), kinds);
        Self { lines: Box::new(lines), ui: ui.clone() }
    }

    fn file(path: &Path, ui: &Ui, kinds: &[Kind]) -> Result<Self> {
        let file = fs::File::open(path).context("cannot read the input")?;
        Ok(Self::new(&path.to_string_lossy(), file, ui, kinds))
    }
}

impl Iterator for Input {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.lines.next()? {
                Ok(line) => return Some(Ok(line)),
                Err(ReadError::Io(error)) => return Some(Err(error)),
                Err(ReadError::Bad(bad)) => self.ui.error(bad),
            }
        }
    }
}

/// Where records go: to the next stage, and into the run directory's manifest, the same lines in both.
pub struct Output {
    records: Option<BufWriter<Box<dyn Write + Send>>>,
    manifest: Option<ManifestFile>,
}

impl Output {
    /// Writes a record. The next stage can act on it at once.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        if let Some(manifest) = &mut self.manifest {
            manifest.record(record)?;
        }
        let Some(records) = &mut self.records else { return Ok(()) };
        write_record(records, record)?;
        records.flush()
    }

    /// Passes a line on as it was read.
    pub fn raw(&mut self, line: &RawLine) -> io::Result<()> {
        if let Some(manifest) = &mut self.manifest {
            manifest.raw(line)?;
        }
        let Some(records) = &mut self.records else { return Ok(()) };
        write_raw(records, line)?;
        records.flush()
    }

    /// Ends the output: the manifest takes its place in the run directory.
    pub fn finish(self) -> io::Result<()> {
        if let Some(mut records) = self.records {
            records.flush()?;
        }
        self.manifest.map_or(Ok(()), ManifestFile::finish)
    }
}
