//! Everything that the prompts of a run are rendered from.

use std::collections::BTreeSet;

use anyhow::Result;
use common::record::Plan;
use common::ui::Ui;
use serde::Serialize;

use crate::context::{self, Context};
use crate::examples::{self, Example, Wanted};
use crate::occupations::{self, Occupations};
use crate::profile::Profile;
use crate::prompts::Templates;
use crate::settings::Settings;
use crate::task_text::ExistingTask;

/// The most of an existing task's description that the plan is shown, in characters.
const DESCRIPTION_CHARS: usize = 240;

/// The most of a row's activity that the other rows are shown, in characters.
const ACTIVITY_CHARS: usize = 200;

/// What prompts speak of.
pub(crate) struct PromptData {
    software: String,
    env: Context,
    /// Tasks that are there and not of this run's making.
    pub(crate) existing: Vec<ExistingTask>,
    examples: Vec<Example>,
    occupations: Option<Occupations>,
    pub(crate) profile: Option<Profile>,
    difficulties: Vec<String>,
}

impl PromptData {
    /// Looks at the environment. `seeds` are the names of its seeds; what this run has planned (`rows`) is
    /// left out everywhere, so that a prompt is the same before and after its tasks are there.
    pub(crate) fn gather(settings: &Settings, seeds: &[String], rows: &[Plan], ui: &Ui) -> Result<Self> {
        let own: BTreeSet<&str> = rows.iter().map(|row| row.task.as_str()).collect();
        let environment = &settings.environment;
        let existing = context::existing_tasks(environment, |name| own.contains(name))?;
        let mut seeds: Vec<String> =
            seeds.iter().filter(|seed| !own.contains(seed.as_str())).cloned().collect();
        if seeds.is_empty() {
            seeds = existing.iter().map(|task| task.name.clone()).collect();
        }
        let wanted = Wanted { difficulties: &settings.difficulties, seed: settings.seed };
        Ok(Self {
            software: settings.software.clone(),
            env: Context::read(environment)?,
            existing,
            examples: examples::pick(environment, &seeds, settings.examples_root.as_deref(), wanted)?,
            occupations: occupations::look_up(&settings.software, &settings.occupations, ui)?,
            profile: settings
                .profile
                .as_deref()
                .map(|path| Profile::read(path, &environment.name))
                .transpose()?,
            difficulties: settings.offered_difficulties(),
        })
    }

    /// What the calls of the plan pass have in common, for rows beside `rows`.
    pub(crate) fn plan_prompt(&self, templates: &Templates, rows: &[Plan]) -> Result<String> {
        let rows = crate::planner::as_lines(rows)?;
        templates
            .render("plan.md", Shown { existing: self.existing(DESCRIPTION_CHARS), rows, ..self.shown() })
    }

    /// What the calls of the README pass have in common; `rows` is the plan.
    pub(crate) fn readme_prompt(&self, templates: &Templates, rows: &[Plan]) -> Result<String> {
        let plan = rows.iter().map(shortened).collect();
        templates.render("readme.md", Shown { existing: self.existing(0), plan, ..self.shown() })
    }

    /// What the calls of any other pass have in common.
    pub(crate) fn prompt(&self, templates: &Templates, pass: &str) -> Result<String> {
        templates.render(&format!("{pass}.md"), self.shown())
    }

    fn existing(&self, max_chars: usize) -> Vec<ExistingTask> {
        self.existing.iter().map(|task| task.shortened(max_chars)).collect()
    }

    fn shown(&self) -> Shown<'_> {
        let windows = self.env.is_windows();
        Shown {
            software: &self.software,
            env: &self.env,
            windows,
            ext: if windows { ".ps1" } else { ".sh" },
            shell_command: if windows { "by PowerShell" } else { "as `bash -lc <command>`" },
            examples: &self.examples,
            occupations: self.occupations.as_ref(),
            profile: self.profile.as_ref(),
            difficulties: &self.difficulties,
            existing: Vec::new(),
            rows: String::new(),
            plan: Vec::new(),
        }
    }
}

/// What templates can name.
#[derive(Serialize)]
struct Shown<'a> {
    software: &'a str,
    env: &'a Context,
    windows: bool,
    /// The ending of scripts.
    ext: &'static str,
    shell_command: &'static str,
    examples: &'a [Example],
    occupations: Option<&'a Occupations>,
    profile: Option<&'a Profile>,
    difficulties: &'a [String],
    /// Tasks that are there.
    existing: Vec<ExistingTask>,
    /// Rows that stand, a line each.
    rows: String,
    /// All rows.
    plan: Vec<Plan>,
}

fn shortened(row: &Plan) -> Plan {
    let activity = common::text::shorten(&row.activity, ACTIVITY_CHARS).into_owned();
    Plan { activity, ..row.clone() }
}
