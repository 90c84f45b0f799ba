//! Opens what the passes need, runs the selected ones, and sets the exit status.

use anyhow::{Context as _, Result, anyhow, ensure};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::record::Record;
use common::run_dir::Cost;
use common::text::{count, with_hint};
use common::ui::Ui;
use model_client::{Batches, Client, Journal, ModelTable, Totals};

use crate::ask::{Asker, Halt};
use crate::passes::{agreement, checklist, expand, fixtures, plan, repair, snapshot, solution};
use crate::progress::Steps;
use crate::prompts::{KeptPrefixes, Templates};
use crate::session::Session;
use crate::settings::{Action, OverTasks, Pass, Settings};
use crate::writer::Writer;
use crate::{dry_run, estimate, incoming};

/// Runs the stage.
pub(crate) fn run(settings: &Settings, ui: &Ui) -> Result<ExitStatus> {
    let templates = Templates::load(settings.prompts.as_deref())?;
    if settings.action == Action::Estimate {
        // Nothing is written: no other process is in the way.
        estimate::run(settings, &templates, ui)?;
        return Ok(ExitStatus::Done);
    }
    let _lock = settings.run_dir.lock("amplify")?;
    if settings.action == Action::DryRun {
        dry_run::run(settings, &templates, ui)?;
        return Ok(ExitStatus::Done);
    }
    let interrupt = interrupt(ui)?;
    let client = client(settings, &interrupt, ui)?;
    if settings.action == Action::CancelBatches {
        return cancel_batches(settings, &client, ui);
    }
    let steps = Steps::default();
    if settings.fresh && client.has_answers() {
        estimate::announce_fresh(settings, &templates, ui)?;
    }
    let session = Session {
        settings,
        ui,
        interrupt: &interrupt,
        asker: Asker {
            client: &client,
            templates: &templates,
            steps: &steps,
            max_candidates: settings.max_candidates,
        },
        prefixes: KeptPrefixes::new(settings.run_dir.root().join("prompts"), settings.fresh, ui),
    };
    let mut writer =
        Writer::new(settings.stage.waiting_output(settings.last_manifest().is_some())?, ui, &interrupt);
    let result = run_passes(&session, &mut writer);
    let is_error = match &result {
        Err(Halt::Client(error)) => error.exit_status().is_none(),
        Err(Halt::Other(_)) => true,
        Ok(()) => false,
    };
    if let Err(error) = client.finish() {
        ui.warn(format_args!("the ledger does not know what the last calls cost: {error}"));
    }
    report_totals(settings, &client, writer.usable(), is_error, ui)?;
    report_open_batches(settings, ui)?;
    let status = match result {
        Ok(()) => ExitStatus::failed_if(ui.errors() > 0),
        Err(halt) => status_of(halt, &missing(settings, &client, writer.usable()), ui)?,
    };
    // A stage that stopped at a limit has a result; one that was interrupted has none.
    if status != ExitStatus::Interrupted {
        writer.finish()?;
    }
    Ok(status)
}

/// Listens for signals, and tells the user what each of them does.
fn interrupt(ui: &Ui) -> Result<Interrupt> {
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
    Ok(interrupt)
}

fn client(settings: &Settings, interrupt: &Interrupt, ui: &Ui) -> Result<Client> {
    let journal = Journal::open(&settings.run_dir.journal()).context("cannot open the journal")?;
    for damage in journal.damage() {
        ui.warn(damage);
    }
    let table = settings.prices.as_deref().map_or_else(ModelTable::built_in, ModelTable::with)?;
    let model =
        model_client::from_name(&settings.model, &table, &settings.calls, &|name| std::env::var(name).ok())
            .map_err(|error| anyhow!(with_hint(&error, error.hint())))?;
    let batches = batches(settings, model.name(), &table)?;
    let client = Client::new(model, journal, settings.calls.clone(), interrupt).on_retry({
        let ui = ui.clone();
        move |retry| ui.debug(retry)
    });
    let ui = ui.clone();
    Ok(match batches {
        Some(batches) => client.with_batches(batches, move |news| ui.info(news)),
        None => client,
    })
}

/// The batches of the run directory, if they are wanted. Without them, what an open batch answers must not be asked
/// for again.
fn batches(settings: &Settings, model: &str, table: &ModelTable) -> Result<Option<Batches>> {
    let dir = settings.run_dir.root();
    let Some(batch) = settings.batches() else {
        let unfetched = Batches::unfetched(dir).context("cannot read the log of batches")?;
        let what = count(unfetched as u64, "request");
        let is_ours = settings.batch.is_none() && unfetched > 0;
        ensure!(!is_ours, "{what} of an earlier command wait in a batch; add --batch to fetch the answers");
        return Ok(None);
    };
    let env = |name: &str| std::env::var(name).ok();
    let service = model_client::batches_of(&settings.model, table, &settings.calls, &env)
        .map_err(|error| anyhow!(with_hint(&error, error.hint())))?;
    Batches::open(dir, model, service, batch)
        .map(Some)
        .context("cannot open the batches of the run directory")
}

/// Cancels the batches in progress. What they have answered until then is paid for, and kept.
fn cancel_batches(settings: &Settings, client: &Client, ui: &Ui) -> Result<ExitStatus> {
    let unfetched = Batches::unfetched(settings.run_dir.root()).context("cannot read the log of batches")?;
    ui.info(format_args!("cancelling {} in batches", count(unfetched as u64, "request")));
    let result = client.cancel_batches();
    report_totals(settings, client, 0, false, ui)?;
    report_open_batches(settings, ui)?;
    match result {
        Ok(()) => Ok(ExitStatus::Done),
        Err(error) => status_of(Halt::Client(error), "", ui),
    }
}

/// Tells what goes on after the end of the command.
fn report_open_batches(settings: &Settings, ui: &Ui) -> Result<()> {
    let unfetched = Batches::unfetched(settings.run_dir.root()).context("cannot read the log of batches")?;
    if unfetched > 0 {
        let what = count(unfetched as u64, "request");
        ui.warn(format_args!(
            "{what} in batches go on at the provider; the same command fetches the answers"
        ));
    }
    Ok(())
}

fn run_passes(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let settings = session.settings;
    match settings.over_tasks() {
        Some(OverTasks::Checklist) => return checklist::run(session, writer),
        Some(OverTasks::Fixtures) => return fixtures::run(session, writer),
        Some(OverTasks::Solution) => return solution::run(session, writer),
        Some(OverTasks::Agreement) => return agreement::run(session, writer),
        Some(OverTasks::Repair) => return repair::run(session, writer),
        None => {}
    }
    let usable = usable_tasks(session, writer)?;
    if settings.does(Pass::Snapshot) {
        snapshot::run(session, &usable)?;
    }
    Ok(())
}

/// Runs the plan, README and files passes, as far as they are selected. Returns the names of usable tasks; if
/// none of these passes is selected, those of earlier runs.
fn usable_tasks(session: &Session<'_>, writer: &mut Writer) -> Result<Vec<String>, Halt> {
    let settings = session.settings;
    if settings.does(Pass::Plan) || settings.does(Pass::Readme) {
        let planned = plan::run(session, writer)?;
        if settings.does(Pass::Readme) {
            return expand::rows(session, writer, &planned);
        }
        for row in planned.rows {
            writer.record(&Record::Plan(row))?;
        }
        return Ok(Vec::new());
    }
    if settings.does(Pass::Files) {
        return expand::specs(session, writer);
    }
    let usable = incoming::usable(session, writer)?;
    session.begin(writer)?;
    Ok(usable)
}

/// How many of the wanted tasks a run that stopped early has not finished; empty if it does not generate tasks, or has
/// not begun.
fn missing(settings: &Settings, client: &Client, usable: u64) -> String {
    let (totals, wanted) = (client.totals(), settings.count as u64);
    let generates = settings.does(Pass::Files) && settings.does(Pass::Readme);
    if !generates || totals.answers + totals.journalled == 0 || usable >= wanted {
        return String::new();
    }
    format!("; {} of {} missing", wanted - usable, count(wanted, "task"))
}

/// The exit status of a run that stopped early; an error if it cannot go on.
fn status_of(halt: Halt, missing: &str, ui: &Ui) -> Result<ExitStatus> {
    let error = match halt {
        Halt::Client(error) => error,
        Halt::Other(error) => return Err(error),
    };
    let message = with_hint(format_args!("{error}{missing}"), error.hint());
    let Some(status) = error.exit_status() else { return Err(anyhow!(message)) };
    ui.warn(format_args!("{message}; run the same command again to resume"));
    Ok(status)
}

/// Reports what the run consumed, in all and per usable task, and records in `run.json` what the run directory cost.
/// Nothing is reported if an error came before all calls.
fn report_totals(settings: &Settings, client: &Client, usable: u64, is_error: bool, ui: &Ui) -> Result<()> {
    let totals = client.totals();
    if is_error && totals.answers + totals.journalled + totals.lost == 0 {
        return Ok(());
    }
    let usage = totals.usage;
    if totals.of_another_model > 0 {
        ui.info(format_args!(
            "{} answers of another model are kept; --fresh requests them of {}",
            totals.of_another_model, settings.model
        ));
    }
    ui.info(format_args!(
        "{} answers from the model, {} from the journal; {} input tokens ({} % from a cache), {} output tokens; \
         {}{}{}",
        totals.answers,
        totals.journalled,
        usage.input(),
        (usage.cache_read * 100).checked_div(usage.input()).unwrap_or(0),
        usage.output(),
        totals.cost(),
        with_earlier(&totals),
        per_task(totals.spent, usable),
    ));
    if totals.lost > 0 {
        ui.info(format_args!(
            "{} calls were cut off; they may cost up to ${:.2} more",
            totals.lost, totals.lost_at_most
        ));
    }
    let lost_before = settings.calls.lost_before;
    let cost = Cost {
        dollars: micro(totals.before - lost_before + totals.spent),
        lost_at_most: micro(lost_before + totals.lost_at_most),
    };
    if cost != settings.run_dir.cost() {
        settings.run_dir.note_cost(&settings.environment.name, &cost)?;
    }
    Ok(())
}

/// An amount in US dollars without the digits that are rounding errors.
fn micro(dollars: f64) -> f64 {
    (dollars * 1e6).round() / 1e6
}

/// What the run directory cost, if that is more than this run.
fn with_earlier(totals: &Totals) -> String {
    if totals.before > 0.0 {
        format!(" (${:.2} with earlier runs)", totals.committed())
    } else {
        String::new()
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^52 tasks")]
fn per_task(spent: f64, usable: u64) -> String {
    if usable == 0 || spent <= 0.0 {
        String::new()
    } else {
        format!(", ${:.3} per task", spent / usable as f64)
    }
}
