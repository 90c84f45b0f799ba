//! The snapshot pass: the names of usable tasks are added to the seeds of their environment.

use anyhow::{Context, Result, anyhow};
use common::text::with_hint;
use task_spec::seeds;

use crate::session::Session;

/// Adds the usable tasks to the seeds.
pub(crate) fn run(session: &Session<'_>, usable: &[String]) -> Result<()> {
    let settings = session.settings;
    let new = seeds::add(&settings.environment, usable)
        .map_err(|error| anyhow!(with_hint(&error, error.hint())))
        .context("the names of the new tasks were not added to the seeds")?;
    let list = settings.workspace.relative(&seeds::list_path(&settings.environment));
    session.ui.info(format_args!("{new} new names in {list}"));
    Ok(())
}
