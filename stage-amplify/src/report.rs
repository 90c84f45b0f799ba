//! What the stage tells about prompts, tokens and money.

use anyhow::Result;
use common::exit::ExitStatus;
use common::model::Client;
use common::publish::write_file_atomic;
use common::record::Plan;
use common::ui::Ui;
use fs_err as fs;
use serde_json::json;

use crate::args::Settings;
use crate::incoming;
use crate::planner::as_line;
use crate::prompts::Templates;
use crate::scene::Scene;

/// What was spent so far, for the progress line.
pub(crate) fn spent(client: &Client) -> String {
    let totals = client.totals();
    format!("{} calls, {} in flight, ${:.2}", totals.answers, totals.in_flight, totals.spent)
}

/// Says at the end what the run took.
pub(crate) fn totals(client: &Client, ui: &Ui) {
    let totals = client.totals();
    let usage = totals.usage;
    ui.info(format_args!(
        "{} answers from the model, {} from the journal; {} tokens in ({} % from a cache), {} out; ${:.2}",
        totals.answers,
        totals.journalled,
        usage.input(),
        (usage.cache_read * 100).checked_div(usage.input()).unwrap_or(0),
        usage.output(),
        totals.spent,
    ));
}

/// Writes the prompts as they would be sent to the run directory, and shows what they consist of.
pub(crate) fn dry_run(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<ExitStatus> {
    let plan = incoming::manifest(&settings.run_dir.manifest("plan"), common::record::Kind::Plan, ui)?;
    let rows: Vec<Plan> = plan
        .into_iter()
        .filter_map(|record| match record {
            common::record::Record::Plan(row) => Some(row),
            _ => None,
        })
        .collect();
    let seeds = incoming::seed_names(settings, ui)?;
    let scene = Scene::set(settings, &seeds, &rows, ui)?;
    let row = rows.first().cloned().unwrap_or_else(placeholder);
    let line = as_line(&row)?;
    let prompts = [
        (
            "plan",
            scene.plan_prompt(templates, &rows)?,
            templates.render(
                "plan.ask.md",
                json!({"accepted": "", "rejected": [], "quotas": [], "count": settings.count}),
            )?,
        ),
        (
            "readme",
            scene.readme_prompt(templates, &rows)?,
            templates.render("readme.ask.md", json!({"row": line, "task": row.task, "problems": []}))?,
        ),
        (
            "files",
            scene.files_prompt(templates)?,
            templates.render(
                "files.ask.md",
                json!({"readme": "(the README)", "task": row.task, "problems": []}),
            )?,
        ),
    ];
    let dir = settings.run_dir.root().join("prompts").join("dry-run");
    fs::create_dir_all(&dir)?;
    for (pass, shared, own) in prompts {
        let path = dir.join(format!("{pass}.md"));
        write_file_atomic(&path, format!("{shared}{own}").as_bytes())?;
        ui.info(format_args!("{}: {} bytes shared, {} own", path.display(), shared.len(), own.len()));
        for (title, bytes) in sections(&shared) {
            ui.info(format_args!("  {bytes:>8}  {title}"));
        }
    }
    Ok(ExitStatus::Done)
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
