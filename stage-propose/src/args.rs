//! The command line, and its conversion to [`Settings`].

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use common::environment::Environment;
use common::help;
use common::run_dir::RunDir;
use common::stage::StageArgs;
use common::ui::Ui;
use fs_err as fs;
use serde_json::json;
use task_spec::platform::Platform;

use crate::agent::{Agent, Template, find_claude};
use crate::notes::Notes;
use crate::phase::Phase;
use crate::prompts::Prompts;
use crate::settings::{Assignment, DriveSettings, RunContext, Settings, Work};

/// How many tasks an agent writes by default.
const DEFAULT_SEEDS: usize = 5;

/// Have an agent CLI write a few hard, realistic seed tasks into an environment, or adopt the existing tasks.
///
/// Each seed is written to standard output as a record as soon as it is valid. Files that the agent writes outside
/// of its tasks, and what it fails to do, are reported as failures.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
#[command(after_help = help::SHORT_END, after_long_help = help::end(EXAMPLES, VARIABLES))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// The environment: a path, or a name below benchmarks/cua_world/environments or the workspace
    #[arg(help_heading = help::INPUT_OUTPUT, long, value_name = "DIR")]
    pub(crate) env_dir: String,

    /// The name of the environment's software, for the agent [default: the environment's name]
    #[arg(help_heading = help::MAKE, long, value_name = "NAME")]
    pub(crate) software: Option<String>,

    /// Where the seeds come from
    #[arg(help_heading = help::MAKE, long, value_enum, default_value_t = AgentKind::Claude)]
    pub(crate) agent: AgentKind,

    /// The number of seeds [default: 5 from an agent, all tasks with --agent existing]
    #[arg(help_heading = help::MAKE, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) seed_count: Option<u32>,

    /// The model that Claude Code uses
    #[arg(help_heading = help::MODEL, long, value_name = "MODEL", default_value = "sonnet")]
    pub(crate) proposer_model: String,

    /// The Claude Code program [default: $CLAUDE_BIN, else claude in PATH]
    #[arg(help_heading = help::MODEL, long, value_name = "PROGRAM")]
    pub(crate) claude_bin: Option<PathBuf>,

    /// With --agent command: the shell command that starts the agent. {prompt_file} is replaced by a file with
    /// the prompt, {session_id} by the session, {env_dir} and {workspace} by the folders, each quoted
    #[arg(help_heading = help::MODEL, long, value_name = "COMMAND")]
    pub(crate) agent_cmd: Option<String>,

    /// The agent's session [default: a new one; with --start-phase, the one of the last run]
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "UUID")]
    pub(crate) session_id: Option<uuid::Uuid>,

    /// Resume from this phase: 1 reads the notes, 2 writes the tasks, 3 reviews them
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) start_phase: u8,

    /// The number of completed phases: gym-anything's form of --start-phase
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "N", hide = true, conflicts_with = "start_phase",
          value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) propose_start_idx: Option<u8>,

    /// Stop a phase after SECONDS
    #[arg(help_heading = help::LIMITS, long, value_name = "SECONDS", default_value_t = 7200)]
    pub(crate) timeout_sec: u64,

    /// The platform pages of the notes that the agent reads: linux, web, windows, android, macos; separate
    /// several with commas [default: from the environment's spec]
    #[arg(help_heading = help::MAKE, long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,

    /// The type of tasks: enterprise, consumer
    #[arg(help_heading = help::MAKE, long, value_name = "NAME", default_value = "enterprise")]
    pub(crate) task_type: String,

    /// The folder with the task-creation notes [default: built in]
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "DIR")]
    pub(crate) notes: Option<PathBuf>,

    /// A folder with prompts, which replace the built-in ones of the same name
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long, value_name = "DIR")]
    pub(crate) prompts: Option<PathBuf>,

    /// Rework this task instead of writing new ones
    #[arg(help_heading = help::MAKE, long, value_name = "TASK", requires = "feedback")]
    pub(crate) edit_task: Option<String>,

    /// With --edit-task: the file with an expert's feedback on the task
    #[arg(help_heading = help::MAKE, long, value_name = "FILE", requires = "edit_task")]
    pub(crate) feedback: Option<PathBuf>,

    /// Undo what the agent writes outside of its tasks. Needs space for a copy of the environment
    #[arg(help_heading = help::ADVANCED, hide_short_help = true, long)]
    pub(crate) strict_writes: bool,
}

/// Where the seeds come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AgentKind {
    /// Claude Code writes them
    Claude,
    /// The agent that --agent-cmd starts writes them
    Command,
    /// The environment's existing tasks are adopted
    Existing,
}

/// The examples in `--help`.
const EXAMPLES: &str = "  stage-propose --software Moodle --env-dir moodle_env --seed-count 3 > seeds.jsonl
  stage-propose --env-dir moodle_env --agent existing > seeds.jsonl";

/// The environment variables in `--help`.
const VARIABLES: &str = "  CLAUDE_BIN  the Claude Code program, unless --claude-bin is given";

impl Args {
    /// Finds and reads everything that the arguments name, and notes the arguments in `run.json`.
    pub(crate) fn into_settings(self, ui: &Ui) -> Result<Settings> {
        ensure!(self.stage.input.is_none(), "stage-propose is the first stage: it reads no records");
        let workspace = self.stage.workspace()?;
        let environment = workspace.environment(&self.env_dir)?;
        let work = self.work(&environment)?;
        let run_dir = self.stage.run_dir.clone().unwrap_or_else(|| workspace.run_dir(&environment.name));
        let run_dir = RunDir::open(&std::path::absolute(run_dir)?)?;
        run_dir.note("propose", &environment.name, &self.run_note(&environment))?;
        ui.debug(format_args!("environment {}", environment.root.display()));
        Ok(Settings {
            context: RunContext { workspace, environment, run_dir, stage: self.stage.into() },
            work,
        })
    }

    fn work(&self, environment: &Environment) -> Result<Work> {
        if self.agent == AgentKind::Existing {
            ensure!(self.edit_task.is_none(), "--edit-task needs an agent: remove --agent existing");
            return Ok(Work::Adopt { count: self.seed_count.map(|count| count as usize) });
        }
        Ok(Work::Drive(Box::new(self.drive_settings(environment)?)))
    }

    fn drive_settings(&self, environment: &Environment) -> Result<DriveSettings> {
        let notes = Notes::load(self.notes.as_deref())?;
        let platforms = if self.platform.is_empty() {
            vec![Platform::of(environment).name().to_owned()]
        } else {
            self.platform.clone()
        };
        notes.check(&self.task_type, &platforms)?;
        Ok(DriveSettings {
            agent: self.agent()?,
            software: self.software.clone().unwrap_or_else(|| environment.name.clone()),
            assignment: self.assignment(environment)?,
            session: self.session_id.map(|id| id.to_string()),
            first_phase: self.first_phase()?,
            time_limit: Duration::from_secs(self.timeout_sec),
            platforms,
            task_type: self.task_type.clone(),
            notes,
            prompts: Prompts::load(self.prompts.as_deref())?,
            strict_writes: self.strict_writes,
        })
    }

    fn agent(&self) -> Result<Agent> {
        if self.agent == AgentKind::Command {
            let template = self.agent_cmd.as_deref().context("--agent command needs --agent-cmd")?;
            return Ok(Agent::Command(Template::new(template)?));
        }
        ensure!(self.agent_cmd.is_none(), "--agent-cmd needs --agent command");
        let program = find_claude(self.claude_bin.as_deref())?;
        Ok(Agent::Claude { program, model: self.proposer_model.clone() })
    }

    fn assignment(&self, environment: &Environment) -> Result<Assignment> {
        let (Some(task), Some(feedback)) = (&self.edit_task, &self.feedback) else {
            let count = self.seed_count.map_or(DEFAULT_SEEDS, |count| count as usize);
            return Ok(Assignment::Create { count });
        };
        let names = environment.task_names()?;
        ensure!(names.contains(task), "{} has no task {task:?} to edit", environment.name);
        let feedback = fs::read_to_string(feedback).context("cannot read the feedback")?;
        ensure!(!feedback.trim().is_empty(), "the feedback is empty; write what is to change");
        Ok(Assignment::Edit { task: task.clone(), feedback })
    }

    fn first_phase(&self) -> Result<Phase> {
        let number = usize::from(self.propose_start_idx.map_or(self.start_phase, |done| done + 1));
        Phase::ALL.into_iter().find(|phase| phase.number() == number).context("no phase has this number")
    }

    /// The arguments that `run.json` keeps.
    fn run_note(&self, environment: &Environment) -> serde_json::Value {
        let agent = match self.agent {
            AgentKind::Claude => "claude",
            AgentKind::Command => "command",
            AgentKind::Existing => "existing",
        };
        json!({
            "environment": environment.name,
            "software": self.software,
            "agent": agent,
            "proposer_model": self.proposer_model,
            "seed_count": self.seed_count,
            "platform": self.platform,
            "task_type": self.task_type,
            "edit_task": self.edit_task,
        })
    }
}
