//! Runs the stage: reads the items, checks them on every core, writes the results in order.

use std::io::{self, Write};

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::keep::Keep;
use common::ordered::Ordered;
use common::record::Kind;
use common::stage::{StageSettings, Tally};
use common::ui::Ui;
use task_spec::verify::{AskError, Interpreter};

use crate::check::Checker;
use crate::lints;
use crate::output::{Stop, VerdictWriter};
use crate::settings::{Python, Settings, Source};
use crate::work::{self, Batch};

/// Checks everything that the settings name.
pub(crate) fn run(settings: &Settings, ui: &Ui) -> Result<ExitStatus> {
    let run_dir = settings.stage.run_dir.as_deref();
    let keep = Keep::new("verify-spec", &settings.workspace, run_dir, settings.environment.as_ref())?;
    let interrupt = Interrupt::on_signals().context("cannot listen for signals")?;
    let interpreter = interpreter(&settings.python, ui)?;
    let checker = Checker { interpreter: &interpreter, lints: &settings.lints, strict: settings.strict };
    let (batches, tally) = batches(settings, &keep, ui)?;
    let mut writer = VerdictWriter::open(settings, keep, tally, ui)?;
    let worked = Ordered::on_cores().until(interrupt.closed_at(Urgency::Drain)).each(
        batches,
        |batch| batch.into_iter().map(|item| checker.check(item)).collect::<Vec<_>>(),
        |checked| checked.into_iter().try_for_each(|item| writer.write(item?)),
    );
    match worked {
        Ok(()) if interrupt.urgency().is_some() => Ok(writer.interrupted()),
        Ok(()) => writer.finish(false),
        Err(Stop::LimitReached) => writer.finish(true),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Writes the names and explanations of all lints.
pub(crate) fn list_lints(stage: &StageSettings) -> Result<()> {
    let mut out = stage.writer()?;
    out.write_all(lints::list().as_bytes())?;
    Ok(out.flush()?)
}

type Batches = Box<dyn Iterator<Item = io::Result<Batch>> + Send>;

/// What to check, and whether anything of it came, if it is read from the input.
fn batches(settings: &Settings, keep: &Keep, ui: &Ui) -> Result<(Batches, Option<Tally>)> {
    match &settings.source {
        Source::Targets(targets) => {
            Ok((Box::new(work::of_targets(targets.clone(), settings.task.clone())), None))
        }
        Source::Records => {
            let tasks = keep.run_dir().map(|dir| dir.manifest("tasks"));
            let input = settings.stage.input(ui, tasks.as_deref(), &[Kind::Task])?;
            let tally = input.tally();
            Ok((Box::new(work::of_lines(input, settings.workspace.clone(), ui.clone())), Some(tally)))
        }
    }
}

/// Opens the Python that runs the verifiers.
fn interpreter(python: &Python, ui: &Ui) -> Result<Interpreter> {
    match python {
        Python::None => Ok(Interpreter::none()),
        Python::Named(name) => Interpreter::open(name)
            .context("cannot determine the installed modules; give another Python with --python"),
        Python::Default(name) => match Interpreter::open(name) {
            Err(AskError::Start { .. }) => {
                ui.warn(format_args!(
                    "{name} is not installed, so installed modules are unknown: imports outside the standard \
                     library are reported as warnings; set --python to the Python that runs the verifiers"
                ));
                Ok(Interpreter::none())
            }
            opened => Ok(opened?),
        },
    }
}
