//! An episode: one run of a task, in a machine of its own.

mod look;
mod served;

use std::time::{Duration, Instant};

use common::record::{Episode, EpisodeVerdict, HookRun, Outcome};
use common::text::escape;
use sandbox::{Assessment, Fault, Sandbox, State};
use task_spec::machine::login_shell;

pub(crate) use self::look::Look;
pub(crate) use self::served::{Read, Served};

use crate::engine::{Done, EngineError, Machine, Script};
use crate::image::tail;
use crate::task::LiveTask;

/// How much of a hook's output is kept, in bytes.
const LOG: usize = 1 << 20;

/// How much of a failed hook's output is in the record, in characters.
const LOG_TAIL: usize = 1500;

/// The time limit of `post_task` and of the scripts that reset and initialize. gym-anything, `runners/base.py`.
const HOOK: Duration = Duration::from_mins(10);

/// Restarts the programs behind the windows.
const RESTART: &str = include_str!("../scripts/restart.sh");

/// Notes the time before the export. `sleep` keeps it apart from what was written just before.
const BEFORE_EXPORT: &str = ": >/run/verify-task/exporting; sleep 0.02";

/// What is done between set-up and export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
    /// A script of the folder `/solution` is run.
    Script(String),
    /// A script is run; then the application is ended and started again.
    ScriptAndRestart(String),
}

impl Action {
    /// The script, if there is one.
    pub(crate) fn script(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Script(name) | Self::ScriptAndRestart(name) => Some(name),
        }
    }
}

/// Everything that an episode shows.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The entry of the record.
    pub(crate) record: Episode,
    /// After set-up.
    pub(crate) start: Option<Look>,
    /// Before the export.
    pub(crate) end: Option<Look>,
    /// After the export.
    pub(crate) after: Option<Look>,
    /// What the verifier read, in order.
    pub(crate) reads: Vec<Read>,
    /// What the verifier executed, and what that printed.
    pub(crate) commands: Vec<(String, String)>,
    /// Why the verifier gave no verdict.
    pub(crate) fault: Option<Fault>,
    /// Why the application could not be restarted.
    pub(crate) restart: Option<String>,
    /// Output of the hooks: name, text.
    pub(crate) logs: Vec<(&'static str, Vec<u8>)>,
}

/// Runs one episode in a machine that has just started.
pub(crate) struct Run<'a> {
    pub(crate) task: &'a LiveTask,
    pub(crate) machine: &'a mut dyn Machine,
    pub(crate) action: &'a Action,
    /// The desktop's user, who runs solutions.
    pub(crate) user: &'a str,
    /// The time limit of a solution.
    pub(crate) solution_limit: Duration,
    /// Whether the version of the application is wanted.
    pub(crate) wants_version: bool,
    pub(crate) observed: Observed,
}

impl Run<'_> {
    /// Runs set-up, action, export and verifier. An error is one of the engine, and says nothing about the task.
    pub(crate) fn finish(
        mut self,
        sandbox: &mut Sandbox,
        state: &State,
        seconds: u64,
    ) -> Result<Observed, EngineError> {
        let started = Instant::now();
        if self.set_up()? {
            self.act()?;
            self.export()?;
            self.verify(sandbox, state, seconds)?;
        }
        let looks = [&self.observed.start, &self.observed.end, &self.observed.after];
        let peak = looks.into_iter().flatten().map(|look| look.peak_memory).max().unwrap_or_default();
        self.observed.record.peak_memory_mib = peak >> 20;
        self.observed.record.seconds = round(started.elapsed());
        Ok(self.observed)
    }

    /// Whether the episode can go on.
    fn set_up(&mut self) -> Result<bool, EngineError> {
        let hooks = self.task.reset.iter().chain(&self.task.pre_task).chain(&self.task.init_script);
        let mut ok = true;
        for hook in hooks {
            let limit =
                if Some(hook) == self.task.pre_task.as_ref() { self.task.pre_task_limit } else { HOOK };
            let done = self.hook(hook, limit)?;
            ok = done.exit == Some(0);
            self.observed.record.setup = Some(self.keep("setup", &done));
            if !ok {
                break;
            }
        }
        let look = match Look::at(self.machine, self.wants_version) {
            // A set-up that failed may leave no process to look with.
            Err(EngineError::Unusable { .. }) if !ok => Look::default(),
            look => look?,
        };
        self.observed.record.windows.clone_from(&look.windows);
        self.observed.start = Some(look);
        Ok(ok)
    }

    fn act(&mut self) -> Result<(), EngineError> {
        if let Some(name) = self.action.script() {
            let quoted = shlex::try_quote(name).unwrap_or_default();
            let text = format!(
                "export DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u)/bus\n\
                 cd && exec bash -l /solution/{quoted} </dev/null"
            );
            let limit = self.solution_limit;
            let script = Script { text: &text, input: b"", limit, output: LOG, user: Some(self.user) };
            let done = self.machine.run(&script)?;
            self.observed.record.solution = Some(self.keep("solution", &done));
        }
        if matches!(self.action, Action::ScriptAndRestart(_)) {
            let done = self.machine.run(&Script { limit: HOOK, ..Script::quick(RESTART) })?;
            if done.exit != Some(0) {
                self.observed.restart = Some(text(&done.output).trim().to_owned());
            }
        }
        if *self.action != Action::Nothing {
            self.observed.end = Some(Look::at(self.machine, false)?);
        }
        Ok(())
    }

    fn export(&mut self) -> Result<(), EngineError> {
        let Some(hook) = &self.task.post_task else { return Ok(()) };
        let before = format!("{BEFORE_EXPORT}\n{}", login_shell(hook));
        let done =
            self.machine.run(&Script { text: &before, input: b"", limit: HOOK, output: LOG, user: None })?;
        self.observed.record.export = Some(self.keep("export", &done));
        self.observed.after = Some(Look::at(self.machine, false)?);
        Ok(())
    }

    fn verify(&mut self, sandbox: &mut Sandbox, state: &State, seconds: u64) -> Result<(), EngineError> {
        let looks = [&self.observed.start, &self.observed.end, &self.observed.after];
        let screens: Vec<Vec<u8>> = looks.into_iter().flatten().filter_map(|look| look.png.clone()).collect();
        let mut served = Served::new(self.machine);
        let runs = sandbox.run_live(&self.task.program, state, seconds, &screens, &mut served);
        if let Some(error) = served.failure.take() {
            return Err(error);
        }
        self.observed.reads = served.reads;
        self.observed.commands = served.commands;
        let runs = runs.map_err(|error| EngineError::of_sandbox(error, "run the verifier"))?;
        let run = runs.by_state.first().and_then(|runs| runs.first());
        let (verdict, fault) = match (run, runs.uncompilable.or(runs.broken)) {
            (Some(run), _) => of_assessment(&Assessment::of(run)),
            (None, reason) => {
                (verdict(Outcome::Error, None, &reason.unwrap_or_default()), Some(Fault::Raises))
            }
        };
        self.observed.record.verdict = Some(verdict);
        self.observed.fault = fault;
        Ok(())
    }

    fn hook(&mut self, hook: &str, limit: Duration) -> Result<Done, EngineError> {
        let text = login_shell(hook);
        self.machine.run(&Script { text: &text, input: b"", limit, output: LOG, user: None })
    }

    /// Keeps the log of a script, and describes how it ended.
    fn keep(&mut self, name: &'static str, done: &Done) -> HookRun {
        self.observed.logs.push((name, done.output.clone()));
        let output = text(&done.output);
        let log = if done.exit == Some(0) {
            String::new()
        } else {
            // Escapes are longer than what they stand for.
            tail(&escape_lines(tail(&output, LOG_TAIL)), LOG_TAIL).to_owned()
        };
        HookRun { exit: done.exit, timed_out: done.exit.is_none(), seconds: round(done.took), log }
    }
}

/// Escapes each line of a text.
fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

fn of_assessment(assessment: &Assessment) -> (EpisodeVerdict, Option<Fault>) {
    (verdict(assessment.outcome, assessment.score, &assessment.detail), assessment.fault)
}

fn verdict(outcome: Outcome, score: Option<f64>, detail: &str) -> EpisodeVerdict {
    EpisodeVerdict { outcome, score, detail: escape(detail).into_owned() }
}

/// Seconds with three decimals.
pub(crate) fn round(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
