//! The three manifests that gym-anything's `verify corpus` writes, with its keys: the status of every task, the
//! valid tasks, and the missing hook scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use common::publish::write_json;
use common::record::{Issue, SpecKind};
use serde::Serialize;
use task_spec::verified::{VerifiedTasks, now};

use crate::check::CheckedSpec;
use crate::settings::{Coverage, ManifestPaths, SummaryScope};

const MISSING_HOOK: &str = "missing_hook_reference";

/// Collects the tasks of a run and writes the manifests, if any is asked for.
pub(crate) struct GymManifests {
    paths: ManifestPaths,
    tasks: Vec<TaskEntry>,
    /// What the file of valid tasks says about other tasks than those of this run.
    earlier_split: Option<VerifiedTasks>,
    coverage: Coverage,
    /// The environments that the run came to before a limit stopped it.
    reached: BTreeSet<String>,
}

/// One task in the manifests.
#[derive(Clone, Serialize)]
struct TaskEntry {
    environment: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    issues: Vec<Issue>,
    spec_id: Option<String>,
    status: &'static str,
    task_id: String,
    task_ref: String,
    task_spec_path: String,
    #[serde(skip)]
    task_dir: String,
    #[serde(skip)]
    missing: Vec<MissingScript>,
}

/// A script that a hook names and that does not exist.
#[derive(Clone, Serialize)]
struct MissingScript {
    asset: String,
    hook: String,
}

impl GymManifests {
    /// Reads the existing file of valid tasks, unless the run replaces all of it.
    pub(crate) fn open(paths: &ManifestPaths, coverage: Coverage) -> Result<Self> {
        let split = paths.split.as_deref().filter(|path| !coverage.is_corpus && path.exists());
        let earlier_split = split
            .map(|path| {
                VerifiedTasks::read(path).context("cannot add to a list; give the name of a new file")
            })
            .transpose()?;
        Ok(Self {
            paths: paths.clone(),
            tasks: Vec::new(),
            earlier_split,
            coverage,
            reached: BTreeSet::new(),
        })
    }

    /// Adds a task. Environments are not listed in the manifests; it is noted that their turn came.
    pub(crate) fn add(&mut self, spec: &CheckedSpec, scope: &SummaryScope) {
        let ManifestPaths { status, split, missing_hooks } = &self.paths;
        if spec.findings.kind == SpecKind::Env {
            self.reached.insert(spec.env.clone());
        }
        let is_wanted = status.is_some() || split.is_some() || missing_hooks.is_some();
        if is_wanted && spec.findings.kind == SpecKind::Task {
            self.tasks.push(TaskEntry::new(spec, &scope.root));
        }
    }

    /// Writes the manifests that were asked for.
    pub(crate) fn write(&self, scope: &SummaryScope) -> Result<()> {
        let ManifestPaths { status, split, missing_hooks } = &self.paths;
        let root = scope.root.to_string_lossy();
        if let Some(path) = status {
            write(path, &self.status(&root))?;
        }
        if let Some(path) = split {
            create_folder_of(path)?;
            self.split(&root).write(path).with_context(|| failure(path))?;
        }
        if let Some(path) = missing_hooks {
            write(path, &self.missing_hooks(&root))?;
        }
        Ok(())
    }

    fn status<'a>(&'a self, root: &'a str) -> StatusManifest<'a> {
        let mut by_environment: BTreeMap<&str, StatusOfEnvironment<'_>> = BTreeMap::new();
        let mut issue_counts: BTreeMap<&str, u64> = BTreeMap::new();
        for task in &self.tasks {
            let environment = by_environment.entry(&task.environment).or_default();
            let names =
                if task.ok() { &mut environment.verified_tasks } else { &mut environment.failed_tasks };
            names.push(&task.task_id);
            for issue in &task.issues {
                *issue_counts.entry(&issue.code).or_default() += 1;
                *environment.issue_counts.entry(&issue.code).or_default() += 1;
            }
        }
        for environment in by_environment.values_mut() {
            environment.verified_tasks.sort_unstable();
            environment.failed_tasks.sort_unstable();
        }
        let (verified_tasks, failed_tasks): (Vec<_>, Vec<_>) = self.tasks.iter().partition(|task| task.ok());
        StatusManifest {
            by_environment,
            failed_task_count: failed_tasks.len(),
            failed_tasks,
            generated_at: now(),
            issue_counts,
            root,
            schema_version: 1,
            total_task_records: self.tasks.len(),
            verified_task_count: verified_tasks.len(),
            verified_tasks,
        }
    }

    /// The valid tasks: those of the existing file that this run did not check, and those that it found valid.
    fn split(&self, root: &str) -> VerifiedTasks {
        let mut valid = self.earlier_split.clone().unwrap_or_else(|| VerifiedTasks::new(root));
        let is_complete =
            |env: &String| self.coverage.environments.contains(env) && self.reached.contains(env);
        valid.by_environment.retain(|env, _| !is_complete(env));
        for task in &self.tasks {
            let names = valid.environment(&task.environment);
            if task.ok() {
                names.insert(task.task_id.clone());
            } else {
                names.remove(&task.task_id);
            }
        }
        valid
    }

    fn missing_hooks<'a>(&'a self, root: &'a str) -> MissingHookManifest<'a> {
        let mut by_environment: BTreeMap<&str, MissingOfEnvironment<'_>> = BTreeMap::new();
        let mut tasks = Vec::new();
        for task in self.tasks.iter().filter(|task| !task.missing.is_empty()) {
            let environment = by_environment.entry(&task.environment).or_default();
            environment.missing_hook_asset_count += task.missing.len();
            environment.task_count += 1;
            environment.task_dirs.push(&task.task_dir);
            environment.task_ids.push(&task.task_id);
            tasks.push(MissingOfTask {
                environment: &task.environment,
                issues: task.issues.iter().filter(|issue| issue.code == MISSING_HOOK).collect(),
                missing_hook_assets: &task.missing,
                spec_id: task.spec_id.as_deref(),
                task_dir: &task.task_dir,
                task_id: &task.task_id,
                task_ref: &task.task_ref,
                task_spec_path: &task.task_spec_path,
            });
        }
        for environment in by_environment.values_mut() {
            environment.task_dirs.sort_unstable();
            environment.task_ids.sort_unstable();
        }
        MissingHookManifest {
            environment_count: by_environment.len(),
            by_environment,
            generated_at: now(),
            root,
            schema_version: 1,
            task_count: tasks.len(),
            tasks,
        }
    }
}

#[derive(Serialize)]
struct StatusManifest<'a> {
    by_environment: BTreeMap<&'a str, StatusOfEnvironment<'a>>,
    failed_task_count: usize,
    failed_tasks: Vec<&'a TaskEntry>,
    generated_at: String,
    issue_counts: BTreeMap<&'a str, u64>,
    root: &'a str,
    schema_version: u32,
    total_task_records: usize,
    verified_task_count: usize,
    verified_tasks: Vec<&'a TaskEntry>,
}

#[derive(Default, Serialize)]
struct StatusOfEnvironment<'a> {
    failed_tasks: Vec<&'a str>,
    issue_counts: BTreeMap<&'a str, u64>,
    verified_tasks: Vec<&'a str>,
}

#[derive(Serialize)]
struct MissingHookManifest<'a> {
    by_environment: BTreeMap<&'a str, MissingOfEnvironment<'a>>,
    environment_count: usize,
    generated_at: String,
    root: &'a str,
    schema_version: u32,
    task_count: usize,
    tasks: Vec<MissingOfTask<'a>>,
}

#[derive(Default, Serialize)]
struct MissingOfEnvironment<'a> {
    missing_hook_asset_count: usize,
    task_count: usize,
    task_dirs: Vec<&'a str>,
    task_ids: Vec<&'a str>,
}

#[derive(Serialize)]
struct MissingOfTask<'a> {
    environment: &'a str,
    issues: Vec<&'a Issue>,
    missing_hook_assets: &'a [MissingScript],
    spec_id: Option<&'a str>,
    task_dir: &'a str,
    task_id: &'a str,
    task_ref: &'a str,
    task_spec_path: &'a str,
}

impl TaskEntry {
    fn new(spec: &CheckedSpec, root: &Path) -> Self {
        let findings = &spec.findings;
        let task_id = spec.task.clone().unwrap_or_default();
        let missing = findings.missing_scripts.iter().flat_map(|(hook, scripts)| {
            scripts.iter().map(|script| MissingScript { asset: script.clone(), hook: hook.clone() })
        });
        let spec_path = findings.path.strip_prefix(root).unwrap_or(&findings.path);
        let task_dir = findings.path.parent().unwrap_or(Path::new(""));
        Self {
            environment: spec.env.clone(),
            issues: findings.issues.clone(),
            spec_id: findings.spec_id.clone(),
            status: if spec.ok { "verified" } else { "failed" },
            task_ref: format!("{}/{task_id}", spec.env),
            task_id,
            task_spec_path: spec_path.to_string_lossy().into_owned(),
            task_dir: task_dir.to_string_lossy().into_owned(),
            missing: missing.collect(),
        }
    }

    fn ok(&self) -> bool {
        self.status == "verified"
    }
}

fn write(path: &Path, manifest: &impl Serialize) -> Result<()> {
    create_folder_of(path)?;
    write_json(path, manifest).with_context(|| failure(path))
}

fn create_folder_of(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs_err::create_dir_all(folder)?;
    }
    Ok(())
}

fn failure(path: &Path) -> String {
    format!("cannot write the manifest {}", path.display())
}
