//! The stage: tasks in, records out.

use anyhow::{Context, Result};
use common::environment::Workspace;
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::keep::Keep;
use common::ordered::Ordered;
use common::record::{Kind, Record};
use common::targets::{self, Selection, Target, Work, failure};
use common::ui::Ui;
use sandbox::{Interpreter, TaskFolder, confinement};

use crate::prober::Prober;
use crate::settings::Settings;
use crate::summary::Summary;

/// The name of the manifest in the run directory.
const MANIFEST: &str = "probes";

/// Probes the tasks that the settings select.
pub(crate) fn run(settings: &Settings) -> Result<ExitStatus> {
    let ui = settings.stage.ui("stage-probe");
    let interrupt = Interrupt::on_signals().context("cannot listen for signals")?;
    let interpreter = Interpreter::find(&settings.python, &settings.python_path)
        .context("no usable Python; pass --python a Python 3.8 or newer")?;
    ui.debug(format_args!("Python {} at {}", interpreter.version, interpreter.executable.display()));
    for path in &interpreter.hidden {
        ui.debug(format_args!(
            "verifiers cannot import from {}; --python-path shows it to them",
            path.display()
        ));
    }
    let mut sandboxes =
        sandbox::Settings { interpreter, confined: true, stop: interrupt.closed_at(Urgency::Stop) };
    if settings.self_test {
        return Ok(confinement::show(&sandboxes, &ui)?);
    }
    let first = confinement::check(&mut sandboxes, settings.allow_unconfined, &ui);
    if interrupt.urgency().is_some() {
        return Ok(ExitStatus::Interrupted);
    }
    let prober = Prober::new(sandboxes, first?, settings.repetition, settings.mutants);
    if let Some(jobs) = settings.jobs {
        rayon::ThreadPoolBuilder::new()
            .num_threads(jobs.max(1))
            .build_global()
            .context("cannot start threads")?;
    }
    probe_all(settings, &prober, &interrupt, &ui)
}

fn probe_all(settings: &Settings, prober: &Prober, interrupt: &Interrupt, ui: &Ui) -> Result<ExitStatus> {
    let mut workspace = settings.stage.workspace()?;
    let environment = settings.env_dir.as_deref().map(|env| workspace.environment(env)).transpose()?;
    if let Some(environment) = &environment {
        workspace.admit(environment);
    }
    let keep = Keep::new("probe", &workspace, settings.stage.run_dir.as_deref(), environment.as_ref())?;
    let selection = Selection {
        paths: &settings.paths,
        task: settings.task.as_deref(),
        kinds: &[Kind::Task, Kind::Verdict],
        manifest: "verdicts",
    };
    let Work { items, total, tally, coverage } =
        targets::work(&settings.stage, selection, keep.run_dir(), &workspace, ui)?;
    let mut output = match &tally {
        Some(tally) => settings.stage.output_kept(keep, MANIFEST, tally)?,
        None => settings.stage.output_kept_now(keep, MANIFEST, coverage)?,
    };
    let mut summary = Summary::default();
    let progress = ui.progress("probing", total);
    report_interrupts(interrupt, ui);
    Ordered::on_cores().until(interrupt.closed_at(Urgency::Drain)).each(
        items,
        |item| item.run(|target| Some(probe(target, prober, &workspace, ui))),
        |done| {
            progress.inc(1);
            // A run that was interrupted says nothing about its verifier.
            if interrupt.urgency() == Some(Urgency::Stop) {
                return anyhow::Ok(());
            }
            done.write(&mut output, ui, |record| {
                if let Record::Probe(probe) = record {
                    summary.count(probe, ui);
                }
            })?;
            Ok(())
        },
    )?;
    drop(progress);
    summary.show(ui);
    if interrupt.urgency().is_some() {
        return Ok(ExitStatus::Interrupted);
    }
    tally.map_or(Ok(()), |tally| tally.ensure_any())?;
    output.finish()?;
    Ok(ExitStatus::failed_if(summary.any_failed() || ui.errors() > 0))
}

fn report_interrupts(interrupt: &Interrupt, ui: &Ui) {
    let ui = ui.clone();
    interrupt.listen(move |urgency| match urgency {
        Urgency::Drain => ui.warn("interrupted; waiting for running verifiers; press Ctrl-C again to abort"),
        Urgency::Stop => ui.warn("interrupted again; ending running verifiers"),
    });
}

/// The record of a task: its probe, or the failure to probe it.
fn probe(target: &Target, prober: &Prober, workspace: &Workspace, ui: &Ui) -> Record {
    let folder = match TaskFolder::of(target) {
        Ok(folder) => folder,
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            return failure("probe", target.env_name(), target.task_name(), "no_task_folder", error);
        }
    };
    match prober.probe(&folder, workspace, ui) {
        Ok(found) => Record::Probe(found),
        Err(error) => failure("probe", folder.env, Some(folder.task), "sandbox_failed", format!("{error:#}")),
    }
}
