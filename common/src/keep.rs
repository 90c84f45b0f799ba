//! Where a stage keeps its manifest: in the run directory of the environment that it works on.
//!
//! `--run-dir` selects it, else `--env-dir`, else the first record that the stage works on. Until that record has
//! come, nothing in the run directory is changed: input of the wrong kind must not replace a manifest.

use std::path::{Path, PathBuf};

use crate::environment::{Environment, Workspace};
use crate::run_dir::{Lock, RunDir, RunDirError};

/// The run directory of a stage, as far as it is known.
#[derive(Debug)]
pub struct Keep {
    stage: &'static str,
    workspace: Workspace,
    /// The name of the environment that the command line gives.
    env: Option<String>,
    run_dir: Option<RunDir>,
    /// Held until the stage ends.
    lock: Option<Lock>,
    /// The only environment whose records are kept, where the run directory follows from the records.
    only: Option<String>,
}

impl Keep {
    /// For the stage with this short name. If the command line gives a run directory or an environment, the run
    /// directory is locked now, and that of another environment is refused.
    pub fn new(
        stage: &'static str,
        workspace: &Workspace,
        run_dir: Option<&Path>,
        environment: Option<&Environment>,
    ) -> Result<Self, RunDirError> {
        let env = environment.map(|environment| environment.name.clone());
        let named = env.as_deref().map(|env| workspace.run_dir(env));
        let run_dir = run_dir.or(named.as_deref()).map(RunDir::open).transpose()?;
        let mut lock = None;
        if let Some(run_dir) = &run_dir {
            env.as_deref().map_or(Ok(()), |env| run_dir.ensure_for(env))?;
            lock = Some(run_dir.lock(stage)?);
        }
        Ok(Self { stage, workspace: workspace.clone(), env, run_dir, lock, only: None })
    }

    /// The run directory, if the command line gives it.
    pub fn run_dir(&self) -> Option<&RunDir> {
        self.run_dir.as_ref()
    }

    /// The path of the manifest `name`, now that the first record has come, which belongs to the environment `env`.
    /// None if the workspace has no such environment and the command line gives no run directory.
    pub(crate) fn start(&mut self, env: &str, name: &str) -> Result<Option<PathBuf>, RunDirError> {
        if self.run_dir.is_none() && self.workspace.environment_of_record(env).is_ok() {
            let run_dir = RunDir::open(&self.workspace.run_dir(env))?;
            self.lock = Some(run_dir.lock(self.stage)?);
            self.run_dir = Some(run_dir);
            self.only = Some(env.to_owned());
        }
        let Some(run_dir) = &self.run_dir else { return Ok(None) };
        let env = self.env.as_deref().unwrap_or(env);
        if !env.is_empty() {
            run_dir.claim(env)?;
        }
        Ok(Some(run_dir.manifest(name)))
    }

    /// Whether a record of the environment `env` belongs into the manifest.
    pub(crate) fn keeps(&self, env: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == env)
    }
}
