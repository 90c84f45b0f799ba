//! The README pass and the files pass over many tasks: one of them, or both, the files of a task as soon as
//! its README is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::{io, iter};

use anyhow::{Result, anyhow};
use common::environment::TaskName;
use common::jsonl::{Line, RawLine};
use common::manifest::{ManifestFile, TaskNames};
use common::record::{Failure, Files, Kind, Plan, Record, Spec};
use common::text::count;
use common::ui::Ui;
use model_client::Prefix;

use super::plan::Planned;
use super::{checklist, files, fixtures, readme};
use crate::ask::{Asker, Attempts, Halt, Unanswered};
use crate::corpus::Corpus;
use crate::difficulty;
use crate::incoming;
use crate::pipeline;
use crate::prompts::{files_prefix, readme_prefix};
use crate::session::Session;
use crate::settings::Pass;
use crate::writer::Writer;
use task_spec::duplicates::Seen;

/// Writes READMEs for the rows of a plan, up to the wanted number of tasks, and their files if the files pass
/// is selected. Returns the names of usable tasks.
pub(crate) fn rows(
    session: &Session<'_>,
    writer: &mut Writer,
    planned: &Planned,
) -> Result<Vec<String>, Halt> {
    let (asker, root) = (session.asker, &session.settings.environment.root);
    let jobs = jobs(session, planned)?;
    let _shown = session.show(passes(session), Some(jobs.len()));
    let mut results = RowResults::new(session, &planned.corpus)?;
    pipeline::run(
        session,
        writer,
        jobs.into_iter(),
        |job| drop(job.draft(asker, root, Attempts::default())),
        |job| {
            let draft = job.draft(asker, root, Attempts::default());
            if draft.as_ref().is_ok_and(Draft::is_complete) {
                asker.steps.finished();
            }
            (job, draft)
        },
        |writer, (job, draft)| results.write(writer, &job, draft?),
    )?;
    results.finish()
}

/// Writes files for READMEs that come in as records, or for those of the run directory. Returns the names of
/// usable tasks.
pub(crate) fn specs(session: &Session<'_>, writer: &mut Writer) -> Result<Vec<String>, Halt> {
    let (asker, root) = (session.asker, &session.settings.environment.root);
    let items = spec_items(session, writer)?;
    let _shown = session.show(passes(session), None);
    let mut usable = Vec::new();
    pipeline::run(
        session,
        writer,
        items,
        |item| {
            if let SpecItem::Spec { spec, prefixes } = item {
                drop(prefixes.write(asker, root, spec));
            }
        },
        |item| match item {
            SpecItem::Raw(line) => SpecResult::Raw(line),
            SpecItem::Halt(halt) => SpecResult::Files(Box::new(Err(Unanswered::Halt(halt)))),
            SpecItem::Spec { spec, prefixes } => {
                let files = prefixes.write(asker, root, &spec);
                if files.is_ok() {
                    asker.steps.finished();
                }
                SpecResult::Files(Box::new(files))
            }
        },
        |writer, result| match result {
            SpecResult::Raw(line) => Ok(writer.raw(&line)?),
            SpecResult::Files(files) => {
                let written = (*files)?;
                usable.extend(written.files.task.clone());
                Ok(written.emit(writer)?)
            }
        },
    )?;
    Ok(usable)
}

/// The passes over each task, in their order.
fn passes(session: &Session<'_>) -> Vec<&'static str> {
    let all = [
        (Pass::Readme, "readme"),
        (Pass::Files, "files"),
        (Pass::Checklist, "checklist"),
        (Pass::Fixtures, "fixtures"),
    ];
    all.into_iter().filter(|(pass, _)| session.settings.does(*pass)).map(|(_, name)| name).collect()
}

/// A row of the plan, with the prefixes of its calls.
struct RowJob {
    row: Plan,
    readme_prefix: Prefix,
    /// The minimum number of an expert's actions.
    floor: u32,
    /// None if the files pass is not selected.
    files_prefixes: Option<FilesPrefixes>,
}

/// The prefixes of the calls for the files of a task.
#[derive(Clone)]
struct FilesPrefixes {
    files: Prefix,
    /// None if the checklist pass is not selected.
    checklist: Option<Prefix>,
    /// None if the fixtures pass is not selected.
    fixtures: Option<Prefix>,
}

/// The files of a task, and why it has no checklist or no fixtures.
struct Written {
    files: Files,
    failures: Vec<Failure>,
}

impl FilesPrefixes {
    fn kept(session: &Session<'_>, corpus: &Corpus, first: usize) -> Result<Self> {
        let prefix = files_prefix(session.asker.templates, corpus)?;
        let files = session.prefixes.prefix("files", first, prefix)?;
        let does = |pass| session.settings.does(pass);
        let checklist =
            does(Pass::Checklist).then(|| checklist::prefix(session, corpus, first)).transpose()?;
        let fixtures = does(Pass::Fixtures).then(|| fixtures::prefix(session, corpus, first)).transpose()?;
        Ok(Self { files, checklist, fixtures })
    }

    /// Asks for the files of the task with this README, and then for its checklist and its fixtures. A task without
    /// them is usable.
    fn write(&self, asker: Asker<'_>, root: &Path, spec: &Spec) -> Result<Written, Unanswered> {
        let mut files = files::write(asker, &self.files, spec)?;
        let mut failures = Vec::new();
        if let Some(prefix) = &self.checklist {
            failures
                .extend(checklist::Author { asker, prefix, root }.add(&mut files)?.map(|failure| *failure));
        }
        if let Some(prefix) = &self.fixtures {
            failures.extend(fixtures::Author { asker, prefix }.add(&mut files)?.map(|failure| *failure));
        }
        Ok(Written { files, failures })
    }
}

impl Written {
    fn emit(self, writer: &mut Writer) -> io::Result<()> {
        writer.record(&Record::Files(self.files))?;
        self.failures.into_iter().try_for_each(|failure| writer.record(&Record::Failure(failure)))
    }
}

/// A README, and the files written from it.
struct Draft {
    spec: Spec,
    /// The calls for the README.
    attempts: Attempts,
    files: Option<Result<Written, Box<Failure>>>,
}

impl Draft {
    /// Whether all of it was written that was to be written.
    fn is_complete(&self) -> bool {
        self.files.as_ref().is_none_or(Result::is_ok)
    }
}

impl RowJob {
    /// Asks for the README and the files. `attempts` holds the READMEs that were rejected before.
    fn draft(&self, asker: Asker<'_>, root: &Path, mut attempts: Attempts) -> Result<Draft, Unanswered> {
        let spec = readme::write(asker, &self.readme_prefix, &self.row, self.floor, &mut attempts)?;
        let files = match &self.files_prefixes {
            None => None,
            Some(prefixes) => match prefixes.write(asker, root, &spec) {
                Ok(files) => Some(Ok(files)),
                Err(Unanswered::Failed(failure)) => Some(Err(failure)),
                Err(halt) => return Err(halt),
            },
        };
        Ok(Draft { spec, attempts, files })
    }

    fn near_duplicate(&self, of: &str, attempts: &Attempts) -> Failure {
        Failure {
            env: self.row.env.clone(),
            task: Some(self.row.task.clone()),
            stage: "amplify".to_owned(),
            index: Some(self.row.index),
            code: "near_duplicate".to_owned(),
            message: format!(
                "its description is nearly the same as that of {of}; change its row in plan.jsonl"
            ),
            attempts: attempts.count,
            annotations: self.row.carried(),
        }
    }
}

/// The rows to work on: as many as are wanted, and those after them whose tasks an earlier run has written. A lower
/// count does not remove tasks.
fn wanted<'a>(session: &Session<'_>, rows: &'a [Plan]) -> Result<Vec<&'a Plan>> {
    let settings = session.settings;
    let (first, rest) = rows.split_at(rows.len().min(settings.count));
    let kind = if settings.does(Pass::Files) { Kind::Files } else { Kind::Spec };
    let path = settings.last_manifest().filter(|_| !rest.is_empty());
    let records =
        path.map(|path| incoming::manifest(&path, kind, session.ui)).transpose()?.unwrap_or_default();
    let written: BTreeSet<&str> = records.iter().filter_map(task_of).collect();
    let kept: Vec<&Plan> = rest.iter().filter(|row| written.contains(row.task.as_str())).collect();
    if !kept.is_empty() {
        session.ui.info(format_args!(
            "--count {}: {} more, of earlier runs, kept; to drop one, delete its row from plan.jsonl",
            settings.count,
            count(kept.len() as u64, "task")
        ));
    }
    Ok(first.iter().chain(kept).collect())
}

/// The task that a README or a set of files is of.
fn task_of(record: &Record) -> Option<&str> {
    match record {
        Record::Files(files) => files.task.as_deref(),
        Record::Spec(spec) => Some(&spec.task),
        _ => None,
    }
}

/// The rows to work on, with their prefixes. Rows that were planned together share them.
fn jobs(session: &Session<'_>, planned: &Planned) -> Result<Vec<RowJob>> {
    let rows = &planned.rows;
    let wanted = wanted(session, rows)?;
    let firsts = session.prefixes.batches()?;
    let ends = firsts.iter().copied().skip(1).chain(iter::once(usize::MAX));
    let mut jobs = Vec::new();
    for (&first, end) in firsts.iter().zip(ends) {
        let batch: Vec<&Plan> =
            wanted.iter().copied().filter(|row| (first..end).contains(&row.index)).collect();
        if batch.is_empty() {
            continue;
        }
        let table: Vec<Plan> = rows.iter().filter(|row| row.index < end).cloned().collect();
        let readme_prefix = readme_prefix(session.asker.templates, &planned.corpus, &table)?;
        let readme_prefix = session.prefixes.prefix("readme", first, readme_prefix)?;
        let mut files = None;
        if session.settings.does(Pass::Files) {
            files = Some(FilesPrefixes::kept(session, &planned.corpus, first)?);
        }
        jobs.extend(batch.into_iter().map(|row| RowJob {
            row: row.clone(),
            readme_prefix: readme_prefix.clone(),
            floor: difficulty::floor(&row.difficulty, session.settings.horizon),
            files_prefixes: files.clone(),
        }));
    }
    Ok(jobs)
}

/// Compares each README with those before it, and writes what is new.
struct RowResults<'a> {
    asker: Asker<'a>,
    /// The folder of the environment.
    root: &'a Path,
    /// The manifest of READMEs, if READMEs are not what is written to the output.
    specs: Option<ManifestFile>,
    /// The descriptions of all tasks so far.
    seen: Seen,
    usable: Vec<String>,
}

impl<'a> RowResults<'a> {
    fn new(session: &Session<'a>, corpus: &Corpus) -> Result<Self> {
        let settings = session.settings;
        let mut seen = Seen::new(settings.duplicate_threshold);
        for task in &corpus.existing {
            seen.add(&task.name, &task.description);
        }
        let mut specs = None;
        if settings.does(Pass::Files) {
            specs = Some(ManifestFile::create(&settings.run_dir.manifest("specs"), settings.coverage())?);
        }
        Ok(Self { asker: session.asker, root: &settings.environment.root, specs, seen, usable: Vec::new() })
    }

    /// Writes a README and its files. One that is nearly the same as an earlier task is asked for again, while
    /// later rows wait.
    fn write(&mut self, writer: &mut Writer, job: &RowJob, mut draft: Draft) -> Result<(), Unanswered> {
        while let Some(of) = self.original(&draft.spec) {
            if draft.attempts.count >= self.asker.max_candidates {
                return Err(Unanswered::Failed(Box::new(job.near_duplicate(&of, &draft.attempts))));
            }
            let problem =
                format!("its description was nearly that of {of}: write a different task, as its row says");
            draft =
                job.draft(self.asker, self.root, Attempts { problems: vec![problem], ..draft.attempts })?;
        }
        self.seen.add(&draft.spec.task, readme::description(&draft.spec.readme));
        self.write_new(writer, draft)
    }

    /// The earlier task whose description is nearly the same.
    fn original(&self, spec: &Spec) -> Option<String> {
        self.seen.nearest(readme::description(&spec.readme)).map(str::to_owned)
    }

    fn write_new(&mut self, writer: &mut Writer, draft: Draft) -> Result<(), Unanswered> {
        let spec = Record::Spec(draft.spec);
        match &mut self.specs {
            Some(specs) => specs.record(&spec)?,
            None => writer.record(&spec)?,
        }
        if let Some(files) = draft.files {
            let written = files.map_err(Unanswered::Failed)?;
            self.usable.extend(written.files.task.clone());
            written.emit(writer)?;
        }
        Ok(())
    }

    /// The names of usable tasks. The manifest of READMEs takes its place in the run directory.
    fn finish(self) -> Result<Vec<String>, Halt> {
        if let Some(specs) = self.specs {
            specs.finish(&TaskNames::default())?;
        }
        Ok(self.usable)
    }
}

/// A line of the files pass's input.
enum SpecItem {
    /// A README to write files from.
    Spec { spec: Box<Spec>, prefixes: FilesPrefixes },
    /// A line that passes through.
    Raw(RawLine),
    /// No further line comes.
    Halt(Halt),
}

enum SpecResult {
    Files(Box<Result<Written, Unanswered>>),
    Raw(RawLine),
}

/// READMEs as they come in, with the prefixes of their calls; without an input, those of the run directory.
fn spec_items(
    session: &Session<'_>,
    writer: &mut Writer,
) -> Result<impl Iterator<Item = SpecItem> + Send + 'static, Halt> {
    let settings = session.settings;
    let mut lines = incoming::as_they_come(session, "specs", Kind::Spec)?;
    let first = first_spec(&mut lines, session, writer)?;
    session.begin(writer)?;
    let corpus = Corpus::of_run(settings, session.ui)?;
    let mut prefixes = Vec::new();
    for first in session.prefixes.batches()? {
        prefixes.push((first, FilesPrefixes::kept(session, &corpus, first)?));
    }
    let env = settings.environment.name.clone();
    let ui = session.ui.clone();
    Ok(iter::once(Ok(first)).chain(lines).filter_map(move |line| match line {
        Err(halt) => Some(SpecItem::Halt(halt)),
        Ok(Line::Other(line)) => Some(SpecItem::Raw(line)),
        Ok(Line::Record(Record::Spec(spec))) => spec_item(Spec { env: env.clone(), ..spec }, &prefixes, &ui),
        Ok(Line::Record(_)) => None,
    }))
}

/// Waits for the first README. Lines before it are passed on. It is an error if none comes.
fn first_spec(
    lines: &mut impl Iterator<Item = Result<Line, Halt>>,
    session: &Session<'_>,
    writer: &mut Writer,
) -> Result<Line, Halt> {
    for line in lines {
        match line? {
            Line::Record(spec @ Record::Spec(_)) => return Ok(Line::Record(spec)),
            Line::Other(line) => writer.raw(&line)?,
            Line::Record(_) => {}
        }
    }
    incoming::ensure_any(session, &[], "spec")?;
    let dir = session.settings.run_dir.root().display();
    Err(anyhow!("there are no READMEs in {dir}: add --pass readme").into())
}

/// A README with the prefixes of its batch: the last of the `prefixes` that starts at or before its row.
fn spec_item(spec: Spec, prefixes: &[(usize, FilesPrefixes)], ui: &Ui) -> Option<SpecItem> {
    if TaskName::new(&spec.task).is_none() {
        ui.error(format_args!("{:?} is not a valid task name; skipped", spec.task));
        return None;
    }
    let (_, prefixes) = prefixes.iter().rev().find(|(first, _)| *first <= spec.index.max(1))?;
    Some(SpecItem::Spec { prefixes: prefixes.clone(), spec: Box::new(spec) })
}
