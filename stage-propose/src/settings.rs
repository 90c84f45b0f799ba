//! What was typed, resolved: folders found, programs located, files read.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::environment::{Environment, Workspace};
use common::run_dir::RunDir;
use common::stage::{Output, StageArgs};
use common::ui::Ui;
use fs_err as fs;
use serde_json::json;
use task_spec::verify::check_environment;

use crate::agent::Agent;
use crate::args::{AgentKind, Args};
use crate::notes::Notes;
use crate::phase::Phase;
use crate::program;
use crate::prompt::Prompts;

/// How many tasks an agent is asked for, unless another number was.
const DEFAULT_SEEDS: usize = 5;

/// Everything the stage goes by.
pub(crate) struct Settings {
    pub(crate) place: Place,
    pub(crate) work: Work,
}

/// Where the work is done.
pub(crate) struct Place {
    pub(crate) workspace: Workspace,
    pub(crate) environment: Environment,
    pub(crate) run: RunDir,
    args: StageArgs,
}

impl Place {
    /// Where the records go: on to the next stage, and into the manifest if they are what it is to hold.
    pub(crate) fn output(&self, is_manifest: bool) -> Result<Output> {
        let manifest = is_manifest.then(|| self.run.manifest("seeds"));
        self.args.output(manifest.as_deref())
    }
}

/// What is to be done.
pub(crate) enum Work {
    /// The tasks that are there are the seeds: these many of them, or all.
    Adopt { count: Option<usize> },
    /// An agent is sent.
    Drive(Box<Drive>),
}

/// How an agent is sent.
pub(crate) struct Drive {
    pub(crate) agent: Agent,
    pub(crate) software: String,
    pub(crate) assignment: Assignment,
    /// The session that was asked for.
    pub(crate) session: Option<String>,
    /// The first phase that is run.
    pub(crate) first_phase: Phase,
    pub(crate) time_limit: Duration,
    pub(crate) platforms: Vec<String>,
    pub(crate) task_type: String,
    pub(crate) notes: Notes,
    pub(crate) prompts: Prompts,
    pub(crate) strict_writes: bool,
}

/// What the agent is to bring about.
pub(crate) enum Assignment {
    /// So many new tasks.
    Create { count: usize },
    /// One task, reworked after what an expert said of it.
    Edit { task: String, feedback: String },
}

impl Settings {
    /// Finds and reads everything that the arguments name.
    pub(crate) fn resolve(args: Args, ui: &Ui) -> Result<Self> {
        ensure!(args.stage.input.is_none(), "stage-propose is the first stage: it reads no records");
        let workspace = args.stage.workspace()?;
        let environment = workspace.environment(&args.env_dir)?;
        let count = args.seed_count.map(|count| count as usize);
        let work = match args.agent {
            AgentKind::Existing => {
                ensure!(args.edit_task.is_none(), "--edit-task needs an agent: leave out --agent existing");
                Work::Adopt { count }
            }
            AgentKind::Claude | AgentKind::Command => {
                Work::Drive(Box::new(Drive::resolve(&args, &environment)?))
            }
        };
        let run_dir = args.stage.run_dir.clone().unwrap_or_else(|| workspace.run_dir(&environment.name));
        let run = RunDir::open(&std::path::absolute(run_dir)?)?;
        run.note("propose", &asked(&args, &environment))?;
        ui.debug(format_args!("environment {}", environment.root.display()));
        Ok(Self { place: Place { workspace, environment, run, args: args.stage }, work })
    }
}

impl Drive {
    fn resolve(args: &Args, environment: &Environment) -> Result<Self> {
        let notes = Notes::load(args.notes.as_deref())?;
        let platforms = if args.platform.is_empty() {
            vec![platform_of(environment).to_owned()]
        } else {
            args.platform.clone()
        };
        notes.check(&args.task_type, &platforms)?;
        Ok(Self {
            agent: agent(args)?,
            software: args.software.clone().unwrap_or_else(|| environment.name.clone()),
            assignment: Assignment::resolve(args, environment)?,
            session: args.session_id.map(|id| id.to_string()),
            first_phase: first_phase(args)?,
            time_limit: Duration::from_secs(args.timeout_sec),
            platforms,
            task_type: args.task_type.clone(),
            notes,
            prompts: Prompts::load(args.prompts.as_deref())?,
            strict_writes: args.strict_writes,
        })
    }
}

impl Assignment {
    fn resolve(args: &Args, environment: &Environment) -> Result<Self> {
        let (Some(task), Some(feedback)) = (&args.edit_task, &args.feedback) else {
            let count = args.seed_count.map_or(DEFAULT_SEEDS, |count| count as usize);
            return Ok(Self::Create { count });
        };
        let names = environment.task_names()?;
        ensure!(names.contains(task), "{} has no task {task:?} to edit", environment.name);
        let feedback = fs::read_to_string(feedback).context("cannot read the feedback")?;
        ensure!(!feedback.trim().is_empty(), "the feedback is empty: the agent would have nothing to go by");
        Ok(Self::Edit { task: task.clone(), feedback })
    }
}

fn first_phase(args: &Args) -> Result<Phase> {
    let number = usize::from(args.propose_start_idx.map_or(args.start_phase, |done| done + 1));
    Phase::ALL.into_iter().find(|phase| phase.number() == number).context("no phase has this number")
}

fn agent(args: &Args) -> Result<Agent> {
    if args.agent == AgentKind::Command {
        let template = args.agent_cmd.as_deref().context("--agent command needs --agent-cmd")?;
        return Agent::from_template(template);
    }
    ensure!(args.agent_cmd.is_none(), "--agent-cmd needs --agent command");
    let program = program::claude(args.claude_bin.as_deref())?;
    Ok(Agent::Claude { program, model: args.proposer_model.clone() })
}

/// The platform that the environment's spec names by its base image, its operating system or its runner;
/// Linux, where it names none that has pages of its own.
fn platform_of(environment: &Environment) -> &'static str {
    const PARTS: [(&str, &str); 5] = [
        ("windows", "windows"),
        ("android", "android"),
        ("avd", "android"),
        ("macos", "macos"),
        ("avf", "macos"),
    ];
    let spec = check_environment(&environment.root).spec;
    let value = |key| Some(spec.as_ref()?.get(key)?.as_str()?.to_lowercase());
    let values: Vec<String> = ["base", "os_type", "runner"].into_iter().filter_map(value).collect();
    let named = PARTS.iter().find(|(part, _)| values.iter().any(|value| value.contains(part)));
    named.map_or("linux", |(_, platform)| platform)
}

/// What `run.json` keeps of the arguments.
fn asked(args: &Args, environment: &Environment) -> serde_json::Value {
    let agent = match args.agent {
        AgentKind::Claude => "claude",
        AgentKind::Command => "command",
        AgentKind::Existing => "existing",
    };
    json!({
        "environment": environment.name,
        "software": args.software,
        "agent": agent,
        "proposer_model": args.proposer_model,
        "seed_count": args.seed_count,
        "platform": args.platform,
        "task_type": args.task_type,
        "edit_task": args.edit_task,
    })
}
