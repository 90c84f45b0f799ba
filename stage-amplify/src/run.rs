//! The passes, one after the other.

use std::iter;

use anyhow::{Context as _, Result, ensure};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::journal::Journal;
use common::manifest::{Line, ManifestFile, RawLine, write_record};
use common::model::pool::Pool;
use common::model::{self, AskError, Client, Shared, Table};
use common::publish::write_file_atomic;
use common::record::{Failure, Kind, Plan, Record, Spec};
use common::stage::Output;
use common::ui::Ui;
use fs_err as fs;

use crate::args::{Pass, Settings};
use crate::desk::Desk;
use crate::duplicates::Seen;
use crate::incoming::{self, Incoming};
use crate::maker::{Job, Made, Maker, Missing};
use crate::planner::Planner;
use crate::prompts::{Kept, Templates};
use crate::report;
use crate::rows::{self, Gate};
use crate::scene::Scene;
use crate::snapshot;
use crate::work;

/// Does what was asked for.
pub(crate) fn run(settings: &Settings, ui: &Ui) -> Result<ExitStatus> {
    let templates = Templates::load(settings.prompts.as_deref())?;
    let _lock = settings.run_dir.lock("amplify")?;
    if settings.dry_run {
        return report::dry_run(settings, &templates, ui);
    }
    if settings.estimate {
        return report::estimate(settings, &templates, ui);
    }
    settings.run_dir.note("amplify", &settings.summary())?;
    let pool =
        Pool::new(settings.calls.workers).context("cannot start the threads that wait for the model")?;
    let client = client(settings, ui)?;
    let mut run = Run {
        settings,
        ui,
        kept: Kept::new(settings.run_dir.root().join("prompts"), settings.fresh, ui),
        output: settings.stage.output(settings.last_manifest().as_deref())?,
        templates: &templates,
        client: &client,
        pool: &pool,
        usable: 0,
        failures: 0,
    };
    let status = match run.passes() {
        Ok(()) => ExitStatus::failed_if(run.failures > 0),
        Err(error) => status_of(error, ui)?,
    };
    report::totals(&client, run.usable, ui);
    // A stage that stopped at a limit has come to an end; one that was interrupted has not.
    if status != ExitStatus::Interrupted {
        run.output.finish()?;
    }
    Ok(status)
}

/// The exit status of a run that was stopped before its end.
fn status_of(error: anyhow::Error, ui: &Ui) -> Result<ExitStatus> {
    let status = match error.downcast_ref::<AskError>() {
        Some(AskError::Limit(_)) => ExitStatus::Limit,
        Some(AskError::Interrupted) => ExitStatus::Interrupted,
        _ => return Err(error),
    };
    ui.warn(format_args!("{error:#}; the same command goes on where this run ended"));
    Ok(status)
}

fn client(settings: &Settings, ui: &Ui) -> Result<Client> {
    let journal = Journal::open(&settings.run_dir.journal()).context("cannot open the journal")?;
    for damage in journal.damage() {
        ui.warn(damage);
    }
    let interrupt = Interrupt::on_signals().context("cannot listen for signals")?;
    interrupt.listen({
        let ui = ui.clone();
        move |urgency| match urgency {
            Urgency::Drain => ui.warn("interrupted; waiting for the calls that are out, again to drop them"),
            Urgency::Stop => ui.warn("dropping the calls that are out"),
        }
    });
    let table = settings.prices.as_deref().map_or_else(Table::built_in, Table::with)?;
    let model = model::from_name(&settings.model, &table, &settings.calls, &|name| std::env::var(name).ok())?;
    Ok(Client::new(model, journal, settings.calls.clone(), &interrupt))
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) ui: &'a Ui,
    pub(crate) templates: &'a Templates,
    pub(crate) kept: Kept,
    client: &'a Client,
    pool: &'a Pool,
    pub(crate) output: Output,
    /// How many tasks went out with files.
    usable: u64,
    /// How many failures were written.
    failures: usize,
}

/// What the calls for some rows begin with.
struct Prompts {
    readme: Shared,
    files: Option<Shared>,
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
    fn passes(&mut self) -> Result<()> {
        let settings = self.settings;
        if settings.does(Pass::Fixtures) {
            return self.write_fixtures();
        }
        if settings.does(Pass::Repair) {
            return self.repair();
        }
        let usable = if settings.does(Pass::Plan) || settings.does(Pass::Readme) {
            let Some(usable) = self.work_from_plan()? else { return Ok(()) };
            usable
        } else if settings.does(Pass::Files) {
            self.work_from_specs()?
        } else {
            let incoming = Incoming::read(settings, self.ui, &mut self.output)?;
            ensure!(
                !incoming.files.is_empty(),
                "there are no files records in {}",
                settings.run_dir.root().display()
            );
            incoming.files.into_iter().filter_map(|files| files.task).collect()
        };
        if settings.does(Pass::Snapshot) {
            let new = snapshot::merge(&settings.environment, &usable)?;
            self.ui.info(format_args!(
                "{new} new names in {}",
                settings.workspace.relative(&settings.environment.seed_list())
            ));
        }
        Ok(())
    }

    /// The passes from the plan on. Returns the names of usable tasks; nothing where tasks were only planned.
    fn work_from_plan(&mut self) -> Result<Option<Vec<String>>> {
        let settings = self.settings;
        let incoming = Incoming::read(settings, self.ui, &mut self.output)?;
        let mut given = incoming.rows;
        if settings.fresh && settings.does(Pass::Plan) {
            self.kept.forget()?;
            given.clear();
        }
        let (mut rows, bad) = incoming::checked(given, &settings.environment.name);
        let scene = Scene::set(settings, &incoming.seeds, &rows, self.ui)?;
        for failure in bad {
            self.fail(failure)?;
        }
        if settings.does(Pass::Plan) {
            self.plan(&mut rows, &scene)?;
        }
        ensure!(
            !rows.is_empty(),
            "there is no plan in {}: add --pass plan",
            settings.run_dir.root().display()
        );
        if !settings.does(Pass::Readme) {
            for row in rows {
                self.output.record(&Record::Plan(row))?;
            }
            return Ok(None);
        }
        let jobs = self.jobs(&rows, &scene)?;
        let mut seen = Seen::new(settings.duplicate_threshold);
        for task in &scene.existing {
            seen.add(&task.name, &task.description);
        }
        let total = jobs.len();
        self.make(jobs.into_iter().map(Item::job), Some(total), Some(seen)).map(Some)
    }

    /// Adds rows to the plan until there are as many as tasks are wanted.
    fn plan(&mut self, rows: &mut Vec<Plan>, scene: &Scene) -> Result<()> {
        let missing = self.settings.count.saturating_sub(rows.len());
        let stood = rows.len();
        if missing > 0 {
            rows.extend(self.plan_more(rows, missing, scene)?);
            self.ui.info(format_args!(
                "planned {} tasks: {}",
                rows.len() - stood,
                rows::spread(&rows[stood..])
            ));
        }
        self.keep_plan(rows, stood)?;
        if rows.len() < self.settings.count {
            self.ui.error(format_args!(
                "the plan has {} of {} rows; the same command asks for the others again, or add them to plan.jsonl",
                rows.len(),
                self.settings.count
            ));
        }
        for number in rows.len()..self.settings.count {
            self.failures += 1;
            self.write(&Record::Failure(Failure {
                env: self.settings.environment.name.clone(),
                stage: "amplify".to_owned(),
                index: Some(number + 1),
                code: "plan_short".to_owned(),
                message:
                    "no row of the plan: the model named no further task that may stand beside the others"
                        .to_owned(),
                ..Failure::default()
            }))?;
        }
        Ok(())
    }

    /// Writes plan.jsonl, of which `stood` rows were there before. What somebody has written into it stays as
    /// it is, unless it came in from elsewhere.
    fn keep_plan(&self, rows: &[Plan], stood: usize) -> Result<()> {
        let path = self.settings.run_dir.manifest("plan");
        let there = incoming::plan_rows(self.settings, self.ui)?.len();
        let mut text = Vec::new();
        let kept = if !self.settings.fresh && there == stood && path.exists() { stood } else { 0 };
        if kept > 0 {
            text = fs::read(&path)?;
            if text.last().is_some_and(|&byte| byte != b'\n') {
                text.push(b'\n');
            }
        }
        for row in &rows[kept..] {
            write_record(&mut text, &Record::Plan(row.clone()))?;
        }
        Ok(write_file_atomic(&path, &text)?)
    }

    fn plan_more(&self, rows: &[Plan], missing: usize, scene: &Scene) -> Result<Vec<Plan>> {
        let first = rows.last().map_or(0, |row| row.index) + 1;
        let have: Vec<&str> = rows.iter().map(|row| row.category.as_str()).collect();
        let quotas = scene.profile.as_ref().map(|profile| profile.quotas(missing, &scene.existing, &have));
        let mut gate =
            Gate::new(&self.settings.difficulties, scene.profile.as_ref(), quotas.unwrap_or_default());
        for task in &scene.existing {
            gate.take(&task.name);
        }
        for row in rows {
            gate.stand(row);
        }
        let planner = Planner {
            client: self.client,
            templates: self.templates,
            ui: self.ui,
            shared: self.kept.prompt("plan", first, scene.plan_prompt(self.templates, rows)?)?,
            first,
            env: &self.settings.environment.name,
        };
        planner.plan(missing, &mut gate)
    }

    /// What is to be done for each row, as far as tasks are wanted. Rows that were planned together have
    /// their prompts in common.
    fn jobs(&self, rows: &[Plan], scene: &Scene) -> Result<Vec<Job>> {
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
            let prompts = self.prompts(first, &table, scene)?;
            jobs.extend(batch.map(|row| Job {
                readme_prompt: Some(prompts.readme.clone()),
                files_prompt: prompts.files.clone(),
                ..Job::of(row.clone())
            }));
        }
        Ok(jobs)
    }

    fn prompts(&self, first: usize, rows: &[Plan], scene: &Scene) -> Result<Prompts> {
        let readme = self.kept.prompt("readme", first, scene.readme_prompt(self.templates, rows)?)?;
        let mut files = None;
        if self.settings.does(Pass::Files) {
            files = Some(self.kept.prompt("files", first, scene.prompt(self.templates, "files")?)?);
        }
        Ok(Prompts { readme, files })
    }

    /// The files pass alone: READMEs come in, or stand in the run directory.
    fn work_from_specs(&mut self) -> Result<Vec<String>> {
        let (settings, ui) = (self.settings, self.ui);
        let seeds = incoming::seed_names(settings, ui)?;
        let rows = incoming::plan_rows(settings, ui)?;
        let scene = Scene::set(settings, &seeds, &rows, ui)?;
        let batches = self.kept.batches()?;
        let mut prompts = Vec::new();
        for first in batches {
            prompts.push((first, self.kept.prompt("files", first, scene.prompt(self.templates, "files")?)?));
        }
        let items = self.spec_items(prompts)?;
        self.make(items, None, None)
    }

    /// The READMEs that come in, as they come; where none came, those of the run directory.
    fn spec_items(
        &self,
        prompts: Vec<(usize, Shared)>,
    ) -> Result<impl Iterator<Item = Item> + Send + 'static> {
        let manifest = self.settings.run_dir.manifest("specs");
        let input = self.settings.stage.input(self.ui, Some(&manifest), &[Kind::Seed, Kind::Spec])?;
        let ui = self.ui.clone();
        let env = self.settings.environment.name.clone();
        let mut came = false;
        let mut input = Some(input);
        let mut stored = Vec::new().into_iter();
        let lines = iter::from_fn(move || {
            if let Some(lines) = &mut input {
                match lines.next() {
                    Some(Ok(line)) => {
                        came |= matches!(line, Line::Record(Record::Spec(_)));
                        return Some(line);
                    }
                    Some(Err(error)) => ui.error(format_args!("cannot read the input: {error}")),
                    None => {}
                }
                input = None;
                if !came {
                    match incoming::manifest(&manifest, Kind::Spec, &ui) {
                        Ok(records) => stored = records.into_iter(),
                        Err(error) => ui.error(format_args!("{error:#}")),
                    }
                }
            }
            stored.next().map(Line::Record)
        });
        Ok(lines.filter_map(move |line| match line {
            Line::Other(raw) => Some(Item::Raw(raw)),
            Line::Record(Record::Spec(spec)) => {
                let prompt = prompts.iter().rev().find(|(first, _)| *first <= spec.index.max(1));
                let files_prompt = prompt.map(|(_, prompt)| prompt.clone());
                Some(Item::job(Job { files_prompt, ..Job::of_spec(Spec { env: env.clone(), ..spec }) }))
            }
            Line::Record(_) => None,
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
        let mut desk = Desk::new(self, specs, seen);
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
                Outcome::Raw(raw) => desk.pass_through(&raw).map(|()| None)?,
                Outcome::Made(made) => desk.take(*made)?,
            };
            Ok(again.map(Item::job))
        })?;
        desk.close()
    }

    /// Does `work` on each of the `items`, and writes the records that come of it in the items' order.
    pub(crate) fn each<J: Send + 'static>(
        &mut self,
        items: impl Iterator<Item = J> + Send + 'static,
        total: Option<usize>,
        work: impl Fn(&Maker<'_>, &J) -> Result<Vec<Record>, Missing> + Sync,
    ) -> Result<()> {
        let client = self.client;
        let maker = Maker { client, templates: self.templates, max_candidates: self.settings.max_candidates };
        let progress = self.ui.progress("tasks", total.map(|total| total as u64));
        let mut ended = None;
        work::in_order(
            self.pool,
            items,
            |item| {
                let records = work(&maker, item);
                progress.message(report::spent(client));
                progress.inc(1);
                records
            },
            |records| {
                match records {
                    Ok(records) => records.into_iter().try_for_each(|record| self.put(record))?,
                    Err(Missing::Failed(failure)) => self.fail(*failure)?,
                    Err(Missing::Ended(error)) => drop(ended.get_or_insert(error)),
                    Err(Missing::Broken(error)) => return Err(error),
                }
                Ok(None)
            },
        )?;
        ended.map_or(Ok(()), |error| Err(error.into()))
    }

    fn put(&mut self, record: Record) -> Result<()> {
        match record {
            Record::Failure(failure) => self.fail(failure),
            record => self.write(&record),
        }
    }

    /// Writes a record.
    pub(crate) fn write(&mut self, record: &Record) -> Result<()> {
        self.usable += u64::from(matches!(record, Record::Files(_)));
        Ok(self.output.record(record)?)
    }

    /// Writes a failure, and tells of it.
    pub(crate) fn fail(&mut self, failure: Failure) -> Result<()> {
        self.failures += 1;
        let what = failure.task.as_deref().unwrap_or("plan");
        self.ui.error(format_args!("{what}: {}", failure.message));
        self.output.record(&Record::Failure(failure))?;
        Ok(())
    }
}
