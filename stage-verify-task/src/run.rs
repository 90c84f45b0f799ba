//! The stage: tasks in, records out.

use anyhow::{Context, Result};
use common::environment::{Environment, Workspace};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::keep::Keep;
use common::ordered::Ordered;
use common::record::{Kind, Record, Trial};
use common::targets::{self, Selection, Target, Work, failure};
use common::ui::Ui;
use sandbox::{Interpreter, TaskFolder, confinement};

use crate::engine::{Docker, Engine, EngineError, Wanted};
use crate::image::Images;
use crate::settings::{Job, Settings};
use crate::summary::Summary;
use crate::trial::Tryer;

/// The name of the manifest in the run directory.
const MANIFEST: &str = "trials";

/// What runs tasks, or why nothing does.
enum Runner {
    Tryer(Box<Tryer>),
    NoEngine { reason: String, workspace: Workspace },
}

/// Runs the tasks that the settings select.
pub(crate) fn run(settings: &Settings) -> Result<ExitStatus> {
    let ui = settings.stage.ui("stage-verify-task");
    let interrupt = Interrupt::on_signals().context("cannot listen for signals")?;
    let stop = interrupt.closed_at(Urgency::Stop);
    let mut workspace = settings.stage.workspace()?;
    let wanted = Wanted {
        engine: settings.engine.as_deref(),
        python: &settings.python,
        base_image: settings.recipe.base_image.as_deref(),
    };
    let engine = Engine::find(wanted, &workspace, &stop);
    match settings.job {
        Job::Run => {}
        Job::ListImages => return list_images(engine?.docker()?, &ui),
        Job::PruneImages => return prune_images(engine?.docker()?, &ui),
    }
    let environment = settings.env_dir.as_deref().map(|env| workspace.environment(env)).transpose()?;
    if let Some(environment) = &environment {
        workspace.admit(environment);
    }
    let runner = match engine {
        Ok(engine) => Runner::Tryer(Box::new(tryer(settings, engine, workspace.clone(), &interrupt, &ui)?)),
        Err(EngineError::Interrupted) => return Ok(ExitStatus::Interrupted),
        // A run without an engine is not an error of its own: the records say that nothing was run.
        Err(error) => Runner::NoEngine { reason: error.to_string(), workspace: workspace.clone() },
    };
    run_all(settings, &runner, &workspace, environment.as_ref(), &interrupt, &ui)
}

fn tryer(
    settings: &Settings,
    engine: Engine,
    workspace: Workspace,
    interrupt: &Interrupt,
    ui: &Ui,
) -> Result<Tryer> {
    ui.debug(format_args!("the engine is {}", engine.describe()?));
    let interpreter = Interpreter::find(&settings.python, &settings.python_path)
        .context("no usable Python; pass --python a Python 3.8 or newer")?;
    let stop = interrupt.closed_at(Urgency::Stop);
    let mut sandboxes = sandbox::Settings { interpreter, confined: true, stop: stop.clone() };
    let first = confinement::check(&mut sandboxes, settings.allow_unconfined, ui)?;
    let images = Images::new(engine.clone(), settings.recipe.clone(), workspace.clone(), ui.clone());
    Ok(Tryer {
        engine,
        images,
        plan: settings.plan.clone(),
        workspace,
        run_dir: settings.stage.run_dir.clone(),
        sandboxes,
        idle: first.into_iter().collect::<Vec<_>>().into(),
        stop,
        ui: ui.clone(),
    })
}

fn run_all(
    settings: &Settings,
    runner: &Runner,
    workspace: &Workspace,
    environment: Option<&Environment>,
    interrupt: &Interrupt,
    ui: &Ui,
) -> Result<ExitStatus> {
    let run_dir = settings.stage.run_dir.as_deref();
    let keep = Keep::new("verify-task", workspace, run_dir, environment)?;
    let selection = Selection {
        paths: &settings.paths,
        task: settings.task.as_deref(),
        kinds: &[Kind::Seed, Kind::Task, Kind::Verdict, Kind::Probe],
        manifest: "probes",
    };
    let Work { items, total, tally, coverage } =
        targets::work(&settings.stage, selection, keep.run_dir(), workspace, ui)?;
    let mut output = match &tally {
        Some(tally) => settings.stage.output_kept(keep, MANIFEST, tally)?,
        None => settings.stage.output_kept_now(keep, MANIFEST, coverage)?,
    };
    let mut summary = Summary::default();
    let progress = ui.progress("running", total);
    report_interrupts(interrupt, ui);
    Ordered::on_threads(settings.jobs).until(interrupt.closed_at(Urgency::Drain)).each(
        items,
        |item| item.run(|target| run_target(target, runner)),
        |done| {
            progress.inc(1);
            done.write(&mut output, ui, |record| {
                if let Record::Trial(trial) = record {
                    summary.add(trial, ui);
                }
            })?;
            anyhow::Ok(())
        },
    )?;
    drop(progress);
    summary.show(ui);
    if interrupt.urgency().is_some() {
        return Ok(ExitStatus::Interrupted);
    }
    tally.map_or(Ok(()), |tally| tally.ensure_any())?;
    output.finish()?;
    Ok(ExitStatus::failed_if(summary.any_failed(settings.must_run) || ui.errors() > 0))
}

fn report_interrupts(interrupt: &Interrupt, ui: &Ui) {
    let ui = ui.clone();
    interrupt.listen(move |urgency| match urgency {
        Urgency::Drain => ui.warn("interrupted; waiting for running tasks; press Ctrl-C again to abort"),
        Urgency::Stop => ui.warn("interrupted again; ending running tasks"),
    });
}

/// The record of a task: its trial, or the failure to run it. None after an interrupt.
fn run_target(target: &Target, runner: &Runner) -> Option<Record> {
    let folder = match TaskFolder::of(target) {
        Ok(folder) => folder,
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            let (env, task) = (target.env_name(), target.task_name());
            return Some(failure("verify-task", env, task, "no_task_folder", error));
        }
    };
    let tryer = match runner {
        Runner::Tryer(tryer) => tryer,
        Runner::NoEngine { reason, workspace } => {
            let dir = workspace.relative(&folder.dir);
            let (env, task) = (folder.env, folder.task);
            let not_run = Some(reason.clone());
            return Some(Record::Trial(Box::new(Trial { env, task, dir, not_run, ..Trial::default() })));
        }
    };
    match tryer.run(&folder) {
        Ok(trial) => Some(Record::Trial(Box::new(trial))),
        Err(error) if matches!(error.downcast_ref(), Some(EngineError::Interrupted)) => None,
        Err(error) => {
            let (env, task) = (folder.env, Some(folder.task));
            Some(failure("verify-task", env, task, "engine_failed", format!("{error:#}")))
        }
    }
}

fn list_images(docker: &Docker, ui: &Ui) -> Result<ExitStatus> {
    for (name, size, age) in docker.images()? {
        ui.info(format_args!("{name:<60} {size:>10}  {age}"));
    }
    Ok(ExitStatus::Done)
}

fn prune_images(docker: &Docker, ui: &Ui) -> Result<ExitStatus> {
    for (name, size, _) in docker.images()? {
        docker.remove_image(&name)?;
        ui.info(format_args!("removed {name} ({size})"));
    }
    Ok(ExitStatus::Done)
}
