//! The spec of an environment, as far as a machine that runs it needs it. gym-anything, `specs.py`.

mod accounts;
mod mount;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::environment::{Environment, Workspace};
use serde::Deserialize;
use thiserror::Error;

pub use self::accounts::accounts_script;
pub use self::mount::Mount;

use crate::spec::{self, SpecError};

/// The script of the first process of a container: it starts a desktop, and ends with its standard input. Its arguments
/// are in its header.
pub const DESKTOP: &str = include_str!("desktop.sh");

/// Why an environment cannot be run.
#[derive(Debug, Error)]
pub enum SpecFault {
    /// The spec cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The spec has a field of another shape.
    #[error("{} does not have the expected fields: {problem}", path.display())]
    Shape {
        /// The spec.
        path: PathBuf,
        /// What is wrong.
        problem: serde_json::Error,
    },
    /// The source of a mount is not there.
    #[error("the source {0} of a mount is not in the workspace or the environment")]
    NoSource(String),
    /// The source of a mount leads out of the workspace.
    #[error("the source {0} of a mount is outside the workspace and the environment")]
    Outside(String),
    /// The environment needs more than a container has.
    #[error("{0}")]
    Unsupported(String),
}

/// `env.json`. Fields that running does not need are left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EnvironmentSpec {
    /// The preset that it is based on.
    pub base: Option<String>,
    /// The image that it is based on.
    pub image: Option<String>,
    /// The Dockerfile of that image, relative to the environment or the workspace.
    pub dockerfile: Option<String>,
    /// What starts its desktop, where it is not a preset.
    pub entrypoint: Option<String>,
    /// What runs before the set-up of every task; `hooks.reset` otherwise.
    pub reset_script: Option<String>,
    /// Its operating system; Linux where it does not say.
    pub os_type: Option<String>,
    /// What it needs of the machine.
    pub resources: Resources,
    /// What it reads of the workspace.
    pub mounts: Vec<MountSpec>,
    /// What runs when it starts.
    pub hooks: Hooks,
    /// Its accounts; the first is that of the desktop.
    pub user_accounts: Vec<Account>,
    /// What an agent sees.
    pub observation: Vec<Observation>,
    /// What its container may do.
    pub security: Security,
}

/// What an environment needs of the machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Processors.
    pub cpu: Option<f64>,
    /// Memory, in GiB.
    pub mem_gb: Option<f64>,
    /// Whether it needs a network.
    pub net: Option<bool>,
}

/// A mount as the spec describes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MountSpec {
    source: String,
    target: String,
    mode: Option<String>,
}

/// The scripts of an environment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// Installs the application.
    pub pre_start: Option<String>,
    /// Prepares the application.
    pub post_start: Option<String>,
    /// Runs before the set-up of every task.
    pub reset: Option<String>,
}

/// What an agent sees.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Observation {
    #[serde(rename = "type")]
    kind: String,
    resolution: Option<(u32, u32)>,
}

/// What the container of an environment may do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Security {
    /// The user that hooks run as.
    pub user: Option<String>,
    /// Capabilities to drop.
    pub cap_drop: Option<Vec<String>>,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Devices of the host.
    pub devices: Vec<String>,
    /// A profile for system calls.
    pub seccomp_profile: Option<String>,
    /// Whether it has all rights of the host.
    pub privileged: bool,
    /// Whether systemd is its first process.
    pub use_systemd: bool,
    /// Whether `/run` is in memory.
    pub tmpfs_run: bool,
}

/// A user account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Option<String>,
    /// Its number.
    pub uid: Option<u32>,
    /// The number of its group.
    pub gid: Option<u32>,
    /// What it may do.
    pub permissions: Permissions,
}

/// What an account may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "these are the fields of env.json")]
pub struct Permissions {
    /// Whether it may act as root.
    pub sudo: bool,
    /// Whether it may do so without its password.
    pub sudo_nopasswd: bool,
    /// Its login shell.
    pub shell: String,
    /// Further groups.
    pub groups: Vec<String>,
    /// Its own group; of its name otherwise.
    pub primary_group: Option<String>,
    /// Its home.
    pub home_dir: Option<String>,
    /// The mode of its home, in octal.
    pub home_permissions: String,
    /// Whether it has a home.
    pub create_home: bool,
    /// Whether it is an account of the system.
    pub system_user: bool,
    /// Variables of its shells.
    pub env_vars: BTreeMap<String, String>,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            sudo: false,
            sudo_nopasswd: false,
            shell: "/bin/bash".to_owned(),
            groups: Vec::new(),
            primary_group: None,
            home_dir: None,
            home_permissions: "755".to_owned(),
            create_home: true,
            system_user: false,
            env_vars: BTreeMap::new(),
        }
    }
}

/// The resolution of the presets' screens.
const RESOLUTION: (u32, u32) = (1920, 1080);

/// The largest side of a screen, in pixels.
const MAX_SIDE: u32 = 8192;

impl EnvironmentSpec {
    /// Reads the spec of an environment.
    pub fn read(environment: &Environment) -> Result<Self, SpecFault> {
        let spec = spec::read(&environment.spec)?;
        serde_json::from_value(spec.to_json())
            .map_err(|problem| SpecFault::Shape { path: environment.spec.clone(), problem })
    }

    /// Whether it runs Linux.
    pub fn is_linux(&self) -> bool {
        self.os_type.as_deref().is_none_or(|os| os == "linux")
    }

    /// Whether a container can be this environment, without rights over the host; why not.
    pub fn ensure_container(&self) -> Result<(), SpecFault> {
        let unsupported = if !self.is_linux() {
            "a container engine runs Linux only"
        } else if self.security.use_systemd {
            "the environment needs systemd as process 1"
        } else if self.security.privileged {
            "the environment asks for a privileged container"
        } else {
            return Ok(());
        };
        Err(SpecFault::Unsupported(unsupported.to_owned()))
    }

    /// Width and height of the screen, in pixels.
    pub fn resolution(&self) -> (u32, u32) {
        let screen = self.observation.iter().find(|observation| observation.kind == "rgb_screen");
        let (width, height) = screen.and_then(|screen| screen.resolution).unwrap_or(RESOLUTION);
        (width.clamp(64, MAX_SIDE), height.clamp(64, MAX_SIDE))
    }

    /// The display that hooks find in their environment: that of gym-anything's desktops with and without systemd.
    pub fn display(&self) -> &'static str {
        if self.base.as_deref().is_some_and(|base| base.contains("systemd")) { ":1" } else { ":99" }
    }

    /// The user that hooks run as. Presets run them as root.
    pub fn user(&self) -> &str {
        let default = if self.base.is_some() { "root" } else { "1000:1000" };
        self.security.user.as_deref().unwrap_or(default)
    }

    /// The first account: that of the desktop. Root without one.
    pub fn desktop_user(&self) -> &str {
        self.user_accounts.first().map_or("root", |account| account.name.as_str())
    }

    /// The mounts, with their sources on this machine.
    pub fn mounts(&self, environment: &Environment, workspace: &Workspace) -> Result<Vec<Mount>, SpecFault> {
        let mut mounts = Vec::new();
        for mount in &self.mounts {
            mounts.push(Mount {
                source: source(&mount.source, environment, workspace)?,
                target: mount.target.clone(),
                writable: mount.mode.as_deref() == Some("rw"),
            });
        }
        Ok(mounts)
    }
}

/// The path that the source of a mount means: below the workspace, an ancestor of the environment, or the
/// environment. A spec cannot mount anything else of this machine.
fn source(source: &str, environment: &Environment, workspace: &Workspace) -> Result<PathBuf, SpecFault> {
    let roots = [workspace.root()]
        .into_iter()
        .chain(environment.root.ancestors().skip(1))
        .chain([&*environment.root]);
    let candidates = roots.map(|root| root.join(source));
    let found = candidates.into_iter().find_map(|candidate| candidate.canonicalize().ok());
    let found = found.ok_or_else(|| SpecFault::NoSource(source.to_owned()))?;
    let allowed = [workspace.root(), &environment.root];
    if !allowed.iter().any(|root| root.canonicalize().is_ok_and(|root| is_inside(&found, &root))) {
        return Err(SpecFault::Outside(source.to_owned()));
    }
    Ok(found)
}

fn is_inside(path: &Path, root: &Path) -> bool {
    path != root && path.starts_with(root)
}

/// The command that runs a hook as gym-anything does: `bash -lc`, unquoted.
pub fn login_shell(hook: &str) -> String {
    format!("exec bash -lc {} </dev/null", quote(hook))
}

/// A text as one word of a shell. Text with a NUL byte cannot be quoted, and is neither a name nor a command: it becomes
/// an empty word.
pub fn quote(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| "''".to_owned(), Into::into)
}
