//! The details of each task: inert text in the page, until it is opened.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use common::environment::Workspace;
use common::record::Files;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::changes::{self, Step, Version};
use super::folder::{Checklist, FileView, Folder, Shot, shots};
use super::markdown;
use super::rows::ladder;
use crate::report::Report;
use crate::source::{self, Run};
use crate::task::Task;

/// The largest page, in bytes: a browser opens it at once. Files are left out where it is reached.
const MAX_PAGE: usize = 28 << 20;

/// Writes the details of all tasks.
pub(super) struct Details<'a> {
    pub(super) report: &'a Report,
    pub(super) runs: &'a [Run],
    pub(super) workspace: &'a Workspace,
    pub(super) templates: &'a Environment<'a>,
    pub(super) has_files: bool,
}

/// What is shown of a task beside its records.
#[derive(Debug, Default, Serialize)]
struct Shown {
    readme: Option<String>,
    checklist: Option<Checklist>,
    files: Vec<FileView>,
    others: Vec<(String, String)>,
    changes: Vec<Step>,
    shots: Vec<Shot>,
    /// How many screenshots are not shown.
    more_shots: usize,
    /// Why files are missing.
    note: Option<&'static str>,
}

impl Details<'_> {
    pub(super) fn write(&self, page: &mut String) -> Result<()> {
        let tasks = &self.report.tasks;
        for (number, task) in tasks.iter().enumerate() {
            let mut html = String::new();
            if self.has_files && page.len() < MAX_PAGE {
                // Every task has its share of the page, half of it for pictures.
                let share = (MAX_PAGE - page.len()) / (tasks.len() - number);
                let shown = self.shown(task, share / 2);
                html = self.render(number, task, &shown)?;
            }
            if html.is_empty() || page.len() + html.len() > MAX_PAGE {
                let note = if self.has_files {
                    "The files are left out: the page would be too large. Report fewer runs to see them."
                } else {
                    "The files are left out (--no-files)."
                };
                let shown = Shown { note: Some(note), ..Shown::default() };
                html = self.render(number, task, &shown)?;
            }
            page.push_str(&html);
        }
        Ok(())
    }

    fn render(&self, number: usize, task: &Task, shown: &Shown) -> Result<String> {
        let template = self.templates.get_template("task.html")?;
        let rendered = template.render(context! {
            number, task => Value::from(Serde(task)), shown => Value::from(Serde(shown)),
            ladder => Value::from(Serde(ladder(task))),
            readme => shown.readme.clone().map(Value::from_safe_string),
            score => task.mutation_score(),
        });
        rendered.with_context(|| format!("cannot render the task {}", task.name))
    }

    /// Reads what is shown of a task, with pictures in at most `budget` bytes of the page.
    fn shown(&self, task: &Task, budget: usize) -> Shown {
        let run = self.runs.get(task.run);
        let key = (task.env.clone(), task.name.clone());
        let answered = run.and_then(|run| run.records.tasks.get(&key)?.files.as_ref());
        let dir = (!task.dir.is_empty()).then(|| self.workspace.resolve(&task.dir).ok()).flatten();
        let is_there = dir.as_deref().is_some_and(std::path::Path::is_dir);
        let (folder, note) = match (dir.filter(|_| is_there), answered) {
            (Some(dir), _) => (Folder::read(&dir), None),
            (None, Some(answer)) if !answer.files.is_empty() => {
                let folder = Folder { texts: answer.files.clone(), others: Vec::new() };
                (folder, Some("There is no task folder. These are the files of the model's answer."))
            }
            _ => (Folder::default(), Some("There is no task folder.")),
        };
        let is_name = common::environment::is_folder_name(&task.name);
        let run_dir = run.and_then(|run| run.dir.as_deref()).filter(|_| is_name);
        let (shots, more_shots) = run_dir.map_or_else(Default::default, |dir| {
            // In base64, three bytes are four.
            shots(&dir.join("trials").join(&task.name), budget / 4 * 3)
        });
        let repairs = run_dir.map_or_else(Vec::new, |dir| source::repairs(dir, &task.name));
        Shown {
            readme: folder.texts.get("README.md").map(|readme| markdown::to_html(readme)),
            checklist: Checklist::of(&folder.texts),
            files: folder.views(&task.findings),
            changes: changes(answered, &repairs, &folder.texts),
            shots,
            more_shots,
            others: folder.others,
            note,
        }
    }
}

fn version(title: String, answer: &Files) -> Version<'_> {
    let reasons = answer.problems.iter().map(|problem| problem.message.clone()).collect();
    Version { title, reasons, files: &answer.files }
}

/// What each repair changed, and what was changed after the last one.
fn changes(answered: Option<&Files>, repairs: &[Files], folder: &BTreeMap<String, String>) -> Vec<Step> {
    let mut versions: Vec<Version<'_>> = Vec::new();
    versions.extend(answered.map(|answer| version("answer".to_owned(), answer)));
    let numbered = repairs.iter().enumerate();
    versions.extend(numbered.map(|(i, repaired)| version(format!("Repair {}", i + 1), repaired)));
    let since = if repairs.is_empty() { "Since the model's answer" } else { "Since the last repair" };
    versions.push(Version { title: since.to_owned(), reasons: Vec::new(), files: folder });
    changes::steps(&versions)
}
