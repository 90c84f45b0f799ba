//! The repair pass: tasks in which checks have found errors are repaired by the model.

mod findings;
mod rounds;
mod task;

use std::collections::BTreeMap;

use anyhow::Result;
use common::record::{Files, Kind, Record};
use common::text::count;
use common::ui::Ui;

use self::findings::Findings;
use self::rounds::Rounds;
use self::task::FaultyTask;
use super::tasks;
use crate::ask::Halt;
use crate::corpus::Corpus;
use crate::incoming;
use crate::pipeline;
use crate::prompts::repair_prefix;
use crate::session::Session;
use crate::writer::Writer;

/// Has the tasks repaired whose bad verdicts, probes, trials and comparisons come in.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<(), Halt> {
    let findings = findings(session, writer)?;
    session.begin(writer)?;
    let mut rounds = Rounds::read(&session.settings.run_dir)?;
    let tasks = faulty_tasks(session, writer, findings, &rounds)?;
    rounds.add(&tasks)?;
    let corpus = Corpus::of_run(session.settings, session.ui)?;
    let prefix = repair_prefix(session.asker.templates, &corpus)?;
    let prefix = session.prefixes.prefix("repair", 1, prefix)?;
    pipeline::write_tasks(session, writer, tasks, |task| {
        let repaired = task.repair(session.asker, &prefix)?;
        rounds.keep(task, &repaired)?;
        report(&repaired, session.ui);
        Ok(vec![Record::Files(repaired)])
    })
}

/// Tells which files a repair has changed: whether it took the verifier or the fixture for wrong.
fn report(repaired: &Files, ui: &Ui) {
    let changed: Vec<&str> = repaired.problems.iter().map(|problem| problem.message.as_str()).collect();
    ui.info(format_args!("{}: changed {}", tasks::task_name(repaired), changed.join("; ")));
}

/// The findings that come in; if none comes in, those in the manifests of the run directory.
fn findings(session: &Session<'_>, writer: &mut Writer) -> Result<Findings, Halt> {
    let (settings, ui) = (session.settings, session.ui);
    let kinds = [Kind::Verdict, Kind::Probe, Kind::Trial, Kind::Agreement, Kind::Decision];
    let mut records = incoming::records(session, writer, "probes", &kinds)?;
    incoming::ensure_any(session, &records, "verdict, probe, trial, agreement or decision")?;
    if records.is_empty() {
        records = incoming::manifest(&settings.run_dir.manifest("verdicts"), Kind::Verdict, ui)?;
        records.extend(incoming::manifest(&settings.run_dir.manifest("probes"), Kind::Probe, ui)?);
        records.extend(incoming::manifest(&settings.run_dir.manifest("trials"), Kind::Trial, ui)?);
        records.extend(incoming::manifest(&settings.run_dir.manifest("agreements"), Kind::Agreement, ui)?);
    }
    let mut findings = Findings::default();
    for decision in incoming::manifest(&settings.run_dir.manifest("decisions"), Kind::Decision, ui)? {
        findings.add(decision);
    }
    for record in records {
        findings.add(record);
    }
    if findings.unjudged > 0 {
        let tasks = count(findings.unjudged, "task");
        ui.info(format_args!("{tasks} could not be probed; there is nothing to repair in them"));
    }
    Ok(findings)
}

/// The tasks that can be repaired; the others become failures.
fn faulty_tasks(
    session: &Session<'_>,
    writer: &mut Writer,
    findings: Findings,
    rounds: &Rounds,
) -> Result<Vec<FaultyTask>> {
    let settings = session.settings;
    let rows = incoming::plan_rows(settings, session.ui)?;
    let numbers: BTreeMap<String, usize> = rows.into_iter().map(|row| (row.task, row.index)).collect();
    let mut tasks = Vec::new();
    let (found, accepted) = findings.into_tasks(&settings.environment.name);
    if accepted > 0 {
        let tasks = count(accepted, "faulty task");
        session.ui.info(format_args!("not repaired, as a person accepted them: {tasks}"));
    }
    for (name, found) in found {
        let index = numbers.get(&name).copied().unwrap_or_default();
        let task = FaultyTask::read(session, &name, index, found).and_then(|task| {
            let spent = rounds.spent(&task);
            if spent < settings.rounds { Ok(task) } else { Err(task.rounds_spent(spent)) }
        });
        match task {
            Ok(task) => tasks.push(task),
            Err(failure) => writer.record(&Record::Failure(*failure))?,
        }
    }
    Ok(tasks)
}
