//! What the stage tells about prompts, tokens and money.

use anyhow::{Result, ensure};
use common::exit::ExitStatus;
use common::publish::write_file_atomic;
use common::record::Plan;
use common::ui::Ui;
use fs_err as fs;
use model_client::{Client, Estimate, ModelTable};
use serde_json::json;

use crate::incoming;
use crate::planner::{ROWS_PER_CALL, as_line};
use crate::prompt_data::PromptData;
use crate::prompts::Templates;
use crate::settings::{Pass, Settings};

/// What was spent so far, for the progress line.
pub(crate) fn spent(client: &Client) -> String {
    let totals = client.totals();
    format!("{} calls, {} in flight, ${:.2}", totals.answers, totals.in_flight, totals.spent)
}

/// Says at the end what the run took, and what each of the `usable` tasks did.
pub(crate) fn totals(client: &Client, usable: u64, ui: &Ui) {
    let totals = client.totals();
    let usage = totals.usage;
    ui.info(format_args!(
        "{} answers from the model, {} from the journal; {} tokens in ({} % from a cache), {} out; ${:.2}{}",
        totals.answers,
        totals.journalled,
        usage.input(),
        (usage.cache_read * 100).checked_div(usage.input()).unwrap_or(0),
        usage.output(),
        totals.spent,
        per_task(totals.spent, usable),
    ));
    if totals.lost > 0 {
        ui.info(format_args!(
            "{} calls broke off half-way; they may cost up to ${:.2} more",
            totals.lost, totals.lost_at_most
        ));
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^52 tasks")]
fn per_task(spent: f64, usable: u64) -> String {
    if usable == 0 || spent <= 0.0 {
        String::new()
    } else {
        format!(", ${:.3} a task", spent / usable as f64)
    }
}

/// Writes the prompts as they would be sent to the run directory, and shows what they consist of.
pub(crate) fn dry_run(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<ExitStatus> {
    let dir = settings.run_dir.root().join("prompts").join("dry-run");
    fs::create_dir_all(&dir)?;
    for Prompt { pass, shared, own, .. } in prompts(settings, templates, ui)? {
        let path = dir.join(format!("{pass}.md"));
        write_file_atomic(&path, format!("{shared}{own}").as_bytes())?;
        ui.info(format_args!("{}: {} bytes shared, {} own", path.display(), shared.len(), own.len()));
        for (title, bytes) in sections(&shared) {
            ui.info(format_args!("  {bytes:>8}  {title}"));
        }
    }
    Ok(ExitStatus::Done)
}

/// Tells what the passes take of the model, as if none of it had been done yet.
pub(crate) fn estimate(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<ExitStatus> {
    let table = settings.prices.as_deref().map_or_else(ModelTable::built_in, ModelTable::with)?;
    let facts = model_client::facts(&settings.model, &table)?;
    ensure!(
        facts.price.is_some(),
        "no price is known for {}: give one with --prices, or leave --estimate away",
        settings.model
    );
    let mut all = Estimate { cost: Some(0.0), cost_uncached: Some(0.0), ..Estimate::default() };
    for prompt in prompts(settings, templates, ui)?.iter().filter(|prompt| settings.does(prompt.does)) {
        let estimate = prompt.estimated(settings.count as u64).estimate(&facts);
        say_estimate(ui, prompt.pass, &estimate);
        all += estimate;
    }
    say_estimate(ui, "together", &all);
    Ok(ExitStatus::Done)
}

fn say_estimate(ui: &Ui, what: &str, estimate: &Estimate) {
    let Estimate { calls, usage, cost, cost_uncached } = estimate;
    let cached = usage.cache_read + usage.cache_write_5m;
    ui.info(format_args!(
        "{what}: {calls} calls, {} tokens in ({cached} of them in a beginning that is cached), {} out; about \
         ${:.2}, without a cache ${:.2}",
        usage.input(),
        usage.output(),
        cost.unwrap_or_default(),
        cost_uncached.unwrap_or_default(),
    ));
}

/// A prompt as it would be sent.
struct Prompt {
    pass: &'static str,
    does: Pass,
    shared: String,
    own: String,
    /// What a call's own part has beside this, in bytes, as a rule.
    more_own: u64,
    /// What an answer has, in tokens, as a rule, reasoning included; for the plan, a row.
    output_tokens: u64,
}

impl Prompt {
    fn estimated(&self, count: u64) -> model_client::PassSize {
        let (calls, output_tokens) = match self.does {
            Pass::Plan => {
                (count.div_ceil(ROWS_PER_CALL as u64), self.output_tokens * count.min(ROWS_PER_CALL as u64))
            }
            _ => (count, self.output_tokens),
        };
        model_client::PassSize {
            name: self.pass.to_owned(),
            calls,
            prefix_bytes: self.shared.len() as u64,
            suffix_bytes: self.own.len() as u64 + self.more_own,
            output_tokens,
        }
    }
}

/// The prompts of the passes, with what stands in the run directory.
fn prompts(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<[Prompt; 3]> {
    let rows = incoming::plan_rows(settings, ui)?;
    let seeds = incoming::seed_names(settings, ui)?;
    let data = PromptData::gather(settings, &seeds, &rows, ui)?;
    let row = rows.first().cloned().unwrap_or_else(placeholder);
    let line = as_line(&row)?;
    let count = settings.count;
    let plan_ask = json!({"accepted": "", "rejected": [], "quotas": [], "count": count});
    let readme_ask = json!({"row": line, "task": row.task, "problems": []});
    let files_ask = json!({"readme": "(its README)", "task": row.task, "problems": []});
    Ok([
        Prompt {
            pass: "plan",
            does: Pass::Plan,
            shared: data.plan_prompt(templates, &rows)?,
            own: templates.render("plan.ask.md", plan_ask)?,
            more_own: 0,
            output_tokens: 250,
        },
        Prompt {
            pass: "readme",
            does: Pass::Readme,
            shared: data.readme_prompt(templates, &rows)?,
            own: templates.render("readme.ask.md", readme_ask)?,
            more_own: if rows.is_empty() { 600 } else { 0 },
            output_tokens: 8_000,
        },
        Prompt {
            pass: "files",
            does: Pass::Files,
            shared: data.prompt(templates, "files")?,
            own: templates.render("files.ask.md", files_ask)?,
            more_own: 6_000,
            output_tokens: 18_000,
        },
    ])
}

/// Stands for a row where nothing is planned yet.
fn placeholder() -> Plan {
    Plan { task: "name_of_the_task".to_owned(), ..Plan::default() }
}

/// The sections of a prompt, by their headings of the first level outside of fences, and their sizes in bytes.
fn sections(prompt: &str) -> Vec<(&str, usize)> {
    let mut sections: Vec<(&str, usize)> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in prompt.split_inclusive('\n') {
        let text = line.trim_end();
        let marks = text.len() - text.trim_start_matches(['`', '~']).len();
        match fence {
            None if marks >= 3 => fence = Some(&text[..marks]),
            Some(open) if text == open => fence = None,
            _ => {}
        }
        match (text.strip_prefix("# "), fence, sections.last_mut()) {
            (Some(title), None, _) => sections.push((title, line.len())),
            (_, _, Some((_, bytes))) => *bytes += line.len(),
            (_, _, None) => sections.push(("(before the first heading)", line.len())),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_inside_fences_are_content() {
        let prompt = "# A\nx\n````sh\n# no\n```\n````\n# B\ny\n";
        assert_eq!(sections(prompt), [("A", 27), ("B", 6)]);
    }
}
