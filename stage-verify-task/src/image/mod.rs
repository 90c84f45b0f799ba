//! The image of an environment: its base image after `pre_start` and `post_start`, built once and kept.

mod base;
mod content;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use common::environment::{Environment, Workspace};
use common::text::{escape, shorten};
use common::ui::Ui;
use task_spec::machine::{EnvironmentSpec, Mount, accounts_script, login_shell};

use self::base::{Base, Bases};
use crate::engine::{Engine, Script, Start};

/// The time limit of `pre_start` and `post_start`. gym-anything, `env.py`.
const HOOK: Duration = Duration::from_mins(30);

/// How much of a failed hook's output is kept, in bytes.
const LOG: usize = 1 << 20;

/// An environment that is ready to run tasks.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The folder of the environment.
    pub(crate) root: PathBuf,
    pub(crate) spec: EnvironmentSpec,
    pub(crate) mounts: Vec<Mount>,
    /// The tag of its image.
    pub(crate) image: String,
    /// The version of the software, once an episode has found it.
    pub(crate) app_version: OnceLock<String>,
}

impl Ready {
    /// A machine of its image, with these mounts.
    pub(crate) fn start<'a>(&'a self, mounts: &'a [Mount], network: Option<&'a str>) -> Start<'a> {
        let (image, root, environment) = (&*self.image, &*self.root, &self.spec);
        Start { image, base: None, root, environment, mounts, prepare: "", network }
    }
}

/// Why the image of an environment cannot be had. Its tasks are then not run.
#[derive(Clone, Debug)]
pub(crate) struct NoImage(pub(crate) String);

impl fmt::Display for NoImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How images are built.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// Replaces what the environment's spec names.
    pub(crate) base_image: Option<String>,
    /// The network that `pre_start` and `post_start` may use, if the spec does not deny it.
    pub(crate) network: Option<String>,
    /// Whether to build the image also if there is one.
    pub(crate) rebuild: bool,
}

/// The images of all environments of a run. Each is built once, by the first task that needs it.
#[derive(Debug)]
pub(crate) struct Images {
    engine: Engine,
    recipe: Recipe,
    workspace: Workspace,
    ui: Ui,
    ready: Mutex<HashMap<PathBuf, Arc<Slot>>>,
}

/// An environment, once the first task that needs it has prepared it.
type Slot = OnceLock<Result<Arc<Ready>, NoImage>>;

impl Images {
    /// No images yet.
    pub(crate) fn new(engine: Engine, recipe: Recipe, workspace: Workspace, ui: Ui) -> Self {
        Self { engine, recipe, workspace, ui, ready: Mutex::default() }
    }

    /// The environment in the folder `root`, with its image. Other threads that need it wait.
    pub(crate) fn of(&self, root: &Path) -> Result<Arc<Ready>, NoImage> {
        let slot = self
            .ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(root.to_owned())
            .or_default()
            .clone();
        slot.get_or_init(|| self.prepare(root).map(Arc::new)).clone()
    }

    fn prepare(&self, root: &Path) -> Result<Ready, NoImage> {
        let environment = Environment::open(root).map_err(no_image)?;
        let spec = EnvironmentSpec::read(&environment).map_err(no_image)?;
        if !spec.is_linux() {
            return Err(NoImage("tasks are run on Linux only".to_owned()));
        }
        let mounts = spec.mounts(&environment, &self.workspace).map_err(no_image)?;
        let base = self.base(&environment, &spec)?;
        let hash = content::hash(&environment, &mounts, &base.id).map_err(no_image)?;
        let image = format!("verify-task/{}:{hash}", repository(&environment.name));
        let ready =
            Ready { root: environment.root.clone(), spec, mounts, image, app_version: OnceLock::new() };
        if self.recipe.rebuild || !self.is_built(&ready)? {
            self.build(&environment.name, &ready, &base)?;
        }
        Ok(ready)
    }

    fn base(&self, environment: &Environment, spec: &EnvironmentSpec) -> Result<Base, NoImage> {
        match &self.engine {
            Engine::Docker(docker) => {
                let bases = Bases { docker, recipe: &self.recipe, workspace: &self.workspace, ui: &self.ui };
                bases.of(environment, spec)
            }
            // It finds the base itself. Only the name of the base tells whether it is another.
            Engine::GymAnything(_) => {
                let name = self.recipe.base_image.clone().or_else(|| spec.base.clone()).unwrap_or_default();
                Ok(Base { id: name.clone(), name })
            }
        }
    }

    fn is_built(&self, ready: &Ready) -> Result<bool, NoImage> {
        match &self.engine {
            Engine::Docker(docker) => docker.image_id(&ready.image).map(|id| id.is_some()),
            Engine::GymAnything(gym) => gym.is_kept(&ready.start(&ready.mounts, None)),
        }
        .map_err(no_image)
    }

    /// Builds the image. After a failed hook there is none.
    fn build(&self, name: &str, ready: &Ready, base: &Base) -> Result<(), NoImage> {
        self.ui.info(format_args!("building the image of {name}; this is done once"));
        let spec = &ready.spec;
        let accounts = accounts_script(&spec.user_accounts);
        let network = self.recipe.network.as_deref().filter(|_| spec.resources.net != Some(false));
        let start =
            Start { base: Some(&base.name), prepare: &accounts, ..ready.start(&ready.mounts, network) };
        let mut machine = self.engine.start(&start).map_err(no_image)?;
        let hooks = [("pre_start", &spec.hooks.pre_start), ("post_start", &spec.hooks.post_start)];
        for (hook, command) in hooks.into_iter().filter_map(|(hook, command)| Some((hook, command.as_ref()?)))
        {
            self.ui.info(format_args!("{name}: running {hook}"));
            let text = login_shell(command);
            let script = Script { text: &text, input: b"", limit: HOOK, output: LOG, user: None };
            let done = machine.run(&script).map_err(no_image)?;
            if done.exit != Some(0) {
                return Err(self.hook_failed(hook, done.exit, &done.output));
            }
        }
        machine.keep(&ready.image).map_err(no_image)
    }

    fn hook_failed(&self, name: &str, exit: Option<i32>, output: &[u8]) -> NoImage {
        let how = exit.map_or_else(|| "did not end in time".to_owned(), |exit| format!("ended with {exit}"));
        let output = String::from_utf8_lossy(output);
        let tail = tail(&output, 1500);
        let network = if self.recipe.network.is_none() && needs_network(&output) {
            "; it needs a network, which --network allows"
        } else {
            ""
        };
        NoImage(format!("{name} {how}{network}: {}", escape(tail)))
    }
}

/// The last characters of a text, at least from the start of a line on where there is one.
pub(crate) fn tail(text: &str, most: usize) -> &str {
    let text = text.trim_end();
    let from = text.char_indices().rev().take(most).last().map_or(0, |(at, _)| at);
    let tail = text.get(from..).unwrap_or_default();
    if from == 0 {
        return tail;
    }
    tail.split_once('\n').map_or(tail, |(_, lines)| lines)
}

/// Whether an output says that a network is missing.
pub(crate) fn needs_network(output: &str) -> bool {
    const SIGNS: [&str; 8] = [
        "Temporary failure in name resolution",
        "Temporary failure resolving",
        "Could not resolve host",
        "Name or service not known",
        "Network is unreachable",
        "network is unreachable",
        "ENETUNREACH",
        "EAI_AGAIN",
    ];
    SIGNS.iter().any(|sign| output.contains(sign))
}

/// The name of an environment as part of the name of an image.
fn repository(name: &str) -> String {
    let clean =
        name.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' });
    let clean: String = clean.collect();
    let clean = clean.trim_matches('-');
    let clean = clean.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if clean.is_empty() { "env".to_owned() } else { shorten(&clean, 100).into_owned() }
}

fn no_image(error: impl Into<anyhow::Error>) -> NoImage {
    NoImage(format!("{:#}", error.into()))
}
