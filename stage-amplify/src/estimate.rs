//! `--estimate`: the calls, tokens and costs of a run, without any call.

use anyhow::{Result, ensure};
use common::ui::Ui;
use model_client::{Estimate, ModelTable};

use crate::passes::plan::ROWS_PER_CALL;
use crate::preview::{self, Preview};
use crate::prompts::Templates;
use crate::settings::{Pass, Settings};

// Visible output is measured, at 4.28 bytes per token (see `model_client::pricing`): rows in the answers of
// examples/demo; READMEs and files in the published corpus, with 1,398 READMEs and 11,982 sets of files. The
// means of the demo are within 10 % of the corpus. Reasoning is an assumption, on the
// high side: it was not measured.

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

/// Reports what the selected passes cost, as if no call had been made yet.
pub(crate) fn run(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<()> {
    let table = settings.prices.as_deref().map_or_else(ModelTable::built_in, ModelTable::with)?;
    let facts = model_client::facts(&settings.model, &table)?;
    ensure!(
        facts.price.is_some(),
        "the price of {} is unknown: give one with --prices, or omit --estimate",
        settings.model
    );
    let mut total = Estimate { cost: Some(0.0), cost_uncached: Some(0.0), ..Estimate::default() };
    for preview in preview::prompts(settings, templates, ui)?.iter().filter(|one| settings.does(one.pass)) {
        let estimate = calls(preview, settings.count as u64).estimate(&facts);
        report(ui, preview.name, &estimate);
        total += estimate;
    }
    report(ui, "together", &total);
    Ok(())
}

/// The calls of a pass for `count` tasks.
fn calls(preview: &Preview, count: u64) -> model_client::PassSize {
    let rows_per_call = ROWS_PER_CALL as u64;
    let (calls, output_tokens, missing_bytes) = match preview.pass {
        Pass::Plan => (count.div_ceil(rows_per_call), ROW_TOKENS * count.min(rows_per_call), 0),
        Pass::Readme => (count, README_TOKENS, ROW_BYTES),
        Pass::Checklist => (count, CHECKLIST_TOKENS, SHOWN_BYTES),
        Pass::Fixtures => (count, FIXTURES_TOKENS, SHOWN_BYTES),
        _ => (count, FILES_TOKENS, README_BYTES),
    };
    let missing_bytes = if preview.is_complete { 0 } else { missing_bytes };
    model_client::PassSize {
        name: preview.name.to_owned(),
        calls,
        prefix_bytes: preview.prefix.len() as u64,
        suffix_bytes: preview.suffix.len() as u64 + missing_bytes,
        output_tokens,
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
