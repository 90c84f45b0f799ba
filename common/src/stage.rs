//! The frame of every stage: arguments, input and output of records, and the exit status.

use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use clap::Args;
use fs_err as fs;
use rustix::fs::FileType;
use thiserror::Error;

use crate::environment::{EnvironmentError, Workspace};
use crate::exit::ExitStatus;
use crate::jsonl::{Line, RawLine, ReadError, Reader, write_raw, write_record};
use crate::keep::Keep;
use crate::manifest::{Coverage, ManifestFile, TaskNames};
use crate::publish::PublishError;
use crate::record::{Kind, Record};
use crate::run_dir::RunDirError;
use crate::text::{escape, with_hint};
use crate::ui::{Ui, Verbosity, write_line};

/// The reader of the output has closed the pipe.
#[derive(Debug, Error)]
#[error("the reader of the output has closed it")]
struct ReaderGone;

/// Runs a stage and returns its exit status. An error is printed with its causes and its hint. A stage whose reader
/// closes the pipe ends without a message: no more records are wanted.
pub fn main(stage: &str, run: impl FnOnce() -> anyhow::Result<ExitStatus>) -> ExitCode {
    match run() {
        Ok(status) => status.into(),
        Err(error) if is_reader_gone(&error) => ExitStatus::ReaderGone.into(),
        Err(error) => {
            let message = with_hint(format_args!("{error:#}"), hint(&error).as_deref());
            // If standard error is closed, only the exit status tells.
            write_line(&format!("{stage}: error: {}", escape(&message)));
            ExitCode::from(ExitStatus::CANNOT)
        }
    }
}

/// Whether the reader of the output has closed it, and nothing else went wrong.
fn is_reader_gone(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>()?.get_ref())
        .any(<dyn std::error::Error + Send + Sync>::is::<ReaderGone>)
}

/// The hint of the first error of this crate among the causes.
fn hint(error: &anyhow::Error) -> Option<String> {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<EnvironmentError>() {
            return error.hint();
        }
        // Errors of the output come as errors of I/O.
        let inner = cause.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        let run_dir = cause.downcast_ref().or_else(|| inner.and_then(|inner| inner.downcast_ref()));
        if let Some(error) = run_dir {
            return RunDirError::hint(error);
        }
        if let Some(error) = cause.downcast_ref::<StreamError>() {
            return error.hint().map(str::to_owned);
        }
        if let Some(error) = cause.downcast_ref::<PublishError>() {
            return error.hint().map(str::to_owned);
        }
    }
    None
}

/// The command line arguments of every stage.
#[derive(Args, Clone, Debug)]
pub struct StageArgs {
    /// The folder in which environments are looked up; paths in records are relative to it [default: the
    /// nearest ancestor that holds benchmarks/cua_world, else the working directory]
    #[arg(help_heading = crate::help::INPUT_OUTPUT, long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,

    /// The folder for manifests, the journal and logs [default: task_generation_runs/ENV in the workspace]
    #[arg(help_heading = crate::help::INPUT_OUTPUT, long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,

    /// Read records from FILE [default: standard input; on a terminal, the run directory's manifest]
    #[arg(help_heading = crate::help::INPUT_OUTPUT, short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Write records to FILE [default: standard output]
    #[arg(help_heading = crate::help::INPUT_OUTPUT, short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Print only warnings and errors
    #[arg(help_heading = crate::help::INPUT_OUTPUT, short, long)]
    pub quiet: bool,

    /// Print more details
    #[arg(help_heading = crate::help::INPUT_OUTPUT, short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Where there is no terminal, print a line about the progress after every SECONDS; explain a pause that is longer
    /// than this
    #[arg(help_heading = crate::help::INPUT_OUTPUT, long, value_name = "SECONDS", value_parser = seconds,
          default_value = "10", hide_short_help = true)]
    pub progress_interval: Duration,
}

/// A positive number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|seconds| !seconds.is_zero())
        .ok_or_else(|| "expected a positive number of seconds".to_owned())
}

impl StageArgs {
    /// The messages of this stage to the user.
    pub fn ui(&self, stage: &'static str) -> Ui {
        StageSettings::from(self.clone()).ui(stage)
    }

    /// The requested workspace, or the default one.
    pub fn workspace(&self) -> Result<Workspace, EnvironmentError> {
        Workspace::find(self.workspace.as_deref())
    }
}

/// The settings of every stage: [`StageArgs`] as plain data.
#[derive(Clone, Debug)]
pub struct StageSettings {
    /// The requested workspace.
    pub workspace: Option<PathBuf>,
    /// The requested run directory.
    pub run_dir: Option<PathBuf>,
    /// The requested input; `-` is standard input.
    pub input: Option<PathBuf>,
    /// The requested output; `-` is standard output.
    pub output: Option<PathBuf>,
    /// How much is printed on standard error.
    pub verbosity: Verbosity,
    /// The time between two progress lines, and until a pause is explained.
    pub progress_interval: Duration,
}

impl From<StageArgs> for StageSettings {
    fn from(args: StageArgs) -> Self {
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        let StageArgs { workspace, run_dir, input, output, progress_interval, .. } = args;
        Self { workspace, run_dir, input, output, verbosity, progress_interval }
    }
}

/// Why the input or the output cannot be opened.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The input cannot be opened.
    #[error("cannot read the input")]
    Input(#[source] io::Error),
    /// The output cannot be created.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
    /// The manifest in the run directory cannot be created.
    #[error("cannot write the manifest")]
    Manifest(#[source] io::Error),
    /// The input has nothing for this stage.
    #[error("{source_name} has no {kinds} record, so there is nothing to do")]
    NoRecord {
        /// What messages call the input.
        source_name: String,
        /// The kinds that the stage works on.
        kinds: String,
    },
}

impl StreamError {
    /// What to do next, where the message does not say it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoRecord { .. } => Some("check the manifest, and what the stage before this one reported"),
            Self::Input(_) | Self::Output(_) | Self::Manifest(_) => None,
        }
    }
}

impl StageSettings {
    /// The messages of this stage to the user.
    pub fn ui(&self, stage: &'static str) -> Ui {
        Ui::new(stage, self.verbosity, self.progress_interval)
    }

    /// The requested workspace, or the default one.
    pub fn workspace(&self) -> Result<Workspace, EnvironmentError> {
        Workspace::find(self.workspace.as_deref())
    }

    /// Whether there is an input: a file that was asked for, or standard input that is a pipe, a socket or a file.
    /// A terminal and `/dev/null` are none.
    pub fn has_input(&self) -> bool {
        self.input.is_some()
            || rustix::fs::fstat(io::stdin().as_fd())
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice)
    }

    /// Opens the input and reads records of these `kinds` from it. If standard input is a terminal, the `manifest`
    /// is read instead; without one the input is empty.
    pub fn input(&self, ui: &Ui, manifest: Option<&Path>, kinds: &[Kind]) -> Result<Input, StreamError> {
        match &self.input {
            Some(path) if path.as_os_str() != "-" => Input::file(path, ui, kinds).map_err(StreamError::Input),
            None if io::stdin().is_terminal() => match manifest.filter(|path| path.exists()) {
                Some(path) => Input::file(path, ui, kinds).map_err(StreamError::Input),
                None => Ok(Input::new("the input", io::empty(), ui, kinds)),
            },
            _ => Ok(Input::new("standard input", io::stdin(), ui, kinds)),
        }
    }

    /// Opens the output for records of the whole run, and the run directory's `manifest`, which gets the same lines.
    pub fn output(&self, manifest: Option<&Path>) -> Result<Output, StreamError> {
        let mut output = self.waiting_output(manifest.is_some())?;
        output.keep_at(manifest, Coverage::Whole).map_err(StreamError::Manifest)?;
        Ok(output)
    }

    /// Opens the output for records of the tasks that the input names. Its manifest `name` is started when the first
    /// record has come in that `tally` counts.
    pub fn output_kept(&self, keep: Keep, name: &'static str, tally: &Tally) -> Result<Output, StreamError> {
        let output = self.waiting_output(keep.run_dir().is_some())?;
        Ok(Output { later: Some(name), tally: Some(tally.clone()), keep: Some(keep), ..output })
    }

    /// Opens the output for records of tasks that the command line names, and its manifest `name` if the command line
    /// gives the run directory.
    pub fn output_kept_now(
        &self,
        mut keep: Keep,
        name: &str,
        coverage: Coverage,
    ) -> Result<Output, StreamError> {
        let mut output = self.waiting_output(keep.run_dir().is_some())?;
        let manifest =
            keep.start("", name).map_err(|error| StreamError::Manifest(io::Error::other(error)))?;
        output.keep_at(manifest.as_deref(), coverage).map_err(StreamError::Manifest)?;
        Ok(Output { keep: Some(keep), ..output })
    }

    /// Opens the output for records. What is written is held back from the manifest until
    /// [`Output::keep_at`] says where it is.
    pub fn waiting_output(&self, has_manifest: bool) -> Result<Output, StreamError> {
        // On a terminal, records are left out if the manifest has them.
        let is_shown = self.output.is_some() || !has_manifest || !io::stdout().is_terminal();
        let records = if is_shown { Some(self.writer()?) } else { None };
        Ok(Output { records, manifest: None, held: Some(Vec::new()), later: None, tally: None, keep: None })
    }

    /// Opens the output for any text.
    pub fn writer(&self) -> Result<Box<dyn Write + Send>, StreamError> {
        let writer: Box<dyn Write + Send> = match &self.output {
            Some(path) if path.as_os_str() != "-" => {
                Box::new(fs::File::create(path).map_err(StreamError::Output)?)
            }
            _ => Box::new(io::stdout()),
        };
        Ok(Box::new(BufWriter::new(Watched(writer))))
    }
}

/// A writer that tells a pipe whose reader has closed it from any other.
struct Watched<W>(W);

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(name_closed_pipe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(name_closed_pipe)
    }
}

fn name_closed_pipe(error: io::Error) -> io::Error {
    match error.kind() {
        kind @ io::ErrorKind::BrokenPipe => io::Error::new(kind, ReaderGone),
        _ => error,
    }
}

/// The records of the input. Lines that are not valid records are reported and skipped.
pub struct Input {
    lines: Box<dyn Iterator<Item = Result<Line, ReadError>> + Send>,
    tally: Tally,
    ui: Ui,
}

/// Notes the records that an input has brought of those that the stage works on. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct Tally(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    /// The environment of the first record.
    first: OnceLock<String>,
    /// The tasks of all records.
    tasks: Mutex<TaskNames>,
    source_name: String,
    kinds: Vec<Kind>,
}

impl Tally {
    fn new(source_name: &str, kinds: &[Kind]) -> Self {
        let (source_name, kinds) = (source_name.to_owned(), kinds.to_vec());
        Self(Arc::new(Noted { first: OnceLock::new(), tasks: Mutex::default(), source_name, kinds }))
    }

    fn note(&self, record: &Record) {
        self.0.first.get_or_init(|| record.env().to_owned());
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).add(record);
    }

    /// The tasks that the input named so far.
    fn tasks(&self) -> TaskNames {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An error unless a record has come.
    pub fn ensure_any(&self) -> Result<(), StreamError> {
        if self.0.first.get().is_some() {
            return Ok(());
        }
        let kinds: Vec<&str> = self.0.kinds.iter().map(|kind| kind.name()).collect();
        Err(StreamError::NoRecord { source_name: self.0.source_name.clone(), kinds: kinds.join(" or ") })
    }
}

impl Input {
    fn new(name: &str, lines: impl io::Read + Send + 'static, ui: &Ui, kinds: &[Kind]) -> Self {
        let lines = Reader::new(name, BufReader::with_capacity(1 << 16, lines), kinds);
        Self { lines: Box::new(lines), tally: Tally::new(name, kinds), ui: ui.clone() }
    }

    /// Opens a manifest, and reads records of these `kinds` from it.
    pub fn file(path: &Path, ui: &Ui, kinds: &[Kind]) -> io::Result<Self> {
        Ok(Self::new(&path.to_string_lossy(), fs::File::open(path)?, ui, kinds))
    }

    /// Tells whether records have come, while and after the input is read.
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }
}

impl Iterator for Input {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.lines.next()? {
                Ok(line) => {
                    if let Line::Record(record) = &line {
                        self.tally.note(record);
                    }
                    return Some(Ok(line));
                }
                Err(ReadError::Io(error)) => return Some(Err(error)),
                Err(ReadError::Bad(bad)) => self.ui.error(bad),
            }
        }
    }
}

/// The output of records: to the next stage and to the run directory's manifest, the same lines to both. The manifest
/// may keep earlier lines of other tasks, too.
pub struct Output {
    records: Option<Box<dyn Write + Send>>,
    manifest: Option<ManifestFile>,
    /// The lines that were written before it was known where the manifest is; none once it is.
    held: Option<Vec<RawLine>>,
    /// The name of a manifest that is started when the first record has come in.
    later: Option<&'static str>,
    /// What the input brings, if it names the tasks.
    tally: Option<Tally>,
    /// The run directory, which is locked as long as this exists.
    keep: Option<Keep>,
}

impl Output {
    /// Starts the manifest at this path, with the lines so far; without a path, there is none.
    pub fn keep_at(&mut self, manifest: Option<&Path>, coverage: Coverage) -> io::Result<()> {
        self.manifest = manifest.map(|path| ManifestFile::create(path, coverage)).transpose()?;
        let held = self.held.take().unwrap_or_default();
        let Some(manifest) = &mut self.manifest else { return Ok(()) };
        held.iter().try_for_each(|line| manifest.raw(line))
    }

    /// Writes a record and flushes it, so that the next stage can work on it.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        self.start_manifest()?;
        if self.keep.as_ref().is_some_and(|keep| !keep.keeps(record.env())) {
            self.forget_manifest()?;
        }
        if let Some(manifest) = &mut self.manifest {
            manifest.record(record)?;
        } else if let Some(held) = &mut self.held {
            held.push(RawLine::of(record)?);
        }
        let Some(records) = &mut self.records else { return Ok(()) };
        write_record(records, record)?;
        records.flush()
    }

    /// Writes a line as it was read.
    pub fn raw(&mut self, line: &RawLine) -> io::Result<()> {
        self.start_manifest()?;
        if let Some(manifest) = &mut self.manifest {
            manifest.raw(line)?;
        } else if let Some(held) = &mut self.held {
            held.push(line.clone());
        }
        let Some(records) = &mut self.records else { return Ok(()) };
        write_raw(records, line)?;
        records.flush()
    }

    /// Ends the output and publishes the manifest.
    pub fn finish(mut self) -> io::Result<()> {
        self.start_manifest()?;
        if let Some(mut records) = self.records {
            records.flush()?;
        }
        let named = self.tally.map(|tally| tally.tasks()).unwrap_or_default();
        self.manifest.map_or(Ok(()), |manifest| manifest.finish(&named))
    }

    /// Starts the manifest, if it was not and the first record has come in.
    fn start_manifest(&mut self) -> io::Result<()> {
        let (Some(name), Some(tally), Some(keep)) = (self.later, &self.tally, &mut self.keep) else {
            return Ok(());
        };
        let Some(env) = tally.0.first.get() else { return Ok(()) };
        let manifest = keep.start(env, name).map_err(io::Error::other)?;
        self.later = None;
        self.keep_at(manifest.as_deref(), Coverage::Part)
    }

    /// Records of several environments belong into no run directory, unless the command line gives one.
    fn forget_manifest(&mut self) -> io::Result<()> {
        self.manifest.take().map_or(Ok(()), ManifestFile::abandon)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use anyhow::Context;

    use super::*;

    /// What writing to a pipe without a reader gives.
    fn closed_pipe() -> impl Write {
        UnixStream::pair().unwrap().0
    }

    #[test]
    fn f2_only_the_reader_of_the_output_ends_a_stage_quietly() {
        let write =
            |out: &mut dyn Write| out.write_all(b"{}\n").context("cannot write the record").unwrap_err();
        assert!(is_reader_gone(&write(&mut BufWriter::with_capacity(1, Watched(closed_pipe())))));
        // A pipe to another program, and an error after the reader has gone.
        assert!(!is_reader_gone(&write(&mut closed_pipe())));
        assert!(!is_reader_gone(&write(&mut Watched(fs::File::create("/dev/full").unwrap()))));
    }
}
