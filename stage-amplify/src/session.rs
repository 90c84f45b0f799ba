//! What every pass works with.

use anyhow::Result;
use common::interrupt::Interrupt;
use common::ui::Ui;

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
    /// Notes in `run.json` what was asked for, and starts the manifest. Called when the input has brought what the
    /// passes need: until then, nothing in the run directory is changed.
    pub(crate) fn begin(&self, writer: &mut Writer) -> Result<()> {
        let settings = self.settings;
        settings.run_dir.note(settings.note_name(), &settings.environment.name, &settings.summary())?;
        Ok(writer.keep_at(settings.last_manifest().as_deref())?)
    }
}
