//! The passes on tasks that are there.

use std::collections::BTreeMap;

use anyhow::Result;
use common::environment::TaskName;
use common::record::{Failure, Files, Kind, Record, Task, TaskStatus};
use model_client::Prefix;

use crate::fixtures;
use crate::incoming;
use crate::prompt_data::PromptData;
use crate::repair::{FaultyTask, Findings, Rounds};
use crate::run::Run;
use crate::task_files;

impl Run<'_> {
    /// Has fixtures written for the tasks that come in as `files` or `task` records.
    pub(crate) fn write_fixtures(&mut self) -> Result<()> {
        let mut tasks = Vec::new();
        let mut came =
            incoming::records(self.settings, self.ui, &mut self.output, "files", &[Kind::Files, Kind::Task])?;
        if came.is_empty() {
            came = incoming::manifest(&self.settings.run_dir.manifest("files"), Kind::Files, self.ui)?;
        }
        for record in came {
            match record {
                Record::Files(files) if files.task.is_some() && !files.files.is_empty() => tasks.push(files),
                Record::Task(task) => tasks.extend(self.files_of(task)?),
                _ => {}
            }
        }
        let shared = self.prompt("fixtures")?;
        let total = tasks.len();
        self.each(tasks.into_iter(), Some(total), move |maker, task| fixtures::make(task, maker, &shared))
    }

    /// Has tasks mended in which checks have found faults.
    pub(crate) fn repair(&mut self) -> Result<()> {
        let settings = self.settings;
        let mut findings = Findings::default();
        let kinds = [Kind::Verdict, Kind::Probe];
        let mut came = incoming::records(settings, self.ui, &mut self.output, "probes", &kinds)?;
        if came.is_empty() {
            came = incoming::manifest(&settings.run_dir.manifest("verdicts"), Kind::Verdict, self.ui)?;
            came.extend(incoming::manifest(&settings.run_dir.manifest("probes"), Kind::Probe, self.ui)?);
        }
        for record in came {
            findings.take(record);
        }
        let mut rounds = Rounds::read(&settings.run_dir)?;
        let faulty = self.faulty(findings, &rounds)?;
        rounds.add(&faulty)?;
        let shared = self.prompt("repair")?;
        let total = faulty.len();
        self.each(faulty.into_iter(), Some(total), move |maker, task| task.mend(maker, &shared))
    }

    /// The tasks that can be mended; for the others, a failure is written.
    fn faulty(&mut self, findings: Findings, rounds: &Rounds) -> Result<Vec<FaultyTask>> {
        let settings = self.settings;
        let rows = incoming::plan_rows(settings, self.ui)?;
        let numbers: BTreeMap<String, usize> = rows.into_iter().map(|row| (row.task, row.index)).collect();
        let mut faulty = Vec::new();
        for (name, findings) in findings.into_tasks() {
            let index = numbers.get(&name).copied().unwrap_or_default();
            let Some(task) = TaskName::new(&name) else {
                self.unreadable(&name, index, "its name is not made of a-z, 0-9 and _")?;
                continue;
            };
            let env = settings.environment.name.clone();
            match task_files::read(&settings.environment.task_dir(&name)) {
                Err(error) => self.unreadable(&name, index, &format!("{error:#}"))?,
                Ok(files) => {
                    let task = FaultyTask { env, task, index, files, findings };
                    let spent = rounds.spent(&task);
                    if spent < settings.rounds {
                        faulty.push(task);
                    } else {
                        self.fail(task.given_up(spent))?;
                    }
                }
            }
        }
        Ok(faulty)
    }

    /// The files of a task that was extracted.
    fn files_of(&mut self, task: Task) -> Result<Option<Files>> {
        if matches!(task.status, TaskStatus::Rejected | TaskStatus::Planned) {
            return Ok(None);
        }
        let index = task.index.unwrap_or_default();
        match task_files::read(&self.settings.workspace.resolve(&task.dir)) {
            Ok(files) => {
                Ok(Some(Files { env: task.env, task: Some(task.task), index, files, ..Files::default() }))
            }
            Err(error) => {
                self.unreadable(&task.task, index, &format!("{error:#}"))?;
                Ok(None)
            }
        }
    }

    fn unreadable(&mut self, task: &str, index: usize, why: &str) -> Result<()> {
        self.fail(Failure {
            env: self.settings.environment.name.clone(),
            task: Some(task.to_owned()),
            stage: "amplify".to_owned(),
            index: Some(index),
            code: "unreadable_task".to_owned(),
            message: format!("its files cannot be sent to the model: {why}"),
            attempts: 0,
        })
    }

    fn prompt(&self, pass: &str) -> Result<Prefix> {
        let rows = incoming::plan_rows(self.settings, self.ui)?;
        let seeds = incoming::seed_names(self.settings, self.ui)?;
        let data = PromptData::gather(self.settings, &seeds, &rows, self.ui)?;
        self.kept.prompt(pass, 1, data.prompt(self.templates, pass)?)
    }
}
