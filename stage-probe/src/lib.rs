//! Runs verifiers in a sandbox, against states whose verdict is known.
//!
//! A spec check can tell that a verifier is there and parses. Whether it says `passed` when nothing was done,
//! or raises when the result is missing, shows when it is run. No virtual machine is needed for that: a
//! verifier sees its environment through `copy_from_env` alone, and what that delivers can be made up.
//!
//! - [`states`]: what it is shown, and what a sound verifier says of it.
//! - [`untouched`]: the result that a task's own export script writes when nothing was done.
//! - [`mutants`]: good results with one thing in them made wrong.
//! - [`judge`]: from what the verifier said to issues.
//! - [`sandbox`], [`worker`]: where it is run, and how.

mod args;
mod judge;
mod mutants;
mod probe;
mod python;
mod sandbox;
mod self_test;
mod states;
mod stream;
mod summary;
mod task;
mod untouched;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::ui::Ui;

use crate::args::Args;
use crate::probe::Prober;
use crate::python::Interpreter;
use crate::worker::{Worker, WorkerSettings};

/// Runs the stage with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|role| role == sandbox::ROLE) {
        let description = arguments.pop();
        return sandbox::main(description.as_deref().and_then(|text| text.to_str()));
    }
    common::stage::main("stage-probe", || run(&Args::parse_from(arguments)))
}

fn run(args: &Args) -> Result<ExitStatus> {
    let ui = args.stage.ui("stage-probe");
    let interrupt = Interrupt::on_signals().context("cannot listen for signals")?;
    let workers = WorkerSettings {
        interpreter: Interpreter::find(&args.python)?,
        confined: true,
        given_up: interrupt.closed_at(Urgency::Stop),
    };
    ui.debug(format_args!(
        "Python {} at {}",
        workers.interpreter.version,
        workers.interpreter.executable.display()
    ));
    if args.self_test {
        return show_self_test(&workers, &ui);
    }
    let tried = confined_or_not(workers, args.unsafe_, &ui);
    if interrupt.urgency().is_some() {
        return Ok(ExitStatus::Interrupted);
    }
    let (workers, first) = tried?;
    let prober = Prober::new(workers, first, args);
    if let Some(jobs) = args.jobs {
        rayon::ThreadPoolBuilder::new()
            .num_threads(jobs.max(1))
            .build_global()
            .context("cannot start threads")?;
    }
    stream::run(args, &prober, &interrupt, &ui)
}

/// Tells what is denied to verifiers on this machine, and what is not.
fn show_self_test(workers: &WorkerSettings, ui: &Ui) -> Result<ExitStatus> {
    let mut worker = Worker::start(workers)?;
    let attempts = self_test::run(&mut worker)?;
    ui.info(format_args!("Landlock's interface: version {}", worker.ready.landlock));
    for attempt in &attempts {
        ui.info(format_args!("{:<36} {}", attempt.what, attempt.result));
    }
    let allowed = attempts.iter().filter(|attempt| !attempt.is_denied()).count();
    ui.info(format_args!("{} attempts, {allowed} of them not denied", attempts.len()));
    Ok(ExitStatus::failed_if(allowed > 0))
}

/// Finds out whether verifiers are confined on this machine. Where they are not, they are run only if that
/// was asked for. The worker that was started to find out can go on.
fn confined_or_not(
    mut workers: WorkerSettings,
    anyway: bool,
    ui: &Ui,
) -> Result<(WorkerSettings, Vec<Worker>)> {
    let tried = Worker::start(&workers).and_then(|mut worker| {
        let attempts = self_test::run(&mut worker)?;
        Ok((worker, attempts))
    });
    let (why, first) = match tried {
        Ok((worker, attempts)) => {
            let allowed: Vec<_> = attempts.iter().filter(|attempt| !attempt.is_denied()).collect();
            if allowed.is_empty() {
                return Ok((workers, vec![worker]));
            }
            let what: Vec<_> = allowed.iter().map(|attempt| attempt.what.as_str()).collect();
            (format!("a verifier could {}", what.join(", ")), vec![worker])
        }
        Err(error) => {
            workers.confined = false;
            (format!("{error:#}"), Vec::new())
        }
    };
    if !anyway {
        bail!("verifiers cannot be confined on this machine: {why}; --unsafe runs them all the same");
    }
    ui.warn(format_args!("verifiers are run unconfined: {why}"));
    Ok((workers, first))
}
