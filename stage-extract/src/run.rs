//! The stage: answers in, task folders and records out.

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::ordered::Ordered;
use common::record::Kind;
use common::run_dir::RunDir;
use common::stage::Input;

use crate::STAGE;
use crate::jobs::{Folders, Jobs};
use crate::quarantine;
use crate::results::Results;
use crate::settings::{QUARANTINE, Settings};
use crate::unpack::{Unpacked, Unpacker};

/// Runs the stage.
pub(crate) fn run(settings: &Settings) -> Result<ExitStatus> {
    let ui = settings.stage.ui(STAGE);
    let run_dir = settings.run_dir.as_deref().map(RunDir::open).transpose()?;
    let _lock = run_dir.as_ref().map(|dir| dir.lock("extract")).transpose()?;
    let (name_in, name_out, kinds): (_, _, &[Kind]) = if settings.quarantine {
        ("probes", QUARANTINE, &[Kind::Verdict, Kind::Probe, Kind::Trial, Kind::Decision])
    } else {
        ("files", "tasks", &[Kind::Files])
    };
    let manifest_in = run_dir.as_ref().map(|dir| dir.manifest(name_in));
    // The results of a dry run are not kept.
    let manifest_out = run_dir.as_ref().map(|dir| dir.manifest(name_out)).filter(|_| !settings.dry_run);
    let input = settings.stage.input(&ui, manifest_in.as_deref(), kinds)?;
    let output = settings.stage.output(manifest_out.as_deref())?;
    let interrupt = Interrupt::on_signals().context("cannot listen for signals")?;
    if settings.quarantine {
        let mut results = Results::new(output, "moving", &ui);
        let moved = quarantine::run(input, &interrupt, settings, &mut results, &ui)?;
        let status = results.finish(&interrupt)?;
        if let Some(run_dir) = &run_dir {
            quarantine::update_manifest(&run_dir.manifest("tasks"), &moved)
                .context("cannot update the manifest of tasks")?;
        }
        Ok(status)
    } else {
        let mut results = Results::new(output, "unpacking", &ui);
        extract(input, &interrupt, settings, &mut results)?;
        results.finish(&interrupt)
    }
}

/// Unpacks the answers of the input, until an interrupt.
fn extract(input: Input, interrupt: &Interrupt, settings: &Settings, results: &mut Results) -> Result<()> {
    let folders = Folders::new(settings);
    let jobs = Jobs::new(input, settings, &folders)?;
    let unpacker = Unpacker::new(settings, &folders);
    let worked = Ordered::on_cores().until(interrupt.closed_at(Urgency::Drain)).batches(
        jobs,
        |job| unpacker.unpack(job),
        |unpacked| publish(unpacked, &unpacker, results),
    );
    let cleaned = folders.close();
    worked?;
    cleaned
}

/// Publishes a batch up to its first error.
fn publish(batch: Vec<Result<Unpacked>>, unpacker: &Unpacker<'_>, results: &mut Results) -> Result<()> {
    let mut ready = Vec::with_capacity(batch.len());
    let mut failed = Ok(());
    for one in batch {
        match one {
            Ok(one) => ready.push(one),
            Err(error) => {
                failed = Err(error);
                break;
            }
        }
    }
    for done in unpacker.publish(ready)? {
        results.add(done)?;
    }
    failed
}
