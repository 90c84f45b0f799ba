//! An export that is a folder: its tasks are collected, environment by environment, and then published together.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use common::environment::Environment;
use common::text::count;
use common::ui::Ui;

use crate::exported::Exported;
use crate::folder::Marker;
use crate::grasp;
use crate::harbor::{self, Machine};
use crate::huggingface;
use crate::selection::{Chosen, LeftOut};
use crate::settings::{Format, Settings, Target};
use crate::{splits, verifiers};

/// An export that is being collected.
pub(crate) struct Export<'a> {
    path: &'a Path,
    format: &'a Format,
    /// The export that is there.
    earlier: Marker,
    tasks: Vec<Exported>,
    /// What Harbor needs of the environments, by name.
    machines: BTreeMap<String, Machine>,
    /// What GRASP's writer of skills is told of the environments, by name.
    notes: BTreeMap<String, String>,
    left_out: usize,
}

impl<'a> Export<'a> {
    /// Begins the export that the settings ask for. `None` if it is not a folder.
    pub(crate) fn open(settings: &'a Settings) -> Result<Option<Self>> {
        let Target::Folder { path, format } = &settings.target else { return Ok(None) };
        let earlier = Marker::read(path)?;
        let (machines, notes) = (BTreeMap::new(), BTreeMap::new());
        Ok(Some(Self { path, format, earlier, tasks: Vec::new(), machines, notes, left_out: 0 }))
    }

    /// Adds the tasks of an environment. Those that cannot be exported are returned.
    pub(crate) fn add(
        &mut self,
        settings: &Settings,
        environment: &Environment,
        chosen: Vec<Chosen>,
    ) -> Result<Vec<LeftOut>> {
        let earlier = self.earlier.sides(&environment.name);
        let sides = splits::sides(&settings.splits, environment, &chosen, &earlier)?;
        if self.format.runs_in_containers() {
            match Machine::read(environment, &settings.workspace) {
                Ok(machine) => drop(self.machines.insert(environment.name.clone(), machine)),
                Err(error) => {
                    return Ok(all_left_out(chosen, "environment_not_exportable", &format!("{error:#}")));
                }
            }
        }
        if let Format::Grasp { notes } = self.format {
            self.notes.insert(environment.name.clone(), grasp::read_notes(environment, notes.as_ref())?);
        }
        let solutions = settings.solutions(&environment.name);
        let mut left_out = Vec::new();
        for chosen in chosen {
            let task = chosen.task.clone();
            let Some(side) = sides.get(&task) else { continue };
            let read = Exported::read(environment, chosen, *side, &solutions);
            let needs_program = self.format.runs_in_containers();
            match read.and_then(|task| if needs_program { task.with_program(environment) } else { Ok(task) })
            {
                Ok(exported) => self.tasks.push(exported),
                Err(error) => {
                    left_out.push(LeftOut { task, code: "not_exportable", message: format!("{error:#}") });
                }
            }
        }
        Ok(left_out)
    }

    /// Counts tasks that were left out.
    pub(crate) fn left_out(&mut self, tasks: usize) {
        self.left_out += tasks;
    }

    /// Writes the folder.
    pub(crate) fn publish(self, ui: &Ui) -> Result<()> {
        let Self { path, format, tasks, machines, notes, left_out, .. } = self;
        ensure!(
            !tasks.is_empty(),
            "no task has the evidence that --require asks for; {} is as it was",
            path.display()
        );
        let folder = match format {
            Format::HuggingFace { license } => huggingface::folder(&tasks, license, left_out)?,
            Format::Harbor => harbor::folder(&tasks, &machines)?,
            Format::Verifiers => verifiers::folder(&tasks, &machines)?,
            Format::Grasp { .. } => grasp::folder(&tasks, &machines, &notes)?,
        };
        folder.publish(path, format.name(), &tasks)?;
        ui.info(format_args!("{} exported to {}", count(tasks.len() as u64, "task"), path.display()));
        Ok(())
    }
}

/// Leaves out all tasks of an environment, for one reason.
fn all_left_out(chosen: Vec<Chosen>, code: &'static str, message: &str) -> Vec<LeftOut> {
    chosen
        .into_iter()
        .map(|Chosen { task, .. }| LeftOut { task, code, message: message.to_owned() })
        .collect()
}
