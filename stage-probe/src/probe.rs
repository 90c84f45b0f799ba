//! Probing one task, with whichever worker is free.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use common::environment::Workspace;
use common::record::{Issue, Mutation, Outcome, Probe, Severity};
use common::ui::Ui;

use crate::args::Args;
use crate::judge::{self, Answer, Asked};
use crate::mutants;
use crate::states::{self, State};
use crate::task::{self, Loaded, Place, ProbeTask};
use crate::worker::{Reply, Request, Run, Worker, WorkerSettings};

/// How a task is probed.
#[derive(Debug)]
pub(crate) struct Prober {
    workers: WorkerSettings,
    /// How often a verifier is run in each state.
    repeat: u32,
    /// How long each run may take, in seconds.
    seconds: u64,
    /// How many mutants of its golden state at most.
    mutants: usize,
    idle: Mutex<Vec<Worker>>,
}

/// What the runs of a verifier came to.
#[derive(Default)]
struct Runs {
    /// State by state, in the order they were done.
    by_state: Vec<Vec<Run>>,
    /// States that could not be made, and why.
    unreadable: Vec<(usize, String)>,
    /// Why the verifier cannot be compiled.
    uncompilable: Option<String>,
    /// How the process that keeps the task failed.
    broken: Option<String>,
}

impl Prober {
    /// A prober that has these workers to begin with, and starts more as they are needed.
    pub(crate) fn new(workers: WorkerSettings, idle: Vec<Worker>, args: &Args) -> Self {
        Self {
            workers,
            repeat: args.repeat,
            seconds: args.timeout,
            mutants: args.mutants,
            idle: Mutex::new(idle),
        }
    }

    /// Runs the verifier of the task at `place` in all its states. An error is one of this machine's; what
    /// is wrong with the task is in the record.
    pub(crate) fn probe(&self, place: &Place, workspace: &Workspace, ui: &Ui) -> Result<Probe> {
        let mut record = Probe {
            env: place.env.clone(),
            task: place.task.clone(),
            dir: workspace.relative(&place.dir),
            ok: true,
            states: Vec::new(),
            mutation: None,
            issues: Vec::new(),
        };
        match task::load(place) {
            Ok(Loaded::Task(task)) => self.run_states(place, &task, &mut record, ui)?,
            Ok(Loaded::NoProgram) => {
                let message = "the task is judged without a program: there is nothing to run";
                record.issues.push(issue("not_probed", Severity::Warning, message));
            }
            Err(error) => {
                record.issues.push(issue("unreadable_task", Severity::Error, &format!("{error:#}")));
            }
        }
        record.ok = record.issues.iter().all(|issue| issue.severity != Severity::Error);
        Ok(record)
    }

    fn run_states(&self, place: &Place, task: &ProbeTask, record: &mut Probe, ui: &Ui) -> Result<()> {
        let states = states::of_task(task.export_script.as_deref(), &task.fixtures);
        let runs = self.run(place, task, &states, self.repeat)?;
        if let Some(why) = runs.uncompilable {
            let message = format!("the verifier does not compile: {why}");
            record.issues.push(issue("does_not_compile", Severity::Error, &message));
            return Ok(());
        }
        if let Some(why) = runs.broken {
            let message = format!("the verifier cannot be run: {why}");
            record.issues.push(issue("cannot_be_run", Severity::Error, &message));
            return Ok(());
        }
        for (state, why) in runs.unreadable {
            let name = states.get(state).map_or("", |state| state.name.as_str());
            ui.debug(format_args!("{}/{}: no state {name}: {why}", place.env, place.task));
        }
        let asked: Vec<Asked> = states
            .iter()
            .zip(&runs.by_state)
            .filter(|(_, runs)| !runs.is_empty())
            .map(|(state, runs)| Asked {
                state,
                answers: runs.iter().map(|run| (Answer::of(run), run.seconds)).collect(),
            })
            .collect();
        record.states = asked.iter().filter_map(Asked::record).collect();
        record.issues = judge::issues(&asked);
        if task.fixtures.golden.is_empty() {
            let message = "the verifier was shown no golden state, for want of fixtures: nothing says that the task can be passed";
            record.issues.push(issue("no_fixtures", Severity::Warning, message));
        }
        record.mutation = self.mutation(place, task, record)?;
        Ok(())
    }

    /// Runs the mutants of the first golden state, if that one passes.
    fn mutation(&self, place: &Place, task: &ProbeTask, record: &Probe) -> Result<Option<Mutation>> {
        let passes = |name: &str| {
            record.states.iter().any(|state| state.state == name && state.outcome == Outcome::Pass)
        };
        let Some(golden) = task.fixtures.golden.first().filter(|_| passes("golden")) else { return Ok(None) };
        let mutants = mutants::of(golden, self.mutants);
        if mutants.is_empty() {
            return Ok(None);
        }
        let runs = self.run(place, task, &mutants, 1)?;
        let mut mutation = Mutation { mutants: mutants.len(), ..Mutation::default() };
        for (mutant, runs) in mutants.iter().zip(&runs.by_state) {
            if runs.first().is_some_and(|run| Answer::of(run).outcome == Outcome::Pass) {
                mutation.missed.push(mutant.name.clone());
            }
        }
        mutation.caught = mutation.mutants - mutation.missed.len();
        Ok(Some(mutation))
    }

    /// Runs a verifier in these states, in a worker. Where that fails it is tried once more, in a new worker:
    /// the machine may have been short of something.
    fn run(&self, place: &Place, task: &ProbeTask, states: &[State], repeat: u32) -> Result<Runs> {
        let request = Request {
            env: &place.env,
            task: &place.task,
            env_id: &task.env_id,
            verifier: &task.verifier,
            function: &task.function,
            task_info: &task.info,
            states,
            repeat,
            seconds: self.seconds,
            files: task.files.iter().map(|(name, content)| (name.as_str(), content.len())).collect(),
        };
        let contents: Vec<&[u8]> = task.files.iter().map(|(_, content)| content.as_slice()).collect();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = idle.map_or_else(|| Worker::start(&self.workers), Ok)?;
        let mut runs = Self::run_in(&mut worker, &request, &contents);
        if !runs.as_ref().is_ok_and(|runs| runs.broken.is_none()) {
            worker = Worker::start(&self.workers)?;
            runs = Self::run_in(&mut worker, &request, &contents);
        }
        let runs = runs.with_context(|| format!("cannot probe {}/{}", place.env, place.task))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        Ok(runs)
    }

    fn run_in(worker: &mut Worker, request: &Request, contents: &[&[u8]]) -> Result<Runs> {
        worker.ask(request, contents)?;
        let mut runs = Runs { by_state: vec![Vec::new(); request.states.len()], ..Runs::default() };
        loop {
            match worker.reply(request.seconds)? {
                Reply::Run(run) => {
                    let state = runs.by_state.get_mut(run.state).context("a run of no state")?;
                    state.push(run);
                }
                Reply::Unreadable(state) => runs.unreadable.push((state.state, state.why)),
                Reply::Uncompilable(why) => runs.uncompilable = Some(why),
                Reply::Broken(why) => runs.broken = Some(why),
                Reply::End(how) => {
                    if how != "exit 0" {
                        runs.broken.get_or_insert(format!("the process that keeps its task ended: {how}"));
                    }
                    return Ok(runs);
                }
                Reply::Ready(_) => bail!("the sandbox started again"),
            }
        }
    }
}

fn issue(code: &str, severity: Severity, message: &str) -> Issue {
    Issue { code: code.to_owned(), severity, message: message.to_owned(), path: None }
}
