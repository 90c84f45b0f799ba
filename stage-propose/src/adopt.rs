//! `--agent existing`: the tasks that are there are the seeds.

use anyhow::Result;
use common::exit::ExitStatus;
use common::record::{Origin, Record};
use common::ui::Ui;

use crate::seeds;
use crate::settings::Place;

/// Writes a record for each of the environment's seeds, at most `count`.
pub(crate) fn run(place: &Place, count: Option<usize>, ui: &Ui) -> Result<ExitStatus> {
    let _lock = place.run.lock("propose")?;
    let mut names = task_spec::seeds::names(&place.environment)?;
    names.truncate(count.unwrap_or(usize::MAX));

    let mut output = place.output(true)?;
    for name in &names {
        output.record(&Record::Seed(seeds::record(place, name, Origin::Existing)?))?;
    }
    output.finish()?;

    let env = &place.environment.name;
    if names.is_empty() {
        ui.error(format_args!("{env} has no tasks to adopt; without --agent existing, an agent writes some"));
        return Ok(ExitStatus::SomeFailed);
    }
    ui.info(format_args!("seeds that {env} already has: {}", names.join(", ")));
    Ok(ExitStatus::Done)
}
