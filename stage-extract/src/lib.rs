//! Unpacks answers of a model into task folders, each complete or not at all.
//!
//! [`args`] turns what was typed into [`Settings`], [`jobs`] makes work of the lines that come in, [`mod@unpack`]
//! does it on every core, up to folders out of sight. These are published in the order of the input, as many as
//! there are at a time, since the disk is waited for just as long for one as for many; [`report`] writes what
//! became of each answer. How an answer is read is `answer`; how folders are published,
//! `common::publish`.

mod args;
mod jobs;
mod quarantine;
mod report;
mod unpack;

use anyhow::Result;
use common::exit::ExitStatus;
use common::ordered::Ordered;
use common::record::Kind;
use common::run_dir::RunDir;
use common::stage::Input;

pub use self::args::Args;
use self::args::Settings;
use self::jobs::{Folders, Jobs};
use self::quarantine::QUARANTINE;
use self::report::Report;
use self::unpack::Unpacker;

/// The name of this stage.
pub const STAGE: &str = "stage-extract";

/// Runs the stage.
pub fn run(args: Args) -> Result<ExitStatus> {
    let ui = args.stage.ui(STAGE);
    let settings = Settings::resolve(args)?;
    let run_dir = settings.run_dir.as_deref().map(RunDir::open).transpose()?;
    let _lock = run_dir.as_ref().map(|dir| dir.lock("extract")).transpose()?;
    let manifest = |name| run_dir.as_ref().map(|dir| dir.manifest(name));
    // What a dry run would do is no manifest of what was done.
    let done = |name| manifest(name).filter(|_| !settings.dry_run);
    if settings.quarantine {
        let kinds = [Kind::Verdict, Kind::Probe];
        let input = settings.stage.input(&ui, manifest("probes").as_deref(), &kinds)?;
        let mut report = Report::new(settings.stage.output(done(QUARANTINE).as_deref())?, "moving", &ui);
        quarantine::run(input, &settings, &mut report, &ui)?;
        return report.finish();
    }
    let input = settings.stage.input(&ui, manifest("files").as_deref(), &[Kind::Files])?;
    let report = Report::new(settings.stage.output(done("tasks").as_deref())?, "unpacking", &ui);
    extract(input, &settings, report)
}

/// Unpacks what comes in.
fn extract(input: Input, settings: &Settings, mut report: Report) -> Result<ExitStatus> {
    let folders = Folders::new(settings);
    let jobs = Jobs::new(input, settings, &folders)?;
    let unpacker = Unpacker::new(settings, &folders);
    let worked = Ordered::on_cores().batches(
        jobs,
        |job| unpacker.unpack(job),
        |unpacked| {
            let mut failed = None;
            let before = unpacked.into_iter().map_while(|one| one.map_err(|error| failed = Some(error)).ok());
            unpacker.publish(before.collect())?.into_iter().try_for_each(|done| report.add(done))?;
            failed.map_or(Ok(()), Err)
        },
    );
    let cleaned = folders.close();
    worked?;
    cleaned?;
    report.finish()
}
