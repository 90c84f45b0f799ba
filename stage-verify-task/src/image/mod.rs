//! The image of an environment: its base image after `pre_start` and `post_start`, built once and kept.

mod content;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use common::environment::{Environment, Workspace};
use common::text::{escape, shorten};
use common::ui::Ui;
use task_spec::machine::{EnvironmentSpec, Mount, SpecFault, accounts_script, login_shell};

use crate::engine::{Docker, Machine, Script, Start};

/// The time limit of `pre_start` and `post_start`. gym-anything, `env.py`.
const HOOK: Duration = Duration::from_mins(30);

/// How much of a failed hook's output is kept, in bytes.
const LOG: usize = 1 << 20;

/// An environment that is ready to run tasks.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) spec: EnvironmentSpec,
    pub(crate) mounts: Vec<Mount>,
    /// The tag of its image.
    pub(crate) image: String,
    /// The version of the software, once an episode has found it.
    pub(crate) app_version: OnceLock<String>,
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
    docker: Docker,
    recipe: Recipe,
    workspace: Workspace,
    ui: Ui,
    ready: Mutex<HashMap<PathBuf, Arc<Slot>>>,
}

/// An environment, once the first task that needs it has prepared it.
type Slot = OnceLock<Result<Arc<Ready>, NoImage>>;

impl Images {
    /// No images yet.
    pub(crate) fn new(docker: Docker, recipe: Recipe, workspace: Workspace, ui: Ui) -> Self {
        Self { docker, recipe, workspace, ui, ready: Mutex::default() }
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
        let spec = EnvironmentSpec::read(&environment).map_err(no_spec)?;
        let mounts = spec.mounts(&environment, &self.workspace).map_err(no_image)?;
        let base = self.base(&environment, &spec)?;
        let id = self.docker.image_id(&base).map_err(no_image)?;
        let id = id.ok_or_else(|| NoImage(format!("there is no image {base}")))?;
        let hash = content::hash(&environment, &mounts, &id).map_err(no_image)?;
        let image = format!("verify-task/{}:{hash}", repository(&environment.name));
        if self.recipe.rebuild || self.docker.image_id(&image).map_err(no_image)?.is_none() {
            self.build(&environment, &spec, &mounts, &base, &image)?;
        }
        Ok(Ready { spec, mounts, image, app_version: OnceLock::new() })
    }

    /// The image to start from: the one that was asked for, or what the spec names.
    fn base(&self, environment: &Environment, spec: &EnvironmentSpec) -> Result<String, NoImage> {
        if let Some(image) = self.recipe.base_image.as_ref().or(spec.image.as_ref()) {
            if self.docker.image_id(image).map_err(no_image)?.is_none() {
                self.ui.info(format_args!("pulling {image}"));
                self.docker.pull(image).map_err(no_image)?;
            }
            return Ok(image.clone());
        }
        let Some(dockerfile) = &spec.dockerfile else {
            let preset = spec.base.as_deref().unwrap_or("nothing");
            let message =
                format!("the environment is based on {preset}, which is not an image; pass --base-image");
            return Err(NoImage(message));
        };
        let candidates = [environment.root.join(dockerfile), self.workspace.root().join(dockerfile)];
        let Some(path) = candidates.into_iter().find(|path| path.is_file()) else {
            return Err(no_image(SpecFault::NoSource(dockerfile.clone())));
        };
        let tag = format!("verify-task/{}:base", repository(&environment.name));
        self.ui.info(format_args!("building {dockerfile}"));
        let context = path.parent().unwrap_or(&environment.root);
        self.docker.build(&path.to_string_lossy(), &context.to_string_lossy(), &tag).map_err(no_image)?;
        Ok(tag)
    }

    /// Builds the image. After a failed hook there is none.
    fn build(
        &self,
        environment: &Environment,
        spec: &EnvironmentSpec,
        mounts: &[Mount],
        base: &str,
        image: &str,
    ) -> Result<(), NoImage> {
        self.ui.info(format_args!("building the image of {}; this is done once", environment.name));
        let accounts = accounts_script(&spec.user_accounts);
        let network = self.recipe.network.as_deref().filter(|_| spec.resources.net != Some(false));
        let start = Start { image: base, environment: spec, mounts, prepare: &accounts, network };
        let mut container = self.docker.start(&start).map_err(no_image)?;
        let hooks = [("pre_start", &spec.hooks.pre_start), ("post_start", &spec.hooks.post_start)];
        for (name, hook) in hooks.into_iter().filter_map(|(name, hook)| Some((name, hook.as_ref()?))) {
            self.ui.info(format_args!("{}: running {name}", environment.name));
            let text = login_shell(hook);
            let script = Script { text: &text, input: b"", limit: HOOK, output: LOG, user: None };
            let done = container.run(&script).map_err(no_image)?;
            if done.exit != Some(0) {
                return Err(self.hook_failed(name, done.exit, &done.output));
            }
        }
        container.commit(image).map_err(no_image)
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

/// Why a spec cannot be used, and what else runs such an environment.
fn no_spec(fault: SpecFault) -> NoImage {
    match fault {
        SpecFault::Unsupported(what) => NoImage(format!("{what}; use --engine gym-anything")),
        other => no_image(other),
    }
}

fn no_image(error: impl Into<anyhow::Error>) -> NoImage {
    NoImage(format!("{:#}", error.into()))
}
