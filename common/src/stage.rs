//! What every stage does the same way: start and end, take records in, give records out.

use std::convert::Infallible;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result};
use clap::Args;
use crossbeam_channel::{Receiver, Sender, bounded, never, select_biased};
use fs_err as fs;

use crate::environment::Workspace;
use crate::exit::ExitStatus;
use crate::jsonl::{InOrder, Line, ManifestFile, RawLine, ReadError, Reader, write_raw, write_record};
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

/// How many items per worker are under way, or wait for one before them, before the input has to wait.
const WINDOW: usize = 32;

/// Does `work` on items as they arrive, on rayon's threads, and hands the results to `emit` in the items'
/// order, each as soon as it and all before it are done. When `emit` fails, the rest is left undone.
///
/// Not to be called on one of rayon's own threads: that one would wait here, and a pool that has no other
/// does nothing.
pub fn in_order<T, R>(
    items: impl Iterator<Item = io::Result<T>> + Send + 'static,
    work: impl Fn(T) -> R + Sync,
    emit: impl FnMut(R) -> Result<()>,
) -> Result<()>
where
    T: Send + 'static,
    R: Send,
{
    in_order_until(&never(), items, work, emit)
}

/// Like [`in_order`], with all results at once whose turn it is: what is dear to do for one of them may cost
/// no more for many.
pub fn in_order_batched<T, R>(
    items: impl Iterator<Item = io::Result<T>> + Send + 'static,
    work: impl Fn(T) -> R + Sync,
    emit: impl FnMut(Vec<R>) -> Result<()>,
) -> Result<()>
where
    T: Send + 'static,
    R: Send,
{
    work_through(&never(), items, work, emit)
}

/// Like [`in_order`], until `end` is closed: then no further item is begun, though the input may still be open,
/// and what was begun is finished and emitted.
pub fn in_order_until<T, R>(
    end: &Receiver<Infallible>,
    items: impl Iterator<Item = io::Result<T>> + Send + 'static,
    work: impl Fn(T) -> R + Sync,
    mut emit: impl FnMut(R) -> Result<()>,
) -> Result<()>
where
    T: Send + 'static,
    R: Send,
{
    work_through(end, items, work, |results| results.into_iter().try_for_each(&mut emit))
}

fn work_through<T, R>(
    end: &Receiver<Infallible>,
    items: impl Iterator<Item = io::Result<T>> + Send + 'static,
    work: impl Fn(T) -> R + Sync,
    mut emit: impl FnMut(Vec<R>) -> Result<()>,
) -> Result<()>
where
    T: Send + 'static,
    R: Send,
{
    let workers = rayon::current_num_threads();
    let (place, places) = bounded(WINDOW * workers);
    let (give, given) = bounded(WINDOW * workers);
    let (finished, results) = bounded(WINDOW * workers);
    let (running, stopped) = bounded::<Infallible>(0);
    // Not joined: when it is not to go on, it may be waiting for a line that never comes.
    thread::spawn(move || feed(items, &place, &give));
    rayon::in_place_scope(|scope| {
        for _ in 0..workers {
            let (given, stopped, finished) = (given.clone(), stopped.clone(), finished.clone());
            let work = &work;
            scope.spawn(move |_| serve(&given, [end, &stopped], &finished, work));
        }
        drop(finished);
        let emitted = emit_in_order(&results, &places, &mut emit);
        drop((running, results));
        emitted
    })
}

/// Numbers the items and passes them on, as long as there is a place for one more.
fn feed<T>(
    items: impl Iterator<Item = io::Result<T>>,
    place: &Sender<()>,
    give: &Sender<(usize, io::Result<T>)>,
) {
    for numbered in items.enumerate() {
        if place.send(()).is_err() || give.send(numbered).is_err() {
            return;
        }
    }
}

/// Works on one item after the other. The threads of the pool wait here rather than in rayon's own queue,
/// whose idle threads wake one another for every item that trickles in.
fn serve<T, R>(
    given: &Receiver<(usize, io::Result<T>)>,
    [end, stopped]: [&Receiver<Infallible>; 2],
    finished: &Sender<(usize, io::Result<R>)>,
    work: &impl Fn(T) -> R,
) {
    loop {
        select_biased! {
            recv(end) -> _ => return,
            recv(stopped) -> _ => return,
            recv(given) -> item => {
                let Ok((number, item)) = item else { return };
                if finished.send((number, item.map(work))).is_err() {
                    return;
                }
            }
        }
    }
}

fn emit_in_order<R>(
    results: &Receiver<(usize, io::Result<R>)>,
    places: &Receiver<()>,
    emit: &mut impl FnMut(Vec<R>) -> Result<()>,
) -> Result<()> {
    let mut waiting = InOrder::from(0);
    for (number, result) in results {
        waiting.push(number, result);
        results.try_iter().for_each(|(number, result)| waiting.push(number, result));
        let mut ready = Vec::new();
        let mut unreadable = None;
        while let Some(result) = waiting.pop() {
            // Its place is free: others are worked on while this is emitted.
            let _ = places.recv();
            match result {
                Ok(result) => ready.push(result),
                Err(error) => drop(unreadable.get_or_insert(error)),
            }
        }
        if !ready.is_empty() {
            emit(ready)?;
        }
        if let Some(error) = unreadable {
            return Err(error).context("cannot read the input");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let mut seen = Vec::new();
        in_order(
            (0..1000).map(Ok),
            |n| n * 2,
            |n| {
                seen.push(n);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(seen, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn batches_come_in_the_order_of_the_items_and_hold_something() {
        let mut batches = Vec::new();
        in_order_batched(
            (0..1000).map(Ok),
            |n| n,
            |batch| {
                batches.push(batch);
                Ok(())
            },
        )
        .unwrap();
        assert!(batches.iter().all(|batch| !batch.is_empty()));
        assert_eq!(batches.concat(), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_result_is_emitted_while_the_input_is_still_open() {
        let (give, items) = mpsc::channel();
        let (emitted, heard) = mpsc::channel();
        let worker = thread::spawn(move || in_order(items.into_iter(), |n: i32| n, |n| Ok(emitted.send(n)?)));
        for n in 0..3 {
            give.send(Ok(n)).unwrap();
            assert_eq!(heard.recv().unwrap(), n);
        }
        drop(give);
        worker.join().unwrap().unwrap();
    }

    #[test]
    fn a_failure_to_emit_ends_the_work_though_the_input_is_open() {
        let (give, items) = mpsc::channel();
        give.send(Ok(1)).unwrap();
        let failed = in_order(items.into_iter(), |n: i32| n, |_| anyhow::bail!("no room")).unwrap_err();
        assert_eq!(failed.to_string(), "no room");
        drop(give);
    }

    #[test]
    fn an_end_that_is_asked_for_comes_though_the_input_is_open() {
        let (give, items) = mpsc::channel();
        let (end, ended) = bounded(0);
        let (emitted, heard) = mpsc::channel();
        let worker = thread::spawn(move || {
            in_order_until(&ended, items.into_iter(), |n: i32| n, |n| Ok(emitted.send(n)?))
        });
        give.send(Ok(1)).unwrap();
        assert_eq!(heard.recv().unwrap(), 1);
        drop(end);
        worker.join().unwrap().unwrap();
        // What comes now is not begun.
        drop(give.send(Ok(2)));
        assert_eq!(heard.try_iter().count(), 0);
    }

    #[test]
    fn an_unreadable_input_is_an_error() {
        let items = [Ok(1), Err(io::Error::other("gone"))];
        let failed = in_order(items.into_iter(), |n: i32| n, |_| Ok(())).unwrap_err();
        assert_eq!(format!("{failed:#}"), "cannot read the input: gone");
    }
}
