//! What every pass works with.

use anyhow::Result;
use common::interrupt::Interrupt;
use common::ui::{Ui, Watched};

use crate::ask::Asker;
use crate::prompts::KeptPrefixes;
use crate::settings::Settings;
use crate::writer::Writer;

/// What every pass works with. It holds no results: those go to the [writer](crate::writer::Writer).
pub(crate) struct Session<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) ui: &'a Ui,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) asker: Asker<'a>,
    pub(crate) prefixes: KeptPrefixes,
}

impl Session<'_> {
    /// Shows the progress of these passes over `total` tasks, if their number is known, until the result is dropped.
    pub(crate) fn show(&self, passes: Vec<&'static str>, total: Option<usize>) -> Watched {
        let watch = self.asker.client.watch();
        self.asker.steps.show(self.ui, watch, passes, total.map(|total| total as u64))
    }

    /// Notes in `run.json` what was asked for, and starts the manifest. Called when the input has brought what the
    /// passes need: until then, nothing in the run directory is changed.
    pub(crate) fn begin(&self, writer: &mut Writer) -> Result<()> {
        let settings = self.settings;
        settings.run_dir.note(settings.note_name(), &settings.environment.name, &settings.summary())?;
        Ok(writer.keep_at(settings.last_manifest().as_deref(), settings.coverage())?)
    }
}
