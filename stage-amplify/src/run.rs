//! The passes, one after the other.

use anyhow::{Context as _, Result, anyhow, ensure};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::record::{Failure, Record};
use common::stage::Output;
use common::text::with_hint;
use common::ui::Ui;
use model_client::Journal;
use model_client::pool::Pool;
use model_client::{AskError, Client, ModelTable};
use task_spec::seeds;

use crate::incoming;
use crate::maker::{Maker, Missing};
use crate::prompt_data::PromptData;
use crate::prompts::{Kept, Templates};
use crate::report;
use crate::settings::{Pass, Settings};
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
    };
    let done = run.passes();
    report::totals(&client, run.usable, ui);
    let status = match done {
        Ok(()) => ExitStatus::failed_if(ui.errors() > 0),
        Err(error) => status_of(error, ui)?,
    };
    // A stage that stopped at a limit has come to an end; one that was interrupted has not.
    if status != ExitStatus::Interrupted {
        run.output.finish()?;
    }
    Ok(status)
}

/// The exit status of a run that was stopped before its end.
fn status_of(error: anyhow::Error, ui: &Ui) -> Result<ExitStatus> {
    let Some(ask) = error.downcast_ref::<AskError>() else { return Err(error) };
    let hint = ask.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    let Some(status) = ask.exit_status() else { return Err(anyhow!("{error:#}{hint}")) };
    ui.warn(format_args!("{error:#}{hint}; run the same command again to resume"));
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
            Urgency::Drain => {
                ui.warn("interrupted; waiting for in-flight calls; press Ctrl-C again to abort");
            }
            Urgency::Stop => ui.warn("aborting in-flight calls"),
        }
    });
    let table = settings.prices.as_deref().map_or_else(ModelTable::built_in, ModelTable::with)?;
    let model =
        model_client::from_name(&settings.model, &table, &settings.calls, &|name| std::env::var(name).ok())
            .map_err(|error| match error.hint() {
            Some(hint) => anyhow!("{error}; {hint}"),
            None => error.into(),
        })?;
    Ok(Client::new(model, journal, settings.calls.clone(), &interrupt))
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) ui: &'a Ui,
    pub(crate) templates: &'a Templates,
    pub(crate) kept: Kept,
    pub(crate) client: &'a Client,
    pub(crate) pool: &'a Pool,
    pub(crate) output: Output,
    /// How many tasks went out with files.
    usable: u64,
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
            self.work_from_plan()?
        } else if settings.does(Pass::Files) {
            self.work_from_specs()?
        } else {
            incoming::usable(settings, self.ui, &mut self.output)?
        };
        if settings.does(Pass::Snapshot) {
            let new = seeds::add(&settings.environment, &usable)
                .map_err(|error| anyhow!(with_hint(&error, error.hint())))
                .context("the names of the new tasks were not added to the seeds")?;
            let list = settings.workspace.relative(&seeds::list_path(&settings.environment));
            self.ui.info(format_args!("{new} new names in {list}"));
        }
        Ok(())
    }

    /// The passes from the plan on. Returns the names of usable tasks.
    fn work_from_plan(&mut self) -> Result<Vec<String>> {
        let (settings, ui) = (self.settings, self.ui);
        let mut start = incoming::start(settings, ui, &mut self.output)?;
        if settings.fresh && settings.does(Pass::Plan) {
            self.kept.forget()?;
            start.rows.clear();
        }
        let (mut rows, bad) = incoming::checked(start.rows, &settings.environment.name);
        // Of a plan that was in the run directory, what stands there stays.
        let on_file = if start.rows_came { 0 } else { rows.len() };
        let data = PromptData::gather(settings, &start.seeds, &rows, ui)?;
        for failure in bad {
            self.fail(failure)?;
        }
        if settings.does(Pass::Plan) {
            self.plan(&mut rows, on_file, &data)?;
        }
        ensure!(
            !rows.is_empty(),
            "there is no plan in {}: add --pass plan",
            settings.run_dir.root().display()
        );
        if settings.does(Pass::Readme) {
            return self.make_from_rows(&rows, &data);
        }
        for row in rows {
            self.write(&Record::Plan(row))?;
        }
        Ok(Vec::new())
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
        let what = failure.task.as_deref().unwrap_or("plan");
        self.ui.error(format_args!("{what}: {}", failure.message));
        self.output.record(&Record::Failure(failure))?;
        Ok(())
    }
}
