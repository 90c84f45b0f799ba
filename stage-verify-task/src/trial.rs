//! Runs the episodes of a task.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{self, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use common::environment::Workspace;
use common::record::{Issue, Severity, Trial};
use common::ui::Ui;
use crossbeam_channel::Receiver;
use sandbox::{Otherwise, Sandbox, State, TaskFolder, Vlm};
use task_spec::machine::Mount;

use crate::engine::{Engine, EngineError};
use crate::episode::{Action, Look, Observed, Run};
use crate::evidence::{Evidence, Keep};
use crate::image::{Images, Ready};
use crate::issues::{self, Context, Ended, SOLVE};
use crate::task::{LiveTask, Solutions};

/// How tasks are run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The network of episodes whose environment asks for one.
    pub(crate) network: Option<String>,
    /// Whether the untouched episode is run twice.
    pub(crate) repeat: bool,
    /// The folder of the solutions, instead of that in the run directory.
    pub(crate) solutions: Option<PathBuf>,
    /// The time limit of a solution.
    pub(crate) solution_limit: Duration,
    /// The time limit of a verifier, in seconds of processor time.
    pub(crate) verifier_seconds: u64,
    pub(crate) keep: Keep,
}

/// Runs tasks.
pub(crate) struct Tryer {
    pub(crate) engine: Engine,
    pub(crate) images: Images,
    pub(crate) plan: Plan,
    pub(crate) workspace: Workspace,
    /// The run directory that was asked for; otherwise that of the environment.
    pub(crate) run_dir: Option<PathBuf>,
    pub(crate) sandboxes: sandbox::Settings,
    pub(crate) idle: Mutex<Vec<Sandbox>>,
    pub(crate) stop: Receiver<Infallible>,
    pub(crate) ui: Ui,
}

/// The episodes of one task, as they are run.
struct Episodes<'a> {
    tryer: &'a Tryer,
    ready: &'a Ready,
    task: &'a LiveTask,
    /// The folder of the solutions.
    solutions: PathBuf,
    evidence: Evidence,
    ended: Vec<Ended>,
}

impl Tryer {
    /// Runs a task. An error is one of the engine or of this machine, and says nothing about the task.
    pub(crate) fn run(&self, folder: &TaskFolder) -> Result<Trial> {
        let mut trial = Trial {
            env: folder.env.clone(),
            task: folder.task.clone(),
            dir: self.workspace.relative(&folder.dir),
            engine: self.engine.name().to_owned(),
            ..Trial::default()
        };
        let ready = match self.images.of(folder.env_root()) {
            Ok(ready) => ready,
            Err(_) if self.is_stopped() => return Err(EngineError::Interrupted.into()),
            Err(reason) => {
                trial.not_run = Some(format!("there is no image of the environment: {reason}"));
                return Ok(trial);
            }
        };
        trial.image.clone_from(&ready.image);
        let task = match LiveTask::load(folder, &ready.spec) {
            Ok(Some(task)) => task,
            Ok(None) => {
                trial.not_run = Some("the task is not verified by a program".to_owned());
                return Ok(trial);
            }
            Err(error) => {
                trial.issues.push(issue("unreadable_task", format!("{error:#}")));
                return Ok(trial);
            }
        };
        self.run_episodes(folder, &ready, &task, &mut trial)?;
        Ok(trial)
    }

    fn run_episodes(
        &self,
        folder: &TaskFolder,
        ready: &Ready,
        task: &LiveTask,
        trial: &mut Trial,
    ) -> Result<()> {
        let run_dir = self.run_dir.clone().unwrap_or_else(|| self.workspace.run_dir(&folder.env));
        let evidence = Evidence::of(&run_dir.join("trials"), &folder.task, self.plan.keep)
            .context("cannot remove the evidence of an earlier run")?;
        let solutions =
            self.plan.solutions.clone().unwrap_or_else(|| run_dir.join("solutions")).join(&folder.task);
        // An engine takes absolute paths only.
        let solutions = path::absolute(solutions)?;
        let found = Solutions::find(&solutions)?;
        let mut episodes = Episodes { tryer: self, ready, task, solutions, evidence, ended: Vec::new() };
        episodes.run_all(&found)?;
        let context = Context {
            fixtures: &task.fixtures,
            has_network: self.network(ready).is_some(),
            exports: task.post_task.is_some(),
        };
        trial.issues = issues::of_trial(&mut episodes.ended, &context);
        trial.ok = trial.issues.iter().all(|issue| issue.severity != Severity::Error);
        trial.app_version = ready.app_version.get().cloned().unwrap_or_default();
        let is_pruned = episodes.evidence.prune(trial.ok && trial.issues.is_empty())?;
        for ended in episodes.ended {
            let mut record = ended.observed.record;
            if is_pruned {
                record.evidence.clear();
            }
            trial.episodes.push(record);
        }
        Ok(())
    }

    /// The network of episodes.
    fn network(&self, ready: &Ready) -> Option<&str> {
        self.plan.network.as_deref().filter(|_| ready.spec.resources.net == Some(true))
    }

    fn is_stopped(&self) -> bool {
        self.stop.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected)
    }

    fn sandbox(&self) -> Result<Sandbox, sandbox::SandboxError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Sandbox::start(&self.sandboxes), Ok)
    }
}

impl Episodes<'_> {
    fn run_all(&mut self, solutions: &Solutions) -> Result<()> {
        self.run("untouched", &Action::Nothing)?;
        if !self.ended.iter().all(Ended::is_set_up) {
            return Ok(());
        }
        if self.tryer.plan.repeat {
            self.run("untouched_again", &Action::Nothing)?;
        }
        if solutions.solves {
            self.run_solution()?;
        }
        for name in &solutions.wrong {
            self.run(&format!("wrong:{name}"), &Action::Script(format!("wrong-{name}.sh")))?;
        }
        Ok(())
    }

    /// Runs the solution, and once more with a restart of the application. If one of them fails, a further run tells
    /// whether that was by chance.
    fn run_solution(&mut self) -> Result<()> {
        let solve = Action::Script(SOLVE.to_owned());
        let mut passes = self.run("solution", &solve)?;
        let has_windows = self.ended.last().is_some_and(|ended| !ended.observed.record.windows.is_empty());
        if passes && has_windows {
            passes = self.run("restart", &Action::ScriptAndRestart(SOLVE.to_owned()))?;
        }
        if !passes {
            self.run("solution_again", &solve)?;
        }
        Ok(())
    }

    /// Runs an episode. Returns whether the verifier passes it.
    fn run(&mut self, name: &str, action: &Action) -> Result<bool> {
        let mut observed = match self.attempt(name, action) {
            Ok(observed) => observed,
            Err(EngineError::Interrupted) => return Err(EngineError::Interrupted.into()),
            // The machine may have been short of memory or processes. An engine that is gone fails again.
            Err(error) => {
                self.tryer.ui.debug(format_args!("{name}: {error}; trying again"));
                self.attempt(name, action)?
            }
        };
        let kept = self.evidence.add(&observed).context("cannot keep the evidence")?;
        observed.record.evidence = kept.map(|dir| self.tryer.workspace.relative(&dir)).unwrap_or_default();
        let ended = Ended { action: action.clone(), observed };
        let passes = ended.passes();
        self.ended.push(ended);
        Ok(passes)
    }

    fn attempt(&self, name: &str, action: &Action) -> Result<Observed, EngineError> {
        let tryer = self.tryer;
        let mut mounts = self.ready.mounts.clone();
        if action.script().is_some() {
            mounts.push(Mount::read_only(&self.solutions, "/solution"));
        }
        let start = self.ready.start(&mounts, tryer.network(self.ready));
        let mut sandbox = tryer.sandbox().map_err(|error| EngineError::of_sandbox(error, "start"))?;
        let mut machine = tryer.engine.start(&start)?;
        let mut run = Run {
            task: self.task,
            machine: &mut *machine,
            action,
            user: self.ready.spec.desktop_user(),
            solution_limit: tryer.plan.solution_limit,
            wants_version: self.ready.app_version.get().is_none(),
            observed: Observed::default(),
        };
        name.clone_into(&mut run.observed.record.name);
        let observed = run.finish(&mut sandbox, &self.state(action), tryer.plan.verifier_seconds)?;
        tryer.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sandbox);
        if let Some(Look { version, .. }) = &observed.start
            && !version.is_empty()
        {
            // Another task may have been faster; the version is the same.
            drop(self.ready.app_version.set(version.clone()));
        }
        Ok(observed)
    }

    /// What the environment does not provide: a vision model sees what the solution claims, and nothing otherwise.
    fn state(&self, action: &Action) -> State {
        let solves = action.script() == Some(SOLVE);
        let golden = self.task.fixtures.golden.first().and_then(|fixture| fixture.vlm.clone());
        let vlm = match golden {
            Some(answer) if solves => Vlm::Parsed(answer),
            None if solves => Vlm::Agrees,
            _ => Vlm::SeesNothing,
        };
        State { files: BTreeMap::new(), otherwise: Otherwise::Missing, commands: BTreeMap::new(), vlm }
    }
}

fn issue(code: &str, message: String) -> Issue {
    Issue { code: code.to_owned(), severity: Severity::Error, message, path: None }
}
