//! The stage: answers in, task folders and records out.

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::interrupt::{Interrupt, Urgency};
use common::keep::Keep;
use common::ordered::Ordered;
use common::record::Kind;
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
    let (name_in, name_out, kinds): (_, _, &[Kind]) = if settings.quarantine {
        ("probes", QUARANTINE, &[Kind::Verdict, Kind::Probe, Kind::Trial, Kind::Decision])
    } else {
        ("files", "tasks", &[Kind::Files])
    };
    let run_dir = settings.stage.run_dir.as_deref();
    let keep = Keep::new("extract", &settings.workspace, run_dir, settings.environment.as_ref())?;
    let manifest_in = keep.run_dir().map(|dir| dir.manifest(name_in));
    let input = settings.stage.input(&ui, manifest_in.as_deref(), kinds)?;
    let tally = input.tally();
    // The results of a dry run are not kept.
    let output = if settings.dry_run {
        settings.stage.output(None)?
    } else {
        settings.stage.output_kept(keep, name_out, &tally)?
    };
    let interrupt = Interrupt::on_signals().context("cannot listen for signals")?;
    if settings.quarantine {
        let mut results = Results::new(output, tally, "moving", &ui);
        let moved = quarantine::run(input, &interrupt, settings, &mut results, &ui)?;
        let status = results.finish(&interrupt)?;
        if let Some(run_dir) = settings.run_dir() {
            quarantine::update_manifest(&run_dir.join("tasks.jsonl"), &moved)
                .context("cannot update the manifest of tasks")?;
        }
        Ok(status)
    } else {
        let mut results = Results::new(output, tally, "unpacking", &ui);
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
