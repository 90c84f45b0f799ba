//! Probes a task in a sandbox that is free.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use common::environment::Workspace;
use common::record::{Annotations, Issue, Mutation, Outcome, Probe, Severity};
use common::ui::Ui;
use sandbox::{Assessment, Repetition, Runs, Sandbox, SandboxError, TaskFolder, Unreadable, VerifiedTask};

use crate::issues::{self, StateRuns, issue};
use crate::mutants;
use crate::states::{self, KnownState};
use crate::variants;

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
            annotations: Annotations::new(),
        };
        match sandbox::load(folder) {
            Ok(Some(task)) => self.run_states(&task, &mut record, ui)?,
            Ok(None) => {
                let message = "the task is not verified by a program; there is nothing to run";
                record.issues.push(issue("not_probed", Severity::Warning, message));
            }
            Err(error) => {
                record.issues.push(issue(
                    "unreadable_task",
                    Severity::Error,
                    format!("{:#}", anyhow::Error::from(error)),
                ));
            }
        }
        record.issues.sort_by_key(|issue| issue.severity);
        record.ok = record.issues.iter().all(|issue| issue.severity != Severity::Error);
        Ok(record)
    }

    fn run_states(&self, task: &VerifiedTask, record: &mut Probe, ui: &Ui) -> Result<()> {
        let states = states::of_task(task.export_script.as_deref(), &task.fixtures);
        let runs = self.run(task, &states, self.repetition)?;
        if let Some(issue) = without_runs(&runs) {
            record.issues.push(issue);
            return Ok(());
        }
        for unreadable in &runs.unreadable {
            let name = states.get(unreadable.state).map_or("", |state| state.name.as_str());
            let reason = &unreadable.reason;
            ui.debug(format_args!("{}/{}: no state {name}: {reason}", record.env, record.task));
        }
        let state_runs = runs_by_state(&states, &runs);
        record.states = state_runs.iter().filter_map(StateRuns::record).collect();
        record.issues = issues::of_runs(&state_runs);
        let missing = missing_fixtures(&states, &runs.unreadable);
        if !missing.is_empty() {
            let message = format!("fixtures that cannot be set up: {}", missing.join(", "));
            record.issues.push(issue(Probe::UNJUDGED, Severity::Error, message));
        }
        if task.fixtures.golden.is_empty() {
            let message = "there is no golden fixture; nothing shows that the task can be passed";
            record.issues.push(issue("no_fixtures", Severity::Warning, message));
        }
        self.check_golden(task, record)
    }

    /// Runs the variants and the mutants of the first golden state, if that one passes.
    fn check_golden(&self, task: &VerifiedTask, record: &mut Probe) -> Result<()> {
        let passes =
            record.states.iter().any(|state| state.state == "golden" && state.outcome == Outcome::Pass);
        let Some(golden) = task.fixtures.golden.first().filter(|_| passes) else { return Ok(()) };
        let failed = self.names_by_outcome(task, &variants::of(golden), false)?;
        if !failed.is_empty() {
            let message = format!(
                "the verifier does not pass a golden state with irrelevant changes: {}",
                failed.join(", ")
            );
            record.issues.push(issue("rigid_verifier", Severity::Error, message));
        }
        let mutants = mutants::of(golden, self.mutants);
        if mutants.is_empty() {
            return Ok(());
        }
        let missed = self.names_by_outcome(task, &mutants, true)?;
        let caught = mutants.len() - missed.len();
        if caught == 0 {
            let message = format!("the verifier passes all {} mutants of a golden state", mutants.len());
            record.issues.push(issue("insensitive_verifier", Severity::Error, message));
        }
        record.mutation = Some(Mutation { mutants: mutants.len(), caught, missed });
        Ok(())
    }

    /// The names of the states in which the verifier passes, or in which it does not.
    fn names_by_outcome(
        &self,
        task: &VerifiedTask,
        states: &[KnownState],
        passes: bool,
    ) -> Result<Vec<String>> {
        if states.is_empty() {
            return Ok(Vec::new());
        }
        let runs = self.run(task, states, Repetition { times: 1, ..self.repetition })?;
        let mut names = Vec::new();
        for (state, runs) in states.iter().zip(&runs.by_state) {
            let is_pass = runs.first().is_some_and(|run| Assessment::of(run).outcome == Outcome::Pass);
            if is_pass == passes {
                names.push(state.name.clone());
            }
        }
        Ok(names)
    }

    /// Runs a verifier in these states. A failure is retried once in a new sandbox: the machine may have been
    /// short of memory or processes.
    fn run(&self, task: &VerifiedTask, states: &[KnownState], repetition: Repetition) -> Result<Runs> {
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

/// Why a verifier has no runs at all.
fn without_runs(runs: &Runs) -> Option<Issue> {
    if let Some(reason) = &runs.uncompilable {
        let message = format!("the verifier does not compile: {reason}");
        return Some(issue("does_not_compile", Severity::Error, message));
    }
    let message = format!("the verifier cannot be run: {}", runs.broken.as_ref()?);
    Some(issue("cannot_be_run", Severity::Error, message))
}

/// The runs of each state that has some.
fn runs_by_state<'a>(states: &'a [KnownState], runs: &Runs) -> Vec<StateRuns<'a>> {
    let mut state_runs = Vec::new();
    for (state, runs) in states.iter().zip(&runs.by_state) {
        if !runs.is_empty() {
            state_runs.push(StateRuns { state, assessments: runs.iter().map(Assessment::of).collect() });
        }
    }
    state_runs
}

/// The names of fixtures that could not be set up. States that are derived from an export script are optional.
fn missing_fixtures<'a>(states: &'a [KnownState], unreadable: &[Unreadable]) -> Vec<&'a str> {
    let states = unreadable.iter().filter_map(|unreadable| states.get(unreadable.state));
    states.filter(|state| !state.is_derived()).map(|state| state.name.as_str()).collect()
}

fn failed(runs: &Result<Runs, SandboxError>) -> bool {
    runs.as_ref().is_ok_and(|runs| runs.broken.is_some()) || runs.is_err()
}
