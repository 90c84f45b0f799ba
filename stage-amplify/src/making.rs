//! The README and the files pass: jobs go out, and what comes of them comes in.

use anyhow::{Result, ensure};
use common::environment::TaskName;
use common::jsonl::{Line, ManifestFile, RawLine};
use common::record::{Kind, Plan, Record, Spec};
use model_client::Prefix;

use crate::duplicates::Seen;
use crate::incoming;
use crate::maker::{Job, Made, Maker};
use crate::prompt_data::PromptData;
use crate::report;
use crate::run::Run;
use crate::settings::Pass;
use crate::sink::Sink;
use crate::work;

/// What the calls for some rows begin with.
struct Prompts {
    readme: Prefix,
    files: Option<Prefix>,
}

/// What the workers are given, in the order in which it goes out.
enum Item {
    Job(Box<Job>),
    /// A line that passes through.
    Raw(RawLine),
}

impl Item {
    fn job(job: Job) -> Self {
        Self::Job(Box::new(job))
    }
}

enum Outcome {
    Made(Box<Made>),
    Raw(RawLine),
}

impl Run<'_> {
    /// READMEs for the rows of a plan, as far as tasks are wanted, and files if they are asked for. Returns
    /// the names of usable tasks.
    pub(crate) fn make_from_rows(&mut self, rows: &[Plan], data: &PromptData) -> Result<Vec<String>> {
        let jobs = self.jobs(rows, data)?;
        let mut seen = Seen::new(self.settings.duplicate_threshold);
        for task in &data.existing {
            seen.add(&task.name, &task.description);
        }
        let total = jobs.len();
        self.make(jobs.into_iter().map(Item::job), Some(total), Some(seen))
    }

    /// What is to be done for each row, as far as tasks are wanted. Rows that were planned together have
    /// their prompts in common.
    fn jobs(&self, rows: &[Plan], data: &PromptData) -> Result<Vec<Job>> {
        let wanted = &rows[..rows.len().min(self.settings.count)];
        let batches = self.kept.batches()?;
        let ends = batches.iter().copied().skip(1).chain([usize::MAX]);
        let mut jobs = Vec::new();
        for (&first, end) in batches.iter().zip(ends) {
            let batch = wanted.iter().filter(|row| (first..end).contains(&row.index));
            let mut batch = batch.peekable();
            if batch.peek().is_none() {
                continue;
            }
            let table: Vec<Plan> = rows.iter().filter(|row| row.index < end).cloned().collect();
            let prompts = self.prompts(first, &table, data)?;
            jobs.extend(batch.map(|row| Job {
                readme_prompt: Some(prompts.readme.clone()),
                files_prompt: prompts.files.clone(),
                ..Job::of(row.clone())
            }));
        }
        Ok(jobs)
    }

    fn prompts(&self, first: usize, rows: &[Plan], data: &PromptData) -> Result<Prompts> {
        let readme = self.kept.prompt("readme", first, data.readme_prompt(self.templates, rows)?)?;
        let mut files = None;
        if self.settings.does(Pass::Files) {
            files = Some(self.kept.prompt("files", first, data.prompt(self.templates, "files")?)?);
        }
        Ok(Prompts { readme, files })
    }

    /// The files pass alone: READMEs come in, or stand in the run directory.
    pub(crate) fn work_from_specs(&mut self) -> Result<Vec<String>> {
        let (settings, ui) = (self.settings, self.ui);
        let seeds = incoming::seed_names(settings, ui)?;
        let rows = incoming::plan_rows(settings, ui)?;
        let data = PromptData::gather(settings, &seeds, &rows, ui)?;
        let batches = self.kept.batches()?;
        let mut prompts = Vec::new();
        for first in batches {
            prompts.push((first, self.kept.prompt("files", first, data.prompt(self.templates, "files")?)?));
        }
        let items = self.spec_items(prompts)?;
        let usable = self.make(items, None, None)?;
        ensure!(
            !usable.is_empty() || ui.errors() > 0,
            "there are no READMEs in {}: add --pass readme",
            settings.run_dir.root().display()
        );
        Ok(usable)
    }

    /// A job for each README that comes in, as it comes; where none came, for those of the run directory.
    fn spec_items(
        &self,
        prompts: Vec<(usize, Prefix)>,
    ) -> Result<impl Iterator<Item = Item> + Send + 'static> {
        let ui = self.ui.clone();
        let env = self.settings.environment.name.clone();
        let lines = incoming::as_they_come(self.settings, self.ui, "specs", Kind::Spec)?;
        Ok(lines.filter_map(move |line| {
            let spec = match line {
                Line::Other(raw) => return Some(Item::Raw(raw)),
                Line::Record(Record::Spec(spec)) => spec,
                Line::Record(_) => return None,
            };
            if TaskName::new(&spec.task).is_none() {
                ui.error(format_args!("{:?} is no name of a task: left out", spec.task));
                return None;
            }
            let prompt = prompts.iter().rev().find(|(first, _)| *first <= spec.index.max(1));
            let files_prompt = prompt.map(|(_, prompt)| prompt.clone());
            Some(Item::job(Job { files_prompt, ..Job::of_spec(Spec { env: env.clone(), ..spec }) }))
        }))
    }

    /// Does the jobs, and writes what comes of them in their order. Returns the names of usable tasks.
    fn make(
        &mut self,
        items: impl Iterator<Item = Item> + Send + 'static,
        total: Option<usize>,
        seen: Option<Seen>,
    ) -> Result<Vec<String>> {
        let (settings, client, pool) = (self.settings, self.client, self.pool);
        let maker = Maker { client, templates: self.templates, max_candidates: settings.max_candidates };
        let both = settings.does(Pass::Readme) && settings.does(Pass::Files);
        let specs = both.then(|| ManifestFile::create(&settings.run_dir.manifest("specs"))).transpose()?;
        let progress = self.ui.progress("tasks", total.map(|total| total as u64));
        let mut sink = Sink::new(self, specs, seen);
        let work = |item: &Item| match item {
            Item::Raw(raw) => Outcome::Raw(raw.clone()),
            Item::Job(job) => {
                let made = maker.make(job);
                progress.message(report::spent(client));
                progress.inc(u64::from(job.earlier.attempts == 0));
                Outcome::Made(Box::new(made))
            }
        };
        work::in_order(pool, items, work, |outcome| {
            let again = match outcome {
                Outcome::Raw(raw) => sink.pass_through(&raw).map(|()| None)?,
                Outcome::Made(made) => sink.take(*made)?,
            };
            Ok(again.map(Item::job))
        })?;
        sink.close()
    }
}
