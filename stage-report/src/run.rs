//! Runs the stage: reads the sources, works the figures out, writes them.

use std::io::Write;

use anyhow::{Context, Result};
use common::exit::ExitStatus;

use crate::report::Report;
use crate::settings::{Form, Settings};
use crate::{source, summary};

/// Reports what the settings name. Damage is part of the report, not a failure of it.
pub(crate) fn run(settings: &Settings) -> Result<ExitStatus> {
    let ui = settings.stage.ui("stage-report");
    let mut runs = Vec::new();
    for path in &settings.sources {
        runs.push(source::read(path, &settings.workspace)?);
    }
    for problem in runs.iter().flat_map(|run| &run.problems) {
        ui.warn(problem);
    }
    let report = Report::of(runs, &settings.workspace);
    let mut out = settings.stage.writer()?;
    match settings.form {
        Form::Text => out.write_all(summary::text(&report).as_bytes())?,
        Form::Json => {
            serde_json::to_writer_pretty(&mut out, &report).context("cannot write the figures")?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    Ok(ExitStatus::Done)
}
