//! The spec of an environment, as far as running it needs it. gym-anything, `specs.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::environment::{Environment, Workspace};
use serde::Deserialize;
use task_spec::spec::{self, SpecError};
use thiserror::Error;

use crate::mount::Mount;

/// Why an environment cannot be run.
#[derive(Debug, Error)]
pub(crate) enum SpecFault {
    /// The spec cannot be read.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The spec has a field of another shape.
    #[error("{} does not have the expected fields: {problem}", path.display())]
    Shape { path: PathBuf, problem: serde_json::Error },
    /// The source of a mount is not there.
    #[error("the source {0} of a mount is not in the workspace or the environment")]
    NoSource(String),
    /// The source of a mount leads out of the workspace.
    #[error("the source {0} of a mount is outside the workspace and the environment")]
    Outside(String),
    /// The environment needs more than an engine gives.
    #[error("{0}")]
    Unsupported(String),
}

/// `env.json`. Fields that running does not need are left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EnvironmentSpec {
    pub(crate) base: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) dockerfile: Option<String>,
    pub(crate) entrypoint: Option<String>,
    pub(crate) reset_script: Option<String>,
    pub(crate) os_type: Option<String>,
    pub(crate) resources: Resources,
    pub(crate) mounts: Vec<MountSpec>,
    pub(crate) hooks: Hooks,
    pub(crate) user_accounts: Vec<Account>,
    pub(crate) observation: Vec<Observation>,
    pub(crate) security: Security,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resources {
    /// Processors.
    pub(crate) cpu: Option<f64>,
    /// Memory, in GiB.
    pub(crate) mem_gb: Option<f64>,
    /// Whether it needs a network.
    pub(crate) net: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MountSpec {
    source: String,
    target: String,
    mode: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hooks {
    pub(crate) pre_start: Option<String>,
    pub(crate) post_start: Option<String>,
    pub(crate) reset: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Observation {
    #[serde(rename = "type")]
    kind: String,
    resolution: Option<(u32, u32)>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Security {
    pub(crate) user: Option<String>,
    pub(crate) cap_drop: Option<Vec<String>>,
    pub(crate) cap_add: Vec<String>,
    pub(crate) devices: Vec<String>,
    pub(crate) seccomp_profile: Option<String>,
    pub(crate) privileged: bool,
    pub(crate) use_systemd: bool,
    pub(crate) tmpfs_run: bool,
}

/// A user account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: Option<String>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) permissions: Permissions,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "these are the fields of env.json"
)]
pub(crate) struct Permissions {
    pub(crate) sudo: bool,
    pub(crate) sudo_nopasswd: bool,
    pub(crate) shell: String,
    pub(crate) groups: Vec<String>,
    pub(crate) primary_group: Option<String>,
    pub(crate) home_dir: Option<String>,
    pub(crate) home_permissions: String,
    pub(crate) create_home: bool,
    pub(crate) system_user: bool,
    pub(crate) env_vars: BTreeMap<String, String>,
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
    pub(crate) fn read(environment: &Environment) -> Result<Self, SpecFault> {
        let spec = spec::read(&environment.spec)?;
        let spec: Self = serde_json::from_value(spec.to_json())
            .map_err(|problem| SpecFault::Shape { path: environment.spec.clone(), problem })?;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), SpecFault> {
        let unsupported = if self.os_type.as_deref().is_some_and(|os| os != "linux") {
            "a container engine runs Linux only; use --engine gym-anything"
        } else if self.security.use_systemd {
            "the environment needs systemd as process 1; use --engine gym-anything, or an image without it"
        } else if self.security.privileged {
            "the environment asks for a privileged container; use --engine gym-anything with a virtual machine"
        } else {
            return Ok(());
        };
        Err(SpecFault::Unsupported(unsupported.to_owned()))
    }

    /// Width and height of the screen, in pixels.
    pub(crate) fn resolution(&self) -> (u32, u32) {
        let screen = self.observation.iter().find(|observation| observation.kind == "rgb_screen");
        let (width, height) = screen.and_then(|screen| screen.resolution).unwrap_or(RESOLUTION);
        (width.clamp(64, MAX_SIDE), height.clamp(64, MAX_SIDE))
    }

    /// The display that hooks find in their environment: that of gym-anything's desktops with and without systemd.
    pub(crate) fn display(&self) -> &'static str {
        if self.base.as_deref().is_some_and(|base| base.contains("systemd")) { ":1" } else { ":99" }
    }

    /// The user that hooks run as. Presets run them as root.
    pub(crate) fn user(&self) -> &str {
        let default = if self.base.is_some() { "root" } else { "1000:1000" };
        self.security.user.as_deref().unwrap_or(default)
    }

    /// The first account: that of the desktop. Root without one.
    pub(crate) fn desktop_user(&self) -> &str {
        self.user_accounts.first().map_or("root", |account| account.name.as_str())
    }

    /// The mounts, with their sources on this machine.
    pub(crate) fn mounts(
        &self,
        environment: &Environment,
        workspace: &Workspace,
    ) -> Result<Vec<Mount>, SpecFault> {
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
