//! The records of the stage: seeds and failures.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::record::{Annotations, Failure, Origin, Record, Seed};
use common::stage::Output;
use common::ui::Ui;
use walkdir::WalkDir;

use crate::settings::RunContext;

/// How many failures of one kind are shown on standard error. The records have them all.
const MAX_SHOWN: usize = 20;

/// Writes the records, shows them to the user, and determines the exit status.
pub(crate) struct RecordWriter<'a> {
    context: &'a RunContext,
    ui: &'a Ui,
    output: Output,
    seeds: BTreeSet<String>,
    failures: usize,
    interrupted: bool,
}

impl<'a> RecordWriter<'a> {
    /// Opens the output. If `keeps_manifest`, the seeds replace those in the run directory's manifest.
    pub(crate) fn open(context: &'a RunContext, ui: &'a Ui, keeps_manifest: bool) -> Result<Self> {
        let output = context.output(keeps_manifest)?;
        Ok(Self { context, ui, output, seeds: BTreeSet::new(), failures: 0, interrupted: false })
    }

    /// Writes the record of a seed, once per task, so that the next stage can start on it.
    pub(crate) fn seed(&mut self, name: &str) -> Result<()> {
        if self.seeds.insert(name.to_owned()) {
            self.output.record(&Record::Seed(seed_record(self.context, name, Origin::Agent)?))?;
            self.ui.info(format_args!("task {name} is valid"));
        }
        Ok(())
    }

    /// Writes and shows a failure.
    pub(crate) fn failure(&mut self, code: &str, task: Option<&str>, message: impl Display) -> Result<()> {
        self.ui.error(&message);
        self.record_failure(code, task, message.to_string())
    }

    /// Writes failures of one kind, each with its task, and shows the first of them.
    pub(crate) fn failures(&mut self, code: &str, failures: Vec<(Option<String>, String)>) -> Result<()> {
        let more = failures.len().saturating_sub(MAX_SHOWN);
        for (number, (task, message)) in failures.into_iter().enumerate() {
            if number < MAX_SHOWN {
                self.ui.error(&message);
            }
            self.record_failure(code, task.as_deref(), message)?;
        }
        if more > 0 {
            self.ui.error(format_args!("{more} more {code} failures; the records list them all"));
        }
        Ok(())
    }

    /// Notes that the user interrupted the run.
    pub(crate) fn interrupted(&mut self) {
        self.interrupted = true;
    }

    /// Completes the output and returns the exit status.
    pub(crate) fn finish(self) -> Result<ExitStatus> {
        if self.interrupted {
            // The manifest stays unfinished.
            return Ok(ExitStatus::Interrupted);
        }
        self.output.finish()?;
        Ok(ExitStatus::failed_if(self.failures > 0))
    }

    fn record_failure(&mut self, code: &str, task: Option<&str>, message: String) -> Result<()> {
        self.failures += 1;
        self.output.record(&Record::Failure(Failure {
            env: self.context.environment.name.clone(),
            task: task.map(str::to_owned),
            stage: "propose".to_owned(),
            index: None,
            code: code.to_owned(),
            message,
            attempts: 1,
            ..Failure::default()
        }))?;
        Ok(())
    }
}

/// The record of the seed `name`.
pub(crate) fn seed_record(context: &RunContext, name: &str, origin: Origin) -> Result<Seed> {
    let dir = context.environment.task_dir(name);
    Ok(Seed {
        env: context.environment.name.clone(),
        task: name.to_owned(),
        dir: context.workspace.relative(&dir),
        origin,
        annotations: Annotations::new(),
        files: files(&dir).with_context(|| format!("cannot list the files of task {name}"))?,
    })
}

/// The paths of all files below `dir`, relative to it and sorted. What Python compiles is left out.
fn files(dir: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(dir).into_iter().filter_entry(|entry| entry.file_name() != "__pycache__") {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files.push(entry.path().strip_prefix(dir)?.to_string_lossy().into_owned());
        }
    }
    files.sort_unstable();
    Ok(files)
}
