//! `--agent existing`: the existing tasks are the seeds.

use anyhow::{Result, anyhow};
use common::exit::ExitStatus;
use common::record::{Origin, Record};
use common::text::with_hint;
use common::ui::Ui;
use task_spec::seeds;

use crate::output::seed_record;
use crate::settings::RunContext;

/// Writes a record for each of the environment's seeds, at most `count`.
pub(crate) fn run(context: &RunContext, count: Option<usize>, ui: &Ui) -> Result<ExitStatus> {
    let _lock = context.run_dir.lock("propose")?;
    let mut names =
        seeds::names(&context.environment).map_err(|error| anyhow!(with_hint(&error, error.hint())))?;
    names.truncate(count.unwrap_or(usize::MAX));

    let mut output = context.output(true)?;
    for name in &names {
        output.record(&Record::Seed(seed_record(context, name, Origin::Existing)?))?;
    }
    output.finish()?;

    let env = &context.environment.name;
    if names.is_empty() {
        ui.error(format_args!(
            "{env} has no tasks to adopt; remove --agent existing to have an agent write some"
        ));
        return Ok(ExitStatus::SomeFailed);
    }
    ui.info(format_args!("existing seeds of {env}: {}", names.join(", ")));
    Ok(ExitStatus::Done)
}
