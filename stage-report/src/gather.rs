//! The records of each task. Of several records of one kind the last one counts, as in the chain itself.

use std::collections::{BTreeMap, BTreeSet};

use common::record::{Agreement, Failure, Files, Plan, Probe, Record, SpecKind, Task, Trial, Verdict};
use task_spec::readme::expert_steps;

/// All records of a source.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// By environment and name.
    pub(crate) tasks: BTreeMap<(String, String), TaskRecords>,
    /// Verdicts of environments, by name.
    pub(crate) environments: BTreeMap<String, Verdict>,
    /// Failures of no task.
    pub(crate) failures: Vec<Failure>,
    /// The tasks that a stage or a filter left out, by environment and name or number.
    pub(crate) dropped: BTreeSet<(String, Option<String>)>,
    /// The number of seeds.
    pub(crate) seeds: usize,
}

/// The records of one task.
#[derive(Debug, Default)]
pub(crate) struct TaskRecords {
    pub(crate) plan: Option<Plan>,
    /// The number of an expert's actions, by the README.
    pub(crate) expert_steps: Option<u32>,
    pub(crate) files: Option<Files>,
    pub(crate) task: Option<Task>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) probe: Option<Probe>,
    pub(crate) trial: Option<Trial>,
    pub(crate) agreement: Option<Agreement>,
    pub(crate) failures: Vec<Failure>,
}

impl Gathered {
    pub(crate) fn add(&mut self, record: Record) {
        match record {
            Record::Seed(_) => self.seeds += 1,
            Record::Plan(plan) => {
                let of_task = self.of(&plan.env, &plan.task);
                of_task.plan = Some(plan);
            }
            Record::Spec(spec) => {
                self.of(&spec.env, &spec.task).expert_steps = expert_steps(&spec.readme);
            }
            Record::Files(files) => {
                let name = files.task.clone().unwrap_or_else(|| format!("answer {}", files.index));
                let of_task = self.of(&files.env, &name);
                of_task.files = Some(files);
            }
            Record::Task(task) => {
                let of_task = self.of(&task.env, &task.task);
                of_task.task = Some(task);
            }
            Record::Verdict(verdict) if verdict.kind == SpecKind::Env => {
                self.environments.insert(verdict.env.clone(), verdict);
            }
            Record::Verdict(verdict) => {
                let of_task = self.of(&verdict.env, verdict.task.as_deref().unwrap_or_default());
                of_task.verdict = Some(verdict);
            }
            Record::Probe(probe) => {
                let of_task = self.of(&probe.env, &probe.task);
                of_task.probe = Some(probe);
            }
            Record::Trial(trial) => {
                let of_task = self.of(&trial.env, &trial.task);
                of_task.trial = Some(*trial);
            }
            Record::Agreement(agreement) => {
                let of_task = self.of(&agreement.env, &agreement.task);
                of_task.agreement = Some(agreement);
            }
            Record::Failure(failure) => self.add_failure(failure),
            Record::Dropped(dropped) => {
                // It passes through the stages after it, as a failure does.
                self.dropped
                    .insert((dropped.env, dropped.task.or(dropped.index.map(|index| index.to_string()))));
            }
            Record::Solution(_) | Record::Decision(_) => {}
        }
    }

    /// A failure passes through the stages after it, so several manifests hold it.
    fn add_failure(&mut self, failure: Failure) {
        let failures = match &failure.task {
            Some(task) => &mut self.of(&failure.env, &task.clone()).failures,
            None => &mut self.failures,
        };
        if !failures.contains(&failure) {
            failures.push(failure);
        }
    }

    fn of(&mut self, env: &str, task: &str) -> &mut TaskRecords {
        self.tasks.entry((env.to_owned(), task.to_owned())).or_default()
    }
}
