//! Records and paths in, records out.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use common::environment::{Environment, Workspace, task_spec};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::jsonl::{Line, RawLine};
use common::ordered::Ordered;
use common::record::{Failure, Kind, Record, SpecKind, TaskStatus};
use common::run_dir::RunDir;
use common::stage::Output;
use common::ui::Ui;
use fs_err as fs;

use crate::args::Args;
use crate::probe::Prober;
use crate::summary::Summary;
use crate::task::Place;

/// What is done for one line of the input, or one task folder.
enum Item {
    /// Probe the task in this folder.
    Probe(PathBuf),
    /// Pass a record on, and probe the task that it is of.
    PassAndProbe(Box<Record>, PathBuf),
    /// Pass it on.
    Pass(Box<Record>),
    /// Pass it on as it was read.
    PassRaw(RawLine),
    /// Leave it out: there is no task folder to look at.
    Nothing,
}

/// What came of an item, in the order it is written.
struct Done {
    raw: Option<RawLine>,
    passed: Option<Box<Record>>,
    found: Option<Box<Record>>,
}

/// Probes all that was asked for.
pub(crate) fn run(args: &Args, prober: &Prober, interrupt: &Interrupt, ui: &Ui) -> Result<ExitStatus> {
    let workspace = args.stage.workspace()?;
    let run_dir = args.stage.run_dir.as_deref().map(RunDir::open).transpose()?;
    let _lock = run_dir.as_ref().map(|dir| dir.lock("probe")).transpose()?;
    let manifest = run_dir.as_ref().map(|dir| dir.manifest("probes"));
    let mut output = args.stage.output(manifest.as_deref())?;
    let (items, total) = items(args, run_dir.as_ref(), &workspace, ui)?;
    let mut summary = Summary::default();
    let progress = ui.progress("probing", total);
    tell_of_interruptions(interrupt, ui);
    Ordered::on_cores().until(interrupt.closed_at(Urgency::Drain)).each(
        items,
        |item| work(item, prober, &workspace, ui),
        |done| {
            progress.inc(1);
            // A run that was given up says nothing of its verifier.
            let given_up = interrupt.urgency() == Some(Urgency::Stop);
            if given_up { Ok(()) } else { write(&done, &mut output, &mut summary, ui) }
        },
    )?;
    drop(progress);
    summary.show(ui);
    if interrupt.urgency().is_some() {
        return Ok(ExitStatus::Interrupted);
    }
    output.finish()?;
    Ok(ExitStatus::failed_if(summary.any_bad() || ui.errors() > 0))
}

fn tell_of_interruptions(interrupt: &Interrupt, ui: &Ui) {
    let ui = ui.clone();
    interrupt.listen(move |urgency| match urgency {
        Urgency::Drain => ui.warn("interrupted; waiting for the verifiers that run, again to end them"),
        Urgency::Stop => ui.warn("interrupted again; ending the verifiers that run"),
    });
}

type Items = Box<dyn Iterator<Item = io::Result<Item>> + Send>;

/// What to do, and how much it is where that is known.
fn items(
    args: &Args,
    run_dir: Option<&RunDir>,
    workspace: &Workspace,
    ui: &Ui,
) -> Result<(Items, Option<u64>)> {
    if args.paths.is_empty() {
        let verdicts = run_dir.map(|dir| dir.manifest("verdicts"));
        let lines = args.stage.input(ui, verdicts.as_deref(), &[Kind::Task, Kind::Verdict])?;
        let mut sorter = Sorter { workspace: workspace.clone(), seen: HashSet::new() };
        return Ok((Box::new(lines.map(move |line| line.map(|line| sorter.sort(line)))), None));
    }
    let mut folders = Vec::new();
    for path in &args.paths {
        folders.extend(task_folders(path, workspace)?);
    }
    if let Some(name) = &args.task {
        folders.retain(|folder| folder.file_name().is_some_and(|folder| folder == name.as_str()));
    }
    if folders.is_empty() {
        bail!("there is no task in what was given; give task folders, or folders of environments");
    }
    let total = u64::try_from(folders.len()).ok();
    Ok((Box::new(folders.into_iter().map(|folder| Ok(Item::Probe(folder)))), total))
}

/// The task folders that a path means: itself, an environment's, or those of all environments in it.
fn task_folders(path: &Path, workspace: &Workspace) -> Result<Vec<PathBuf>> {
    if task_spec(path).is_some() {
        return Ok(vec![path.to_owned()]);
    }
    if let Ok(environment) = workspace.environment(&path.to_string_lossy()) {
        let names = environment.task_names()?;
        return Ok(names.iter().map(|name| environment.task_dir(name)).collect());
    }
    let mut inside: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path)? {
        inside.push(entry?.path());
    }
    inside.sort_unstable();
    let mut folders = Vec::new();
    for environment in inside.iter().filter_map(|dir| Environment::open(dir).ok()) {
        let names = environment.task_names()?;
        folders.extend(names.iter().map(|name| environment.task_dir(name)));
    }
    Ok(folders)
}

/// Tells what to do for a line. A task that more than one record names is probed once.
struct Sorter {
    workspace: Workspace,
    seen: HashSet<PathBuf>,
}

impl Sorter {
    fn sort(&mut self, line: Line) -> Item {
        let record = match line {
            Line::Record(record) => record,
            Line::Other(raw) => return Item::PassRaw(raw),
        };
        match &record {
            Record::Task(task) => {
                let there =
                    matches!(task.status, TaskStatus::Written | TaskStatus::Replaced | TaskStatus::Kept);
                let folder = self.workspace.resolve(&task.dir);
                if there && self.seen.insert(folder.clone()) { Item::Probe(folder) } else { Item::Nothing }
            }
            // A task whose spec is bad has to be mended first; the verdict says so to whoever does.
            Record::Verdict(verdict) if verdict.kind == SpecKind::Task && verdict.ok => {
                let spec = self.workspace.resolve(&verdict.path);
                let folder = if spec.is_dir() { spec } else { spec.with_file_name("") };
                if self.seen.insert(folder.clone()) {
                    Item::PassAndProbe(Box::new(record), folder)
                } else {
                    Item::Pass(Box::new(record))
                }
            }
            _ => Item::Pass(Box::new(record)),
        }
    }
}

fn work(item: Item, prober: &Prober, workspace: &Workspace, ui: &Ui) -> Done {
    let (raw, passed, folder) = match item {
        Item::Probe(folder) => (None, None, Some(folder)),
        Item::PassAndProbe(record, folder) => (None, Some(record), Some(folder)),
        Item::Pass(record) => (None, Some(record), None),
        Item::PassRaw(raw) => (Some(raw), None, None),
        Item::Nothing => (None, None, None),
    };
    let found = folder.map(|folder| Box::new(probe(&folder, prober, workspace, ui)));
    Done { raw, passed, found }
}

/// The record of the task in this folder: what was found, or why nothing could be.
fn probe(folder: &Path, prober: &Prober, workspace: &Workspace, ui: &Ui) -> Record {
    let failure = |env: String, code: &str, error: &anyhow::Error| {
        let task = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let message = format!("{error:#}");
        let (stage, code) = ("probe".to_owned(), code.to_owned());
        Record::Failure(Failure { env, task, stage, code, message, attempts: 1, ..Failure::default() })
    };
    let place = match Place::of(folder) {
        Ok(place) => place,
        Err(error) => return failure(String::new(), "no_task_folder", &error),
    };
    match prober.probe(&place, workspace, ui) {
        Ok(found) => Record::Probe(found),
        Err(error) => failure(place.env, "sandbox_failed", &error),
    }
}

fn write(done: &Done, output: &mut Output, summary: &mut Summary, ui: &Ui) -> Result<()> {
    if let Some(raw) = &done.raw {
        output.raw(raw)?;
    }
    if let Some(record) = &done.passed {
        output.record(record)?;
    }
    let Some(record) = &done.found else { return Ok(()) };
    match record.as_ref() {
        Record::Probe(probe) => summary.count(probe, ui),
        Record::Failure(failure) => {
            let task = failure.task.as_deref().unwrap_or_default();
            ui.error(format_args!("{}/{task}: {}", failure.env, failure.message));
        }
        _ => {}
    }
    Ok(output.record(record)?)
}
