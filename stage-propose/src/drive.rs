//! Sends an agent through its phases and finds out what it did.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::child::{Ended, Ending};
use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::interrupt::Interrupt;
use common::text::with_hint;
use common::ui::Ui;

use crate::agent::Order;
use crate::log::Log;
use crate::outcome::Outcome;
use crate::phase::Phase;
use crate::prompt::Facts;
use crate::report::{PhaseFailure, Report, count};
use crate::seeds::Checks;
use crate::session::{Before, Session};
use crate::settings::{Assignment, Drive, Place};
use crate::tree::Tree;
use crate::watcher::Watcher;
use crate::writes::{self, Writes};

/// How many findings the agent is told of.
const MAX_FINDINGS: usize = 50;

/// Sends the agent.
pub(crate) fn run(place: &Place, drive: &Drive, ui: &Ui) -> Result<ExitStatus> {
    let _lock = place.run.lock("propose")?;
    let interrupt = Interrupt::on_signals().context("cannot listen for Ctrl-C")?;
    let mut mission = Mission::begin(place, drive, ui, interrupt)?;
    for phase in Phase::ALL.into_iter().filter(|phase| *phase >= drive.first_phase) {
        if !mission.phase(phase)? {
            break;
        }
    }
    mission.end()
}

/// An agent at work.
struct Mission<'a> {
    place: &'a Place,
    drive: &'a Drive,
    ui: &'a Ui,
    interrupt: Interrupt,
    watcher: Watcher,
    session: Session,
    writes: Writes,
    outcome: Outcome<'a>,
    /// Pages of the notes that the agent is to read.
    reading_list: Vec<String>,
    /// What the checks found in the last phase.
    findings: Vec<String>,
    /// What it cost so far, in US dollars.
    cost: f64,
    /// Whether the phase in which it writes was completed.
    wrote: bool,
    /// Whether it wrote to a task that it may write to.
    edited: bool,
}

impl<'a> Mission<'a> {
    fn begin(place: &'a Place, drive: &'a Drive, ui: &'a Ui, interrupt: Interrupt) -> Result<Self> {
        let tree = Tree::read(&place.environment.root, place.run.root())?;
        let task_id = match &drive.assignment {
            Assignment::Create { .. } => None,
            Assignment::Edit { task, .. } => Checks::new(place).check(task).id,
        };
        let before = Before { tasks: writes::task_folders(&tree), task_id };
        let resume = drive.first_phase > Phase::Notes;
        let session = Session::open(&place.run, drive.session.as_deref(), resume, before)?;
        if session.at_work {
            ui.warn(
                "this session's last run was killed while the agent was at work; see that the agent is gone",
            );
        }
        let notes = place.run.root().join("notes");
        drive.notes.write(&notes)?;
        let pages = drive.notes.reading_list(&drive.task_type, &drive.platforms)?;
        let reading_list = pages.iter().map(|page| notes.join(page).to_string_lossy().into_owned()).collect();
        let writes = Writes::begin(tree, place, &drive.assignment, &session, drive.strict_writes)?;
        let outcome = Outcome::new(place, ui, matches!(drive.assignment, Assignment::Create { .. }))?;
        let mut mission = Self {
            place,
            drive,
            ui,
            interrupt,
            watcher: Watcher::start()?,
            session,
            writes,
            outcome,
            reading_list,
            findings: Vec::new(),
            cost: 0.0,
            wrote: false,
            // Whoever resumes after the writing has seen that there is something to go over.
            edited: drive.first_phase > Phase::Write,
        };
        // Tasks of this session that an earlier run left.
        mission.check_tasks()?;
        Ok(mission)
    }

    /// Runs a phase and looks what came of it. Returns whether to go on.
    fn phase(&mut self, phase: Phase) -> Result<bool> {
        let prompt = self.prompt(phase)?;
        let log = Log::open(&Session::dir(&self.place.run, &self.session.id)?, phase, &prompt)?;
        self.ui.info(format_args!(
            "phase {} of {}, {}: at most {} s; the log is {}",
            phase.number(),
            Phase::ALL.len(),
            phase.name(),
            self.drive.time_limit.as_secs(),
            self.place.workspace.relative(&log.path),
        ));
        self.session.work()?;
        let (ended, report) = self.send(&prompt, log, phase)?;
        self.cost += report.cost();
        if ended.left_behind > 0 {
            let processes = count(ended.left_behind as u64, "process", "processes");
            self.ui.info(format_args!("ended {processes} that the agent left behind"));
        }
        self.look()?;
        if let Some(failure) = report.failure(ended.ending, self.drive.time_limit) {
            if ended.ending == Ending::Interrupted {
                self.outcome.interrupted();
            }
            self.report(phase, &failure)?;
            return Ok(false);
        }
        self.ui.info(format_args!("phase {}, {}: {}", phase.number(), phase.name(), report.summary()));
        if phase == Phase::Notes {
            report.tell_unread(self.ui, &self.place.run.root().join("notes"));
        }
        self.wrote |= phase == Phase::Write;
        Ok(true)
    }

    fn report(&mut self, phase: Phase, failure: &PhaseFailure) -> Result<()> {
        let mut message = format!("phase {} ({}) {}", phase.number(), phase.name(), failure.what);
        if failure.resumable {
            message += "; to go on from there: ";
            message += &self.session.resume_command(std::env::args(), phase);
        }
        self.outcome.failure(failure.code, None, message)
    }

    /// Starts the agent and follows it to its end.
    fn send(&mut self, prompt: &str, mut log: Log, phase: Phase) -> Result<(Ended, Report)> {
        let order = Order {
            prompt,
            prompt_file: &log.prompt,
            session: &self.session.id,
            resume: self.session.begun || self.drive.first_phase > Phase::Notes,
            workspace: self.place.workspace.root(),
            env_dir: &self.place.environment.root,
        };
        let command = self.watcher.over(self.drive.agent.command(&order)?).time_limit(self.drive.time_limit);
        let progress = self.ui.progress(&format!("{}, turn", phase.name()), None);
        let familiar = [order.env_dir, order.workspace];
        let mut report =
            Report::new(self.drive.agent.streams_json(), self.cost, &self.reading_list, &familiar);
        let mut error = None;
        let ended = command.run(&self.interrupt, |stream, line| {
            let noted = log.write(stream, line).map_err(anyhow::Error::from);
            let begun = report.line(stream, line, &progress).map_or(Ok(()), |id| self.session.begin(&id));
            match noted.and(begun) {
                Ok(()) => ControlFlow::Continue(()),
                Err(first) => {
                    error.get_or_insert(first);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(error) = error {
            return Err(error.context("cannot keep the agent's log"));
        }
        Ok((ended.context("cannot start the agent")?, report))
    }

    /// Looks what the agent wrote, reports strays, and passes on the tasks that are good.
    fn look(&mut self) -> Result<()> {
        let look = self.writes.look()?;
        self.findings.clear();
        self.findings.extend(look.strays.iter().map(|stray| stray.message.clone()));
        let strays = look.strays.into_iter().map(|stray| (stray.task, stray.message)).collect();
        self.outcome.failures("stray_write", strays)?;
        self.edited |= !look.written.is_empty();
        self.session.rest(self.writes.tasks())?;
        self.check_tasks()
    }

    /// Checks the agent's tasks, and passes on those that are good.
    fn check_tasks(&mut self) -> Result<()> {
        for (task, problems) in self.problems() {
            if problems.is_empty() {
                self.outcome.seed(&task)?;
            }
            self.findings.extend(problems.iter().map(|problem| format!("{task}: {problem}")));
        }
        Ok(())
    }

    /// The agent's tasks, and what is wrong with each.
    fn problems(&self) -> Vec<(String, Vec<String>)> {
        let tasks = self.tasks();
        if tasks.is_empty() {
            return Vec::new();
        }
        let checks = Checks::new(self.place);
        let problems = |task: &String| {
            let mut checked = checks.check(task);
            if let Some(before) =
                self.session.task_id.as_ref().filter(|before| checked.id.as_ref() != Some(before))
            {
                checked.problems.push(format!("its id was {before} and has to stay so"));
            }
            checked.problems
        };
        tasks.into_iter().map(|task| (task.clone(), problems(&task))).collect()
    }

    /// Names of the tasks that are the agent's work. One that it was to rework becomes so by being changed.
    fn tasks(&self) -> BTreeSet<String> {
        let untouched = matches!(self.drive.assignment, Assignment::Edit { .. }) && !self.edited;
        if untouched { BTreeSet::new() } else { self.writes.tasks() }
    }

    fn prompt(&self, phase: Phase) -> Result<String> {
        let environment = &self.place.environment;
        let (seed_count, edit_task, feedback) = match &self.drive.assignment {
            Assignment::Create { count } => (*count, "", ""),
            Assignment::Edit { task, feedback } => (0, task.as_str(), feedback.trim()),
        };
        let existing: Vec<String> = self.session.tasks_before.iter().cloned().collect();
        let facts = Facts {
            software: &self.drive.software,
            env_name: &environment.name,
            env_dir: &environment.root.to_string_lossy(),
            workspace: &self.place.workspace.root().to_string_lossy(),
            notes: &self.reading_list,
            existing_tasks: &existing,
            seed_count,
            edit_task,
            feedback,
            task_type: &self.drive.task_type,
            findings: self.findings.get(..MAX_FINDINGS).unwrap_or(&self.findings),
        };
        let name = match (phase, &self.drive.assignment) {
            (Phase::Notes, _) => "notes.md",
            (Phase::Write, Assignment::Create { .. }) => "create.md",
            (Phase::Write, Assignment::Edit { .. }) => "edit.md",
            (Phase::Nudge, _) => "nudge.md",
        };
        self.drive.prompts.render(name, &facts)
    }

    /// Takes stock once the agent has gone.
    fn end(mut self) -> Result<ExitStatus> {
        let mut good = Vec::new();
        for (task, problems) in self.problems() {
            if problems.is_empty() {
                good.push(task);
            } else {
                let message = format!("the task {task} is not good: {}", problems.join("; "));
                self.outcome.failure("bad_seed", Some(&task), message)?;
            }
        }
        match &self.drive.assignment {
            Assignment::Create { count } => self.end_creation(*count, &good)?,
            Assignment::Edit { task, .. } if self.wrote && !self.edited => {
                self.outcome.failure(
                    "not_edited",
                    Some(task),
                    format!("the agent changed nothing in the task {task}"),
                )?;
            }
            Assignment::Edit { .. } => {}
        }
        self.outcome.finish()
    }

    fn end_creation(&mut self, asked: usize, good: &[String]) -> Result<()> {
        if let Err(error) = task_spec::seeds::add(&self.place.environment, good) {
            self.outcome.failure(
                "seed_list",
                None,
                format!("the new seeds are not in the list of seeds: {}", with_hint(&error, error.hint())),
            )?;
        }
        if good.len() < asked {
            let message =
                format!("{} of the {asked} seeds that were asked for are there and good", good.len());
            self.outcome.failure("too_few_seeds", None, message)?;
        } else {
            self.ui.info(format_args!("{}: {}", count(good.len() as u64, "seed", "seeds"), good.join(", ")));
        }
        Ok(())
    }
}
