//! What was typed.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::stage::StageArgs;

/// Have an agent CLI write a few hard, realistic seed tasks into an environment, or adopt the tasks that are
/// there.
///
/// Seeds are written to standard output as records, each as soon as it is found good. What the agent wrote
/// elsewhere, and what it failed to do, is reported as failures.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) stage: StageArgs,

    /// The environment: a path, or a name below benchmarks/cua_world/environments or the workspace
    #[arg(long, value_name = "DIR")]
    pub(crate) env_dir: String,

    /// What the environment's software is called, for the agent [default: the environment's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) software: Option<String>,

    /// Who provides the seeds
    #[arg(long, value_enum, default_value_t = AgentKind::Claude)]
    pub(crate) agent: AgentKind,

    /// How many seeds are wanted [default: 5 from an agent, all that are there with --agent existing]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) seed_count: Option<u32>,

    /// The model that Claude Code works with
    #[arg(long, value_name = "MODEL", default_value = "sonnet")]
    pub(crate) proposer_model: String,

    /// The Claude Code program [default: what CLAUDE_BIN names, else claude, looked up in PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) claude_bin: Option<PathBuf>,

    /// With --agent command: the shell command that starts the agent. {prompt_file} in it becomes a file with
    /// what to do, {session_id} the session, {env_dir} and {workspace} the folders, each quoted
    #[arg(long, value_name = "COMMAND")]
    pub(crate) agent_cmd: Option<String>,

    /// The agent's session [default: a new one; with --start-phase, the one of the last run]
    #[arg(long, value_name = "UUID")]
    pub(crate) session_id: Option<uuid::Uuid>,

    /// Resume from this phase: 1 reads the notes, 2 writes the tasks, 3 goes over them again
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) start_phase: u8,

    /// How many phases are done: gym-anything's way to say --start-phase
    #[arg(long, value_name = "N", hide = true, conflicts_with = "start_phase",
          value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) propose_start_idx: Option<u8>,

    /// How long a phase may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 7200)]
    pub(crate) timeout_sec: u64,

    /// Which platform pages of the notes the agent reads: linux, web, windows, android, macos; several with
    /// commas [default: what the environment's spec says]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) platform: Vec<String>,

    /// Whose tasks they are: enterprise, consumer
    #[arg(long, value_name = "NAME", default_value = "enterprise")]
    pub(crate) task_type: String,

    /// The folder with the task-creation notes [default: those in this program]
    #[arg(long, value_name = "DIR")]
    pub(crate) notes: Option<PathBuf>,

    /// A folder with prompts; one that is not in it is this program's own
    #[arg(long, value_name = "DIR")]
    pub(crate) prompts: Option<PathBuf>,

    /// Rework this task instead of writing new ones
    #[arg(long, value_name = "TASK", requires = "feedback")]
    pub(crate) edit_task: Option<String>,

    /// With --edit-task: the file with what an expert said of the task
    #[arg(long, value_name = "FILE", requires = "edit_task")]
    pub(crate) feedback: Option<PathBuf>,

    /// Put back what the agent wrote where it should not have. Needs room for a copy of the environment
    #[arg(long)]
    pub(crate) strict_writes: bool,
}

/// Who provides the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AgentKind {
    /// Claude Code writes them
    Claude,
    /// The program that --agent-cmd starts writes them
    Command,
    /// They are there already
    Existing,
}

const EXIT_STATUS: &str = "\
Exit status: 0 all done; 1 fewer good seeds than asked for, or something failed; 2 cannot start; \
130 interrupted.";
