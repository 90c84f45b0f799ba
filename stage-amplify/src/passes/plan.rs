//! The plan pass: rows are requested until enough of them are accepted.

mod gate;
mod planner;
mod rows;

use anyhow::{Result, anyhow};
use common::jsonl::write_record;
use common::publish::write_file_atomic;
use common::record::{Failure, Plan, Record};
use common::text::count;
use fs_err as fs;

use self::gate::Gate;
use self::planner::Planner;
use crate::ask::Halt;
use crate::corpus::Corpus;
use crate::incoming::{self, PlanInput};
use crate::prompts::plan_prefix;
use crate::session::Session;
use crate::settings::Pass;
use crate::writer::Writer;

pub(crate) use self::planner::ROWS_PER_CALL;

/// A plan, and what its prompts are rendered from.
pub(crate) struct Planned {
    pub(crate) rows: Vec<Plan>,
    pub(crate) corpus: Corpus,
}

/// Reads the plan that comes in or that the run directory holds, and completes it if the plan pass is
/// selected. Rows that cannot be used become failures.
pub(crate) fn run(session: &Session<'_>, writer: &mut Writer) -> Result<Planned, Halt> {
    let (settings, ui) = (session.settings, session.ui);
    let plans = settings.does(Pass::Plan);
    let PlanInput { seeds, mut rows, rows_came } = incoming::plan_input(session, writer)?;
    session.begin(writer)?;
    if settings.fresh && plans {
        session.prefixes.forget()?;
        rows.clear();
    }
    let (rows, unusable) = incoming::checked(rows, &settings.environment.name);
    let corpus = Corpus::gather(settings, &seeds, &rows, ui)?;
    for failure in unusable {
        writer.record(&Record::Failure(failure))?;
    }
    // A plan that was read from the run directory is not written there again.
    let on_file = if rows_came { 0 } else { rows.len() };
    let mut planned = Planned { rows, corpus };
    if plans {
        complete(session, writer, &mut planned, on_file)?;
    }
    if planned.rows.is_empty() {
        let dir = settings.run_dir.root().display();
        return Err(anyhow!("there is no plan in {dir}: add --pass plan").into());
    }
    Ok(planned)
}

/// Adds rows until there is one for each wanted task, and writes plan.jsonl, whose first `on_file` rows are
/// there already.
fn complete(
    session: &Session<'_>,
    writer: &mut Writer,
    planned: &mut Planned,
    on_file: usize,
) -> Result<(), Halt> {
    let wanted = session.settings.count;
    let before = planned.rows.len();
    if before < wanted {
        let new = new_rows(session, planned, wanted - before)?;
        if !new.is_empty() {
            let tasks = count(new.len() as u64, "task");
            session.ui.info(format_args!("planned {tasks}: {}", rows::summary(&new)));
        }
        planned.rows.extend(new);
    }
    store(session, &planned.rows, on_file)?;
    let count = planned.rows.len();
    if count < wanted {
        session.ui.error(format_args!(
            "the plan has {count} of {wanted} rows; run the same command again to request more, or add rows to plan.jsonl"
        ));
    }
    for index in count + 1..=wanted {
        let failure = missing_row(&session.settings.environment.name, index);
        writer.record(&Record::Failure(failure))?;
    }
    Ok(())
}

fn new_rows(session: &Session<'_>, planned: &Planned, missing: usize) -> Result<Vec<Plan>, Halt> {
    let Planned { rows, corpus } = planned;
    let first = rows.last().map_or(0, |row| row.index) + 1;
    let prefix = plan_prefix(session.asker.templates, corpus, rows)?;
    let requests = Planner {
        asker: session.asker,
        ui: session.ui,
        prefix: session.prefixes.prefix("plan", first, prefix)?,
        first,
        difficulties: &corpus.difficulties,
        env: &session.settings.environment.name,
    };
    let _shown = session.show(vec!["plan"], Some(missing));
    requests.plan(missing, &mut gate(session, planned, missing))
}

/// The gate for `missing` rows beside those of the plan.
fn gate<'a>(session: &Session<'a>, planned: &'a Planned, missing: usize) -> Gate<'a> {
    let Planned { rows, corpus } = planned;
    let profile = corpus.profile.as_ref();
    let categories: Vec<&str> = rows.iter().map(|row| row.category.as_str()).collect();
    let quotas = profile.map(|profile| profile.quotas(missing, &corpus.existing, &categories));
    let mut gate = Gate::new(&session.settings.difficulties, profile, quotas.unwrap_or_default());
    for task in &corpus.existing {
        gate.reserve(&task.name);
    }
    for row in rows {
        gate.accept(row);
    }
    gate
}

/// Writes plan.jsonl. What users wrote into it stays as it is.
fn store(session: &Session<'_>, rows: &[Plan], on_file: usize) -> Result<()> {
    let path = session.settings.run_dir.manifest("plan");
    let mut text = if on_file > 0 { fs::read(&path)? } else { Vec::new() };
    if text.last().is_some_and(|&byte| byte != b'\n') {
        text.push(b'\n');
    }
    for row in &rows[on_file..] {
        write_record(&mut text, &Record::Plan(row.clone()))?;
    }
    Ok(write_file_atomic(&path, &text)?)
}

fn missing_row(env: &str, index: usize) -> Failure {
    Failure {
        env: env.to_owned(),
        stage: "amplify".to_owned(),
        index: Some(index),
        code: "plan_short".to_owned(),
        message: "the plan has no row for this task: the model named no further task that could be accepted"
            .to_owned(),
        ..Failure::default()
    }
}
