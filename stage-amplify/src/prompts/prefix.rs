//! The prefixes of all passes, rendered from what was gathered.

use anyhow::Result;
use common::record::Plan;
use common::text::shorten;
use serde::Serialize;

use super::rows::as_lines;
use super::templates::Templates;
use crate::corpus::{Corpus, EnvironmentFiles, Example, Excerpt, ExistingTask, Occupations, Places, Profile};
use crate::difficulty::{self, Horizon, Level};

/// The maximum length of an existing task's description in the plan's prefix, in characters.
const DESCRIPTION_CHARS: usize = 240;

/// The maximum length of a row's activity in the README pass's prefix, in characters.
const ACTIVITY_CHARS: usize = 200;

/// The prefix of the plan pass, for new rows beside `rows`.
pub(crate) fn plan_prefix(templates: &Templates, corpus: &Corpus, rows: &[Plan]) -> Result<String> {
    let variables = Variables {
        existing: existing(corpus, DESCRIPTION_CHARS),
        rows: as_lines(rows)?,
        ..Variables::of(corpus)
    };
    templates.render("plan.md", variables)
}

/// The prefix of the README pass; `rows` is the plan.
pub(crate) fn readme_prefix(templates: &Templates, corpus: &Corpus, rows: &[Plan]) -> Result<String> {
    let plan = rows.iter().map(shortened).collect();
    templates.render("readme.md", Variables { existing: existing(corpus, 0), plan, ..Variables::of(corpus) })
}

/// The prefix of the files pass.
pub(crate) fn files_prefix(templates: &Templates, corpus: &Corpus) -> Result<String> {
    templates.render("files.md", Variables::of(corpus))
}

/// The prefix of the checklist pass.
pub(crate) fn checklist_prefix(templates: &Templates, corpus: &Corpus) -> Result<String> {
    templates.render("checklist.md", Variables::of(corpus))
}

/// The prefix of the fixtures pass.
pub(crate) fn fixtures_prefix(templates: &Templates, corpus: &Corpus) -> Result<String> {
    templates.render("fixtures.md", Variables::of(corpus))
}

/// The prefix of the solution pass.
pub(crate) fn solution_prefix(templates: &Templates, corpus: &Corpus) -> Result<String> {
    templates.render("solution.md", Variables::of(corpus))
}

/// The prefix of the agreement pass.
pub(crate) fn agreement_prefix(templates: &Templates, corpus: &Corpus) -> Result<String> {
    templates.render("agreement.md", Variables::of(corpus))
}

/// The prefix of the repair pass.
pub(crate) fn repair_prefix(templates: &Templates, corpus: &Corpus) -> Result<String> {
    templates.render("repair.md", Variables::of(corpus))
}

/// The variables that templates can name.
#[derive(Serialize)]
struct Variables<'a> {
    software: &'a str,
    env: &'a EnvironmentFiles,
    #[serde(flatten)]
    places: &'a Places,
    examples: &'a [Example],
    occupations: Option<&'a Occupations>,
    profile: Option<&'a Profile>,
    notes: Option<&'a Excerpt>,
    difficulties: &'a [String],
    /// What the labels mean.
    levels: [Level; 4],
    horizon: Horizon,
    /// Tasks that exist.
    existing: Vec<ExistingTask>,
    /// Rows that were accepted before, one per line.
    rows: String,
    /// All rows.
    plan: Vec<Plan>,
}

impl<'a> Variables<'a> {
    fn of(corpus: &'a Corpus) -> Self {
        Self {
            software: &corpus.software,
            env: &corpus.environment,
            places: &corpus.places,
            examples: &corpus.examples,
            occupations: corpus.occupations.as_ref(),
            profile: corpus.profile.as_ref(),
            notes: corpus.notes.as_ref(),
            difficulties: &corpus.difficulties,
            levels: difficulty::levels(corpus.horizon),
            horizon: corpus.horizon,
            existing: Vec::new(),
            rows: String::new(),
            plan: Vec::new(),
        }
    }
}

fn existing(corpus: &Corpus, max_chars: usize) -> Vec<ExistingTask> {
    corpus.existing.iter().map(|task| task.shortened(max_chars)).collect()
}

fn shortened(row: &Plan) -> Plan {
    Plan { activity: shorten(&row.activity, ACTIVITY_CHARS).into_owned(), ..row.clone() }
}
