//! What is gathered for prompts.

use std::collections::BTreeSet;

use anyhow::Result;
use common::record::Plan;
use common::ui::Ui;

use crate::difficulty::Horizon;
use crate::incoming;
use crate::settings::Settings;

mod data;
mod environment;
mod examples;
mod excerpt;
mod existing;
mod index;
mod notes;
mod occupations;
mod places;
mod profile;
mod secrets;
mod source;

pub(crate) use self::environment::EnvironmentFiles;
pub(crate) use self::examples::Example;
pub(crate) use self::excerpt::{Excerpt, excerpts};
pub(crate) use self::existing::ExistingTask;
pub(crate) use self::occupations::Occupations;
pub(crate) use self::places::Places;
pub(crate) use self::profile::{Profile, Quota};
pub(crate) use self::source::Source;

use self::examples::{Picked, Wanted};

/// Everything that prompts are rendered from, apart from the plan.
pub(crate) struct Corpus {
    pub(crate) software: String,
    pub(crate) environment: EnvironmentFiles,
    pub(crate) places: Places,
    /// The environment's tasks, without those of this run.
    pub(crate) existing: Vec<ExistingTask>,
    pub(crate) examples: Vec<Example>,
    pub(crate) occupations: Option<Occupations>,
    pub(crate) profile: Option<Profile>,
    /// Notes on the environment.
    pub(crate) notes: Option<Excerpt>,
    /// The difficulty labels that the model may use.
    pub(crate) difficulties: Vec<String>,
    pub(crate) horizon: Horizon,
}

impl Corpus {
    /// Gathers from the environment and from the files named by options. `seeds` are the names of the
    /// environment's seeds. Tasks of this run (`rows`) are left out everywhere, so that a prompt is the same
    /// before and after they are published.
    pub(crate) fn gather(settings: &Settings, seeds: &[String], rows: &[Plan], ui: &Ui) -> Result<Self> {
        let planned: BTreeSet<&str> = rows.iter().map(|row| row.task.as_str()).collect();
        let environment = &settings.environment;
        let source = Source::of(environment, &settings.send);
        let existing = existing::tasks(&source, &planned)?;
        let seeds: Vec<String> =
            seeds.iter().filter(|seed| !planned.contains(seed.as_str())).cloned().collect();
        let others: Vec<String> = existing.iter().map(|task| task.name.clone()).collect();
        let files = EnvironmentFiles::read(&source, &others)?;
        let places = Places::of(&source.spec());
        let wanted =
            Wanted { difficulties: &settings.difficulties, seed: settings.seed, sent: &settings.send };
        let root = settings.examples_root.as_deref();
        let Picked { examples, refused: of_tasks } =
            examples::pick(environment, &seeds, &others, root, wanted)?;
        let mut refused = source.into_refused();
        refused.add(&of_tasks);
        refused.report(ui);
        let profile = settings.profile.as_deref().map(|path| Profile::read(path, &environment.name));
        Ok(Self {
            software: settings.software.clone(),
            environment: files,
            places,
            existing,
            examples,
            occupations: occupations::look_up(&settings.software, &settings.occupations, ui)?,
            profile: profile.transpose()?,
            notes: settings.env_notes.as_deref().map(notes::read).transpose()?,
            difficulties: settings.offered_difficulties(),
            horizon: settings.horizon,
        })
    }

    /// Gathers for the plan and the seeds of the run directory.
    pub(crate) fn of_run(settings: &Settings, ui: &Ui) -> Result<Self> {
        let rows = incoming::plan_rows(settings, ui)?;
        let seeds = incoming::seed_names(settings, ui)?;
        Self::gather(settings, &seeds, &rows, ui)
    }
}
