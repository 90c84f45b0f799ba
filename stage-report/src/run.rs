//! Runs the stage: reads the sources, works the figures out, writes them.

use std::io::Write;

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::publish::write_file_atomic;

use crate::report::Report;
use crate::settings::{Form, Settings};
use crate::{page, source, summary};

/// Reports what the settings name. Damage is part of the report, not a failure of it.
pub(crate) fn run(settings: &Settings) -> Result<ExitStatus> {
    let ui = settings.stage.ui("stage-report");
    let mut runs = Vec::new();
    for path in &settings.sources {
        runs.push(source::read(path, &settings.workspace)?);
    }
    // A table over several runs has a column for their state.
    if runs.len() == 1 || settings.form != Form::Text {
        runs.iter().flat_map(|run| &run.problems).for_each(|problem| ui.warn(problem));
    }
    let report = Report::of(&runs, &settings.workspace);
    match &settings.form {
        Form::Text => write(settings, &summary::text(&report))?,
        Form::Json => {
            let figures = serde_json::to_string_pretty(&report).context("cannot write the figures")?;
            write(settings, &(figures + "\n"))?;
        }
        Form::Page { path, has_files } => {
            let page = page::render(&report, &runs, &settings.workspace, *has_files)?;
            let Some(path) = path else {
                write(settings, &page)?;
                return Ok(ExitStatus::Done);
            };
            write_file_atomic(path, page.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
            ui.info(format_args!("{}", path.display()));
        }
    }
    Ok(ExitStatus::Done)
}

fn write(settings: &Settings, text: &str) -> Result<()> {
    let mut out = settings.stage.writer()?;
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
