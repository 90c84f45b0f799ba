//! Runs an agent phase by phase, and checks what it wrote.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use common::exit::ExitStatus;
use common::interrupt::Interrupt;
use common::text::{escape, with_hint};
use common::ui::Ui;
use task_spec::seeds;

use crate::agent::Order;
use crate::changes::{self, ChangeTracker, Tree};
use crate::checks::Checker;
use crate::monitor::{PhaseFailure, PhaseMonitor, count};
use crate::output::RecordWriter;
use crate::phase::Phase;
use crate::phase_log::PhaseLog;
use crate::process::{self, EndCause, Limits, ProcessEnd};
use crate::prompts::PromptData;
use crate::session::{Session, TasksBefore};
use crate::settings::{Assignment, DriveSettings, RunContext};
use crate::watcher::Watcher;

/// How many findings are listed in a prompt.
const MAX_FINDINGS: usize = 50;

/// Runs the agent.
pub(crate) fn run(context: &RunContext, settings: &DriveSettings, ui: &Ui) -> Result<ExitStatus> {
    let _lock = context.run_dir.lock("propose")?;
    let interrupt = Interrupt::on_signals().context("cannot listen for Ctrl-C")?;
    let mut run = AgentRun::start(context, settings, ui, interrupt)?;
    for phase in Phase::ALL.into_iter().filter(|phase| *phase >= settings.first_phase) {
        if run.phase(phase)?.is_break() {
            break;
        }
    }
    run.finish()
}

/// The run of an agent.
struct AgentRun<'a> {
    context: &'a RunContext,
    settings: &'a DriveSettings,
    ui: &'a Ui,
    interrupt: Interrupt,
    watcher: Watcher,
    session: Session,
    changes: ChangeTracker,
    writer: RecordWriter<'a>,
    /// Paths of the pages of the notes that the agent has to read.
    reading_list: Vec<String>,
    /// The findings of the checks after the last phase.
    findings: Vec<String>,
    /// The cost so far, in US dollars.
    cost: f64,
    /// Whether the write phase was completed.
    has_written: bool,
    /// Whether the agent wrote to one of its tasks.
    has_edited: bool,
}

impl<'a> AgentRun<'a> {
    fn start(
        context: &'a RunContext,
        settings: &'a DriveSettings,
        ui: &'a Ui,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let tree = Tree::read(&context.environment.root, context.run_dir.root())?;
        let task_id = match &settings.assignment {
            Assignment::Create { .. } => None,
            Assignment::Edit { task, .. } => Checker::new(context).check(task).id,
        };
        let before = TasksBefore { names: changes::task_folders(&tree), edited_id: task_id };
        let resume = settings.first_phase > Phase::Notes;
        let session = Session::open(&context.run_dir, settings.session.as_deref(), resume, before)?;
        if session.at_work {
            ui.warn(
                "the last run of this session was killed while the agent worked; make sure that the agent has ended",
            );
        }
        let changes =
            ChangeTracker::start(tree, context, &settings.assignment, &session, settings.strict_writes)?;
        let keeps_manifest = matches!(settings.assignment, Assignment::Create { .. });
        let mut run = Self {
            context,
            settings,
            ui,
            interrupt,
            reading_list: write_notes(context, settings)?,
            writer: RecordWriter::open(context, ui, keeps_manifest)?,
            watcher: Watcher::start()?,
            session,
            changes,
            findings: Vec::new(),
            cost: 0.0,
            has_written: false,
            // A run that resumes after the write phase reviews what is there.
            has_edited: settings.first_phase > Phase::Write,
        };
        // An earlier run of this session may have left tasks.
        run.check_tasks()?;
        Ok(run)
    }

    /// Runs a phase and checks what the agent wrote. Breaks if the phase failed.
    fn phase(&mut self, phase: Phase) -> Result<ControlFlow<()>> {
        let prompt = self.prompt(phase)?;
        let log = PhaseLog::open(&Session::dir(&self.context.run_dir, &self.session.id)?, phase, &prompt)?;
        self.ui.info(format_args!(
            "phase {} of {}, {}: at most {} s; log: {}",
            phase.number(),
            Phase::ALL.len(),
            phase.name(),
            self.settings.time_limit.as_secs(),
            self.context.workspace.relative(&log.path),
        ));
        self.session.start_work()?;
        let (end, monitor) = self.run_agent(&prompt, log, phase)?;
        self.cost += monitor.cost();
        if end.left_behind > 0 {
            let processes = count(end.left_behind as u64, "process", "processes");
            self.ui.info(format_args!("ended {processes} that the agent left behind"));
        }
        self.check_writes()?;
        if let Some(failure) = monitor.failure(end.cause, self.settings.time_limit) {
            if end.cause == EndCause::Interrupted {
                self.writer.interrupted();
            }
            self.report_failure(phase, &failure)?;
            return Ok(ControlFlow::Break(()));
        }
        self.ui.info(format_args!("phase {}, {}: {}", phase.number(), phase.name(), monitor.summary()));
        if phase == Phase::Notes {
            monitor.warn_of_unread_pages(self.ui, &self.context.run_dir.root().join("notes"));
        }
        self.has_written |= phase == Phase::Write;
        Ok(ControlFlow::Continue(()))
    }

    fn report_failure(&mut self, phase: Phase, failure: &PhaseFailure) -> Result<()> {
        let mut message = format!("phase {} ({}) {}", phase.number(), phase.name(), failure.what);
        if failure.resumable {
            message += "; to resume: ";
            message += &self.session.resume_command(std::env::args(), phase);
        }
        self.writer.failure(failure.code, None, message)
    }

    /// Starts the agent and follows it to its end.
    fn run_agent(
        &mut self,
        prompt: &str,
        mut log: PhaseLog,
        phase: Phase,
    ) -> Result<(ProcessEnd, PhaseMonitor)> {
        let order = Order {
            prompt,
            prompt_file: &log.prompt,
            session: &self.session.id,
            resume: self.session.exists || self.settings.first_phase > Phase::Notes,
            workspace: self.context.workspace.root(),
            env_dir: &self.context.environment.root,
        };
        let mut command = self.settings.agent.command(&order)?;
        self.watcher.mark(&mut command);
        let folders = [order.env_dir, order.workspace];
        let streams_json = self.settings.agent.streams_json();
        let mut monitor = PhaseMonitor::new(streams_json, self.cost, &self.reading_list, &folders);
        let progress = self.ui.progress(&format!("{}, turn", phase.name()), None);
        let limits = Limits { time: Some(self.settings.time_limit), ..Limits::default() };
        let session = &mut self.session;
        let mut log_result = Ok(());
        let end = process::run(command, limits, &self.interrupt, |stream, line| {
            let logged = log.write(stream, line).map_err(anyhow::Error::from);
            let named = monitor.line(stream, line, &progress).map_or(Ok(()), |id| session.set_id(&id));
            match logged.and(named) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    log_result = Err(error);
                    ControlFlow::Break(())
                }
            }
        });
        log_result.context("cannot keep the agent's log")?;
        Ok((end.context("cannot start the agent")?, monitor))
    }

    /// Finds what the agent wrote, reports stray writes, and writes records of the valid tasks.
    fn check_writes(&mut self) -> Result<()> {
        let writes = self.changes.check()?;
        self.findings.clear();
        self.findings.extend(writes.strays.iter().map(|stray| stray.message.clone()));
        let strays = writes.strays.into_iter().map(|stray| (stray.task, stray.message)).collect();
        self.writer.failures("stray_write", strays)?;
        self.has_edited |= !writes.tasks.is_empty();
        self.session.end_work(self.changes.tasks())?;
        self.check_tasks()
    }

    /// Checks the agent's tasks, and writes records of the valid ones.
    fn check_tasks(&mut self) -> Result<()> {
        for (task, problems) in self.problems() {
            if problems.is_empty() {
                self.writer.seed(&task)?;
            }
            self.findings.extend(problems.iter().map(|problem| format!("{task}: {problem}")));
        }
        Ok(())
    }

    /// The agent's tasks, and the problems of each.
    fn problems(&self) -> Vec<(String, Vec<String>)> {
        let tasks = self.tasks();
        if tasks.is_empty() {
            return Vec::new();
        }
        let checker = Checker::new(self.context);
        tasks
            .into_iter()
            .map(|task| {
                let problems = self.problems_of(&task, &checker);
                (task, problems)
            })
            .collect()
    }

    fn problems_of(&self, task: &str, checker: &Checker<'_>) -> Vec<String> {
        let mut seed = checker.check(task);
        if let Some(before) = &self.session.task_id
            && seed.id.as_ref() != Some(before)
        {
            seed.problems.push(format!("its id was {before} and must not change"));
        }
        seed.problems
    }

    /// Names of the tasks that the agent wrote. The task to rework is one of them once it was changed.
    fn tasks(&self) -> BTreeSet<String> {
        let is_untouched = matches!(self.settings.assignment, Assignment::Edit { .. }) && !self.has_edited;
        if is_untouched { BTreeSet::new() } else { self.changes.tasks() }
    }

    fn prompt(&self, phase: Phase) -> Result<String> {
        let environment = &self.context.environment;
        let (seed_count, edit_task, feedback) = match &self.settings.assignment {
            Assignment::Create { count } => (*count, "", ""),
            Assignment::Edit { task, feedback } => (0, task.as_str(), feedback.trim()),
        };
        let existing = on_one_line(&self.session.tasks_before);
        let findings = on_one_line(self.findings.iter().take(MAX_FINDINGS));
        let data = PromptData {
            software: &self.settings.software,
            env_name: &environment.name,
            env_dir: &environment.root.to_string_lossy(),
            workspace: &self.context.workspace.root().to_string_lossy(),
            notes: &self.reading_list,
            existing_tasks: &existing,
            seed_count,
            edit_task,
            feedback,
            task_type: &self.settings.task_type,
            findings: &findings,
        };
        let name = match (phase, &self.settings.assignment) {
            (Phase::Notes, _) => "notes.md",
            (Phase::Write, Assignment::Create { .. }) => "create.md",
            (Phase::Write, Assignment::Edit { .. }) => "edit.md",
            (Phase::Nudge, _) => "nudge.md",
        };
        self.settings.prompts.render(name, &data)
    }

    /// Reports invalid tasks, and compares the result with the assignment.
    fn finish(mut self) -> Result<ExitStatus> {
        let mut valid = Vec::new();
        for (task, problems) in self.problems() {
            if problems.is_empty() {
                valid.push(task);
            } else {
                let message = format!("task {task} is not valid: {}", problems.join("; "));
                self.writer.failure("bad_seed", Some(&task), message)?;
            }
        }
        match &self.settings.assignment {
            Assignment::Create { count } => self.finish_creation(*count, &valid)?,
            Assignment::Edit { task, .. } if self.has_written && !self.has_edited => {
                let message = format!("the agent changed nothing in task {task}");
                self.writer.failure("not_edited", Some(task), message)?;
            }
            Assignment::Edit { .. } => {}
        }
        self.writer.finish()
    }

    fn finish_creation(&mut self, requested: usize, valid: &[String]) -> Result<()> {
        if let Err(error) = seeds::add(&self.context.environment, valid) {
            let error = with_hint(&error, error.hint());
            self.writer.failure(
                "seed_list",
                None,
                format!("cannot add the seeds to the seed list: {error}"),
            )?;
        }
        if valid.len() < requested {
            let message = format!("{} of {requested} requested seeds are valid", valid.len());
            self.writer.failure("too_few_seeds", None, message)?;
        } else {
            let seeds = count(valid.len() as u64, "seed", "seeds");
            self.ui.info(format_args!("{seeds}: {}", valid.join(", ")));
        }
        Ok(())
    }
}

/// Writes the notes to the run directory. Returns the paths of the pages to read.
fn write_notes(context: &RunContext, settings: &DriveSettings) -> Result<Vec<String>> {
    let dir = context.run_dir.root().join("notes");
    settings.notes.write(&dir)?;
    let pages = settings.notes.reading_list(&settings.task_type, &settings.platforms)?;
    Ok(pages.iter().map(|page| dir.join(page).to_string_lossy().into_owned()).collect())
}

/// Names and findings as a prompt lists them. A name of a file can have any characters.
fn on_one_line<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    texts.into_iter().map(|text| escape(text).into_owned()).collect()
}
