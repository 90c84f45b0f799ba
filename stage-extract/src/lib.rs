//! Unpacks answers of a model into task folders, each complete or not at all.
//!
//! [`args`] turns what was typed into [`Settings`], [`jobs`] makes work of the lines that come in, [`mod@unpack`]
//! does it on every core, and [`report`] writes in the order of the input what became of each answer. How an
//! answer is read is `common::answer`; how a folder is published, `common::publish`.

mod args;
mod jobs;
mod quarantine;
mod report;
mod unpack;

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::publish::remove_unfinished;
use common::record::Kind;
use common::run_dir::RunDir;
use common::stage::{Input, in_order};

pub use self::args::Args;
use self::args::Settings;
use self::jobs::Jobs;
use self::quarantine::QUARANTINE;
use self::report::Report;
use self::unpack::unpack;

/// The name of this stage.
pub const STAGE: &str = "stage-extract";

/// Threads for each core. Most of the time a thread waits for the disk.
const THREADS_PER_CORE: usize = 4;

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
    let jobs = Jobs::new(input, settings)?;
    let folders = jobs.folders();
    let options = settings.options();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS_PER_CORE * rayon::current_num_threads());
    let pool = pool.build().context("cannot start threads")?;
    let worked = pool.install(|| in_order(jobs, |job| unpack(job, &options), |done| report.add(done?)));
    let cleaned = folders.opened().iter().try_for_each(|folder| remove_unfinished(folder).map(drop));
    worked?;
    cleaned.context("cannot clean up")?;
    report.finish()
}
