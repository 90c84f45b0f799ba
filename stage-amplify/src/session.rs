//! What every pass works with.

use common::interrupt::Interrupt;
use common::ui::Ui;

use crate::ask::Asker;
use crate::prompts::KeptPrefixes;
use crate::settings::Settings;

/// What every pass works with. It holds no results: those go to the [writer](crate::writer::Writer).
pub(crate) struct Session<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) ui: &'a Ui,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) asker: Asker<'a>,
    pub(crate) prefixes: KeptPrefixes,
}
