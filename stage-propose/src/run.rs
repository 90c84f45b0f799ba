//! Runs the stage.

use anyhow::Result;
use common::exit::ExitStatus;
use common::ui::Ui;

use crate::settings::{Settings, Work};
use crate::{adopt, drive};

/// Adopts seeds, or has an agent write them.
pub(crate) fn run(settings: &Settings, ui: &Ui) -> Result<ExitStatus> {
    match &settings.work {
        Work::Adopt { count } => adopt::run(&settings.context, *count, ui),
        Work::Drive(drive) => drive::run(&settings.context, drive, ui),
    }
}
