//! `--estimate`: the calls that a run still needs, their tokens and their cost, without any call.

use std::collections::HashSet;

use anyhow::{Context as _, Result, ensure};
use common::record::Plan;
use common::text::count;
use common::ui::Ui;
use model_client::{Estimate, History, Journal, ModelFacts, ModelTable, PassSize};

use crate::incoming;

use crate::passes::plan::ROWS_PER_CALL;
use crate::preview::{self, Preview};
use crate::prompts::Templates;
use crate::settings::{Pass, Settings};

// Visible output is measured, at 4.28 bytes per token (see `model_client::pricing`): rows in the answers of
// examples/demo; READMEs and files in the published corpus, with 1,398 READMEs and 11,982 sets of files. The
// means of the demo are within 10 % of the corpus. Reasoning is an assumption, on the
// high side: it was not measured. Once the journal has answers to calls of a kind, their mean length is taken instead.

/// Output tokens of one row of the plan: 120 visible (504 bytes on average), the rest reasoning.
const ROW_TOKENS: u64 = 250;

/// Output tokens of one README: 900 visible (3,871 bytes on average), the rest reasoning.
const README_TOKENS: u64 = 8_000;

/// Output tokens of one set of files: 3,300 visible (13,944 bytes on average), the rest reasoning.
const FILES_TOKENS: u64 = 18_000;

/// Output tokens of one checklist with its evidence: 1,800 visible (7,716 bytes on average in the corpus), the rest
/// reasoning.
const CHECKLIST_TOKENS: u64 = 6_000;

/// Output tokens of the fixtures of one task: 1,700 visible (7,376 bytes on average in the demo), the rest reasoning.
const FIXTURES_TOKENS: u64 = 8_000;

/// Bytes that the README, the spec and the scripts add to the suffix of the checklist pass: the average in
/// the corpus, with line numbers. The fixtures pass shows the same files without the numbers.
const SHOWN_BYTES: u64 = 13_500;

/// Bytes that a row of the plan adds to the suffix of the README pass: the average in the demo.
const ROW_BYTES: u64 = 500;

/// Bytes that a README adds to the suffix of the files pass: the average in the corpus.
const README_BYTES: u64 = 3_900;

/// Reports what the selected passes still cost: without the calls whose answers are in the journal.
pub(crate) fn run(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<()> {
    let facts = facts(settings)?;
    ensure!(
        facts.price.is_some(),
        "the price of {} is unknown: give one with --prices, or omit --estimate",
        settings.model
    );
    let history = Journal::history_at(&settings.run_dir.journal()).context("cannot read the journal")?;
    // With --fresh, it is not known here which answers count.
    let answered = if settings.fresh { HashSet::new() } else { history.labels() };
    let mut total = none();
    for (name, estimate) in passes(settings, templates, &facts, &history, &answered, ui)? {
        report(ui, name, &estimate);
        total += estimate;
    }
    report(ui, "together", &total);
    if !history.answers().is_empty() {
        ui.info(format_args!("so far: {} answers, ${:.2}", history.answers().len(), history.dollars()));
    }
    Ok(())
}

/// Says what `--fresh` is about to buy, and about how much that costs at most.
pub(crate) fn announce_fresh(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<()> {
    let facts = facts(settings)?;
    let history = Journal::history_at(&settings.run_dir.journal()).context("cannot read the journal")?;
    let mut total = none();
    for (_, estimate) in passes(settings, templates, &facts, &history, &HashSet::new(), ui)? {
        total += estimate;
    }
    let cost =
        total.cost.map_or_else(|| "at an unknown price".to_owned(), |cost| format!("about ${cost:.2}"));
    ui.info(format_args!(
        "--fresh: of {}, what {} has not answered is requested again: up to {} calls, {cost}",
        count(settings.count as u64, "task"),
        settings.model,
        total.calls
    ));
    Ok(())
}

fn facts(settings: &Settings) -> Result<ModelFacts> {
    let table = settings.prices.as_deref().map_or_else(ModelTable::built_in, ModelTable::with)?;
    Ok(model_client::facts(&settings.model, &table)?)
}

fn none() -> Estimate {
    Estimate { cost: Some(0.0), cost_uncached: Some(0.0), ..Estimate::default() }
}

/// What each of the selected passes takes, by its name. Calls with an answer of this label are left out.
fn passes(
    settings: &Settings,
    templates: &Templates,
    facts: &ModelFacts,
    history: &History,
    answered: &HashSet<&str>,
    ui: &Ui,
) -> Result<Vec<(&'static str, Estimate)>> {
    let mut rows = incoming::plan_rows(settings, ui)?;
    rows.truncate(settings.count);
    if settings.fresh {
        rows.clear();
    }
    let previews = preview::prompts(settings, templates, ui)?;
    let selected = previews.iter().filter(|preview| settings.does(preview.pass));
    Ok(selected
        .map(|preview| {
            let missing = missing(preview, settings.count, &rows, answered);
            let live = size(preview, missing as u64, history).estimate(facts);
            // The plan is asked live in any case.
            let is_batched = settings.batches().is_some() && preview.pass != Pass::Plan;
            (preview.name, if is_batched { live.in_batches(facts) } else { live })
        })
        .collect())
}

/// The number of tasks, or rows of the plan, that a pass still has to write.
fn missing(preview: &Preview, count: usize, rows: &[Plan], answered: &HashSet<&str>) -> usize {
    if preview.pass == Pass::Plan {
        return count - rows.len();
    }
    let is_answered = |row: &&Plan| answered.contains(format!("{}/{}", preview.name, row.task).as_str());
    count - rows.iter().filter(is_answered).count()
}

/// The calls of a pass for this many tasks.
fn size(preview: &Preview, tasks: u64, history: &History) -> PassSize {
    let rows_per_call = ROWS_PER_CALL as u64;
    let (calls, assumed, missing_bytes) = match preview.pass {
        Pass::Plan => (tasks.div_ceil(rows_per_call), ROW_TOKENS * tasks.min(rows_per_call), 0),
        Pass::Readme => (tasks, README_TOKENS, ROW_BYTES),
        Pass::Checklist => (tasks, CHECKLIST_TOKENS, SHOWN_BYTES),
        Pass::Fixtures => (tasks, FIXTURES_TOKENS, SHOWN_BYTES),
        _ => (tasks, FILES_TOKENS, README_BYTES),
    };
    // The length of a plan depends on the number of its rows.
    let measured = history.mean_output_tokens(preview.name).filter(|_| preview.pass != Pass::Plan);
    let missing_bytes = if preview.is_complete { 0 } else { missing_bytes };
    PassSize {
        name: preview.name.to_owned(),
        calls,
        prefix_bytes: preview.prefix.len() as u64,
        suffix_bytes: preview.suffix.len() as u64 + missing_bytes,
        output_tokens: measured.unwrap_or(assumed),
    }
}

fn report(ui: &Ui, what: &str, estimate: &Estimate) {
    let Estimate { calls, usage, cost, cost_uncached } = estimate;
    let cached = usage.cache_read + usage.cache_write_5m;
    ui.info(format_args!(
        "{what}: {calls} calls, {} input tokens ({cached} in cached prefixes), {} output tokens; about ${:.2}, \
         without a cache ${:.2}",
        usage.input(),
        usage.output(),
        cost.unwrap_or_default(),
        cost_uncached.unwrap_or_default(),
    ));
}
