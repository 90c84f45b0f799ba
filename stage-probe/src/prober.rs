//! Probes a task in a sandbox that is free.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use common::environment::Workspace;
use common::record::{Mutation, Outcome, Probe, Severity};
use common::ui::Ui;
use sandbox::{Repetition, Runs, Sandbox, SandboxError};

use crate::assessment::Assessment;
use crate::issues::{self, StateRuns, issue};
use crate::mutants;
use crate::states::{self, KnownState};
use crate::task::{self, ProbeTask, TaskFolder};

/// Probes tasks, each in a sandbox of its own while it runs.
#[derive(Debug)]
pub(crate) struct Prober {
    sandboxes: sandbox::Settings,
    repetition: Repetition,
    /// The largest number of mutants of a golden state.
    mutants: usize,
    idle: Mutex<Vec<Sandbox>>,
}

impl Prober {
    /// A prober that uses `first`, and starts more sandboxes when it needs them.
    pub(crate) fn new(
        sandboxes: sandbox::Settings,
        first: Option<Sandbox>,
        repetition: Repetition,
        mutants: usize,
    ) -> Self {
        Self { sandboxes, repetition, mutants, idle: Mutex::new(first.into_iter().collect()) }
    }

    /// Runs the verifier of a task in all its states. Problems of the task are part of the record. An error
    /// means that this machine failed.
    pub(crate) fn probe(&self, folder: &TaskFolder, workspace: &Workspace, ui: &Ui) -> Result<Probe> {
        let mut record = Probe {
            env: folder.env.clone(),
            task: folder.task.clone(),
            dir: workspace.relative(&folder.dir),
            ok: true,
            states: Vec::new(),
            mutation: None,
            issues: Vec::new(),
        };
        match task::load(folder) {
            Ok(Some(task)) => self.run_states(&task, &mut record, ui)?,
            Ok(None) => {
                let message = "the task is not verified by a program; there is nothing to run";
                record.issues.push(issue("not_probed", Severity::Warning, message));
            }
            Err(error) => {
                record.issues.push(issue("unreadable_task", Severity::Error, format!("{error:#}")));
            }
        }
        record.ok = record.issues.iter().all(|issue| issue.severity != Severity::Error);
        Ok(record)
    }

    fn run_states(&self, task: &ProbeTask, record: &mut Probe, ui: &Ui) -> Result<()> {
        let states = states::of_task(task.export_script.as_deref(), &task.fixtures);
        let runs = self.run(task, &states, self.repetition)?;
        if let Some(reason) = runs.uncompilable {
            let message = format!("the verifier does not compile: {reason}");
            record.issues.push(issue("does_not_compile", Severity::Error, message));
            return Ok(());
        }
        if let Some(reason) = runs.broken {
            let message = format!("the verifier cannot be run: {reason}");
            record.issues.push(issue("cannot_be_run", Severity::Error, message));
            return Ok(());
        }
        for unreadable in &runs.unreadable {
            let name = states.get(unreadable.state).map_or("", |state| state.name.as_str());
            let reason = &unreadable.reason;
            ui.debug(format_args!("{}/{}: no state {name}: {reason}", record.env, record.task));
        }
        let state_runs: Vec<StateRuns> = states
            .iter()
            .zip(&runs.by_state)
            .filter(|(_, runs)| !runs.is_empty())
            .map(|(state, runs)| StateRuns { state, assessments: runs.iter().map(Assessment::of).collect() })
            .collect();
        record.states = state_runs.iter().filter_map(StateRuns::record).collect();
        record.issues = issues::of_runs(&state_runs);
        if task.fixtures.golden.is_empty() {
            let message = "there is no golden fixture; nothing shows that the task can be passed";
            record.issues.push(issue("no_fixtures", Severity::Warning, message));
        }
        record.mutation = self.mutation(task, record)?;
        Ok(())
    }

    /// Runs the mutants of the first golden state, if that one passes.
    fn mutation(&self, task: &ProbeTask, record: &Probe) -> Result<Option<Mutation>> {
        let passes =
            record.states.iter().any(|state| state.state == "golden" && state.outcome == Outcome::Pass);
        let Some(golden) = task.fixtures.golden.first().filter(|_| passes) else { return Ok(None) };
        let mutants = mutants::of(golden, self.mutants);
        if mutants.is_empty() {
            return Ok(None);
        }
        let runs = self.run(task, &mutants, Repetition { times: 1, ..self.repetition })?;
        let mut mutation = Mutation { mutants: mutants.len(), ..Mutation::default() };
        for (mutant, runs) in mutants.iter().zip(&runs.by_state) {
            if runs.first().is_some_and(|run| Assessment::of(run).outcome == Outcome::Pass) {
                mutation.missed.push(mutant.name.clone());
            }
        }
        mutation.caught = mutation.mutants - mutation.missed.len();
        Ok(Some(mutation))
    }

    /// Runs a verifier in these states. A failure is retried once in a new sandbox: the machine may have been
    /// short of memory or processes.
    fn run(&self, task: &ProbeTask, states: &[KnownState], repetition: Repetition) -> Result<Runs> {
        let states: Vec<_> = states.iter().map(|known| &known.state).collect();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sandbox = match idle {
            Some(sandbox) => sandbox,
            None => Sandbox::start(&self.sandboxes)?,
        };
        let mut runs = sandbox.run(&task.program, &states, repetition);
        if failed(&runs) {
            sandbox = Sandbox::start(&self.sandboxes)?;
            runs = sandbox.run(&task.program, &states, repetition);
        }
        let runs =
            runs.with_context(|| format!("cannot probe {}/{}", task.program.env, task.program.task))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sandbox);
        Ok(runs)
    }
}

fn failed(runs: &Result<Runs, SandboxError>) -> bool {
    runs.as_ref().is_ok_and(|runs| runs.broken.is_some()) || runs.is_err()
}
