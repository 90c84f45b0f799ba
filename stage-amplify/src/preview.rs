//! The prompts of a run, without any call.

use std::collections::BTreeMap;

use anyhow::Result;
use common::record::Plan;
use common::ui::Ui;
use serde_json::json;

use crate::corpus::Corpus;
use crate::difficulty;
use crate::incoming;
use crate::passes::{checklist, files, fixtures, readme};
use crate::prompts::{
    Templates, checklist_prefix, files_prefix, fixtures_prefix, plan_prefix, readme_prefix,
};
use crate::settings::{Pass, Settings};

/// The first prompt of a pass.
pub(crate) struct Preview {
    pub(crate) pass: Pass,
    /// The name of the pass, as in labels of calls.
    pub(crate) name: &'static str,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
    /// Whether the suffix contains what an earlier pass has written, rather than a placeholder.
    pub(crate) is_complete: bool,
}

/// The prompts of the plan, README, files, checklist and fixtures passes, rendered from what the run directory holds.
pub(crate) fn prompts(settings: &Settings, templates: &Templates, ui: &Ui) -> Result<[Preview; 5]> {
    let rows = incoming::plan_rows(settings, ui)?;
    let corpus = Corpus::gather(settings, &incoming::seed_names(settings, ui)?, &rows, ui)?;
    let row = rows.first().cloned().unwrap_or_else(placeholder);
    let mix = difficulty::mix(&corpus.difficulties, settings.count);
    let plan_ask = json!({"accepted": "", "rejected": [], "quotas": [], "mix": mix, "count": settings.count});
    let mut readme_ask = readme::variables(&row)?;
    let mut files_ask = files::variables(&row.task, "(its README)");
    let mut checklist_ask = checklist::variables(&row.task, &placeholder_files());
    let mut fixtures_ask = fixtures::variables(&row.task, &placeholder_files());
    for variables in [&mut readme_ask, &mut files_ask, &mut checklist_ask, &mut fixtures_ask] {
        variables.insert("problems".to_owned(), json!([]));
    }
    Ok([
        Preview {
            pass: Pass::Plan,
            name: "plan",
            prefix: plan_prefix(templates, &corpus, &rows)?,
            suffix: templates.render("plan.ask.md", plan_ask)?,
            is_complete: true,
        },
        Preview {
            pass: Pass::Readme,
            name: "readme",
            prefix: readme_prefix(templates, &corpus, &rows)?,
            suffix: templates.render("readme.ask.md", readme_ask)?,
            is_complete: !rows.is_empty(),
        },
        Preview {
            pass: Pass::Files,
            name: "files",
            prefix: files_prefix(templates, &corpus)?,
            suffix: templates.render("files.ask.md", files_ask)?,
            is_complete: false,
        },
        Preview {
            pass: Pass::Checklist,
            name: "checklist",
            prefix: checklist_prefix(templates, &corpus)?,
            suffix: templates.render("checklist.ask.md", checklist_ask)?,
            is_complete: false,
        },
        Preview {
            pass: Pass::Fixtures,
            name: "fixtures",
            prefix: fixtures_prefix(templates, &corpus)?,
            suffix: templates.render("fixtures.ask.md", fixtures_ask)?,
            is_complete: false,
        },
    ])
}

/// A row for a run that has no plan yet.
fn placeholder() -> Plan {
    Plan { task: "name_of_the_task".to_owned(), ..Plan::default() }
}

/// The files of a task that has none yet.
fn placeholder_files() -> BTreeMap<String, String> {
    [("README.md".to_owned(), "(its README)".to_owned())].into()
}
