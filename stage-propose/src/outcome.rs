//! What comes out of the stage: seeds, and whatever went wrong.

use std::collections::BTreeSet;
use std::fmt::Display;

use anyhow::Result;
use common::exit::ExitStatus;
use common::record::{Failure, Origin, Record};
use common::stage::Output;
use common::ui::Ui;

use crate::seeds;
use crate::settings::Place;

/// How many failures of one kind a person is told of. The records have them all.
const MAX_TOLD: usize = 20;

/// The records, and what they say of the run as a whole.
pub(crate) struct Outcome<'a> {
    place: &'a Place,
    ui: &'a Ui,
    output: Output,
    seeds: BTreeSet<String>,
    failures: usize,
    interrupted: bool,
}

impl<'a> Outcome<'a> {
    /// An outcome of which nothing is known yet. Where its seeds are all that there are, they make up the
    /// manifest.
    pub(crate) fn new(place: &'a Place, ui: &'a Ui, is_manifest: bool) -> Result<Self> {
        let output = place.output(is_manifest)?;
        Ok(Self { place, ui, output, seeds: BTreeSet::new(), failures: 0, interrupted: false })
    }

    /// The task `name` is good. The next stage hears of it now, and once.
    pub(crate) fn seed(&mut self, name: &str) -> Result<()> {
        if self.seeds.insert(name.to_owned()) {
            self.output.record(&Record::Seed(seeds::record(self.place, name, Origin::Agent)?))?;
            self.ui.info(format_args!("the task {name} is good"));
        }
        Ok(())
    }

    /// Something failed.
    pub(crate) fn failure(&mut self, code: &str, task: Option<&str>, message: impl Display) -> Result<()> {
        self.ui.error(&message);
        self.record_failure(code, task, message.to_string())
    }

    /// Several things failed in the same way, maybe very many.
    pub(crate) fn failures(&mut self, code: &str, failures: Vec<(Option<String>, String)>) -> Result<()> {
        let more = failures.len().saturating_sub(MAX_TOLD);
        for (number, (task, message)) in failures.into_iter().enumerate() {
            if number < MAX_TOLD {
                self.ui.error(&message);
            }
            self.record_failure(code, task.as_deref(), message)?;
        }
        if more > 0 {
            self.ui.error(format_args!("{more} more {code} failures; the records name them"));
        }
        Ok(())
    }

    /// The user interrupted.
    pub(crate) fn interrupted(&mut self) {
        self.interrupted = true;
    }

    /// Ends the records and tells the exit status.
    pub(crate) fn finish(self) -> Result<ExitStatus> {
        if self.interrupted {
            // The manifest stays partial: the stage did not come to its end.
            return Ok(ExitStatus::Interrupted);
        }
        self.output.finish()?;
        Ok(ExitStatus::failed_if(self.failures > 0))
    }

    fn record_failure(&mut self, code: &str, task: Option<&str>, message: String) -> Result<()> {
        self.failures += 1;
        self.output.record(&Record::Failure(Failure {
            env: self.place.environment.name.clone(),
            task: task.map(str::to_owned),
            stage: "propose".to_owned(),
            index: None,
            code: code.to_owned(),
            message,
            attempts: 1,
        }))?;
        Ok(())
    }
}
