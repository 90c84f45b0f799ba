//! Checks every spec, hook and verifier, and says what gym-anything's own verification would say of them.
//!
//! [`args`] turns what was typed into [`Settings`], [`jobs`] finds out what there is to check, [`check`] checks
//! it on every core, and [`report`] writes what was found in the order in which it was asked for. The rules
//! themselves are `task_spec::verify`; what goes beyond them are the [`lints`], warnings that never make a
//! verdict bad unless that is asked for.

mod args;
mod check;
mod jobs;
mod lints;
mod manifests;
mod report;

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::ordered::Ordered;
use common::record::Kind;
use common::run_dir::RunDir;
use common::ui::Ui;
use task_spec::verify::{AskError, Interpreter};

pub use self::args::Args;
use self::args::{Python, Settings, Source};
use self::check::Checks;
use self::jobs::{Batch, of_lines, of_targets};
use self::report::{LimitReached, Report};

/// The name of this stage.
pub const STAGE: &str = "stage-verify-spec";

/// Runs the stage.
pub fn run(args: Args) -> Result<ExitStatus> {
    let ui = args.stage.ui(STAGE);
    if args.lints {
        return lints::explain(&args.stage).map(|()| ExitStatus::Done);
    }
    let settings = Settings::resolve(args, &ui)?;
    let run_dir = settings.run_dir.as_deref().map(RunDir::open).transpose()?;
    let _lock = run_dir.as_ref().map(|dir| dir.lock("verify-spec")).transpose()?;
    let interpreter = interpreter(&settings.python, &ui)?;
    let checks = Checks::new(&settings, &interpreter);
    let manifest = run_dir.as_ref().map(|dir| dir.manifest("verdicts"));
    let mut report = Report::open(&settings, manifest.as_deref(), &ui)?;
    let batches: Box<dyn Iterator<Item = std::io::Result<Batch>> + Send> = match &settings.source {
        Source::Targets(targets) => Box::new(of_targets(targets.clone(), settings.task.clone())),
        Source::Records => {
            let tasks = run_dir.as_ref().map(|dir| dir.manifest("tasks"));
            let input = settings.stage.input(&ui, tasks.as_deref(), &[Kind::Task])?;
            Box::new(of_lines(input, settings.workspace.clone()))
        }
    };
    let check = |batch: Batch| batch.into_iter().map(|job| checks.check(job)).collect::<Vec<_>>();
    let worked = Ordered::on_cores()
        .each(batches, check, |outcomes| outcomes.into_iter().try_for_each(|outcome| report.add(outcome?)));
    let limited = match worked {
        Err(error) if error.is::<LimitReached>() => true,
        worked => worked.map(|()| false)?,
    };
    report.finish(limited)
}

/// The Python that verifiers will run with.
fn interpreter(python: &Python, ui: &Ui) -> Result<Interpreter> {
    match python {
        Python::None => Ok(Interpreter::none()),
        Python::Asked(name) => Interpreter::open(name)
            .context("cannot find out which modules are installed; --python names another one"),
        Python::Usual(name) => match Interpreter::open(name) {
            Err(AskError::Start { .. }) => {
                ui.warn(format_args!(
                    "there is no {name} to say which modules are installed: imports beyond the standard library \
                     become warnings; --python names the Python that runs verifiers"
                ));
                Ok(Interpreter::none())
            }
            opened => Ok(opened?),
        },
    }
}
