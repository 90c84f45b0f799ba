//! The stage: evidence in, an export out.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use common::environment::Environment;
use common::exit::ExitStatus;
use common::jsonl::Line;
use common::record::{Dropped, Kind, Record};
use common::run_dir::RunDir;
use common::stage::{Input, Output};
use common::text::count;
use common::ui::Ui;

use crate::STAGE;
use crate::evidence::Evidence;
use crate::export::Export;
use crate::selection::{LeftOut, Selection, select};
use crate::settings::Settings;
use crate::splits::{self, Added};

/// The records that say something of a task.
const KINDS: [Kind; 7] =
    [Kind::Seed, Kind::Files, Kind::Task, Kind::Verdict, Kind::Probe, Kind::Trial, Kind::Decision];

/// The manifests of a run directory that hold them. Those of the checks of seeds are in a folder of their own.
const MANIFESTS: [&str; 9] = [
    "seeds",
    "seeds/verdicts",
    "seeds/probes",
    "files",
    "tasks",
    "verdicts",
    "probes",
    "trials",
    "decisions",
];

/// Runs the stage.
pub(crate) fn run(settings: &Settings) -> Result<ExitStatus> {
    let ui = settings.stage.ui(STAGE);
    let mut output = settings.stage.output(None)?;
    let mut evidence = read_input(settings, &ui, &mut output)?;
    let environments = environments(settings, &evidence)?;
    ensure!(!environments.is_empty(), "no record names a task; pipe records in, or pass --env-dir");
    let mut export = Export::open(settings)?;
    for environment in &environments {
        let stored = stored_evidence(settings, environment, &ui)?;
        evidence.complete(&environment.name, stored);
        let Selection { chosen, mut left_out } = select(environment, &evidence, settings.require);
        match &mut export {
            None => report(&ui, &environment.name, &splits::export(&settings.splits, environment, &chosen)?),
            Some(export) => {
                left_out.extend(export.add(settings, environment, chosen)?);
                export.left_out(left_out.len());
            }
        }
        for task in left_out {
            drop_task(task, environment, &ui, &mut output)?;
        }
    }
    if let Some(export) = export {
        export.publish(&ui)?;
    }
    output.finish()?;
    Ok(ExitStatus::Done)
}

/// The evidence in the input. Other lines are passed on. If nothing is piped in and no file is named, there is none.
fn read_input(settings: &Settings, ui: &Ui, output: &mut Output) -> Result<Evidence> {
    let mut evidence = Evidence::default();
    if settings.stage.input.is_none() && io::stdin().is_terminal() {
        return Ok(evidence);
    }
    for line in settings.stage.input(ui, None, &KINDS)? {
        match line.context("cannot read the input")? {
            Line::Record(record) => evidence.add(record),
            Line::Other(line) => output.raw(&line)?,
        }
    }
    Ok(evidence)
}

/// The environments to export from: the one that was asked for, else those that the records name.
fn environments(settings: &Settings, evidence: &Evidence) -> Result<Vec<Environment>> {
    if let Some(environment) = &settings.environment {
        return Ok(vec![environment.clone()]);
    }
    let names = evidence.environments();
    names.map(|name| Ok(settings.workspace.environment_of_record(name)?)).collect()
}

/// The evidence in the manifests of the run directory.
fn stored_evidence(settings: &Settings, environment: &Environment, ui: &Ui) -> Result<Evidence> {
    let mut evidence = Evidence::default();
    let root = settings.run_dir(&environment.name);
    if !root.is_dir() {
        return Ok(evidence);
    }
    let run_dir = RunDir::open(&root)?;
    for name in MANIFESTS {
        let path = run_dir.manifest(name);
        if path.exists() {
            read_manifest(&path, ui, &mut evidence)
                .with_context(|| format!("cannot read {}", path.display()))?;
        }
    }
    Ok(evidence)
}

fn read_manifest(path: &Path, ui: &Ui, evidence: &mut Evidence) -> io::Result<()> {
    for line in Input::file(path, ui, &KINDS)? {
        if let Line::Record(record) = line? {
            evidence.add(record);
        }
    }
    Ok(())
}

/// Names a task that is left out, for people and for programs.
fn drop_task(task: LeftOut, environment: &Environment, ui: &Ui, output: &mut Output) -> Result<()> {
    let LeftOut { task, code, message } = task;
    ui.warn(format_args!("{}/{task}: left out ({code}): {message}", environment.name));
    let dropped = Dropped {
        env: environment.name.clone(),
        task: Some(task),
        of: "task".to_owned(),
        stage: "export".to_owned(),
        code: code.to_owned(),
        message,
        ..Dropped::default()
    };
    Ok(output.record(&Record::Dropped(dropped))?)
}

fn report(ui: &Ui, env: &str, added: &Added) {
    let Added { file, train, test, listed } = added;
    match file {
        Some(file) => ui.info(format_args!(
            "{env}: {} for training and {test} for tests added to {}; {listed} listed already",
            count(*train as u64, "task"),
            file.display()
        )),
        None => ui.info(format_args!(
            "{env}: there is no split file, so gym-anything takes every task for training; nothing to add"
        )),
    }
}
