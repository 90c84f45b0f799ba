//! The manifests that gym-anything's `verify corpus` writes, with its keys, so that what reads them goes on
//! working: the state of every task, the tasks that are good, and the scripts that hooks miss.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use common::publish::write_file_atomic;
use common::record::{Issue, SpecKind};
use serde::Serialize;

use crate::args::Manifests;
use crate::check::Checked;
use crate::report::Scope;

const MISSING_HOOK: &str = "missing_hook_reference";

/// Collects what the manifests need, if any is asked for.
pub(crate) struct Collector {
    asked: Manifests,
    tasks: Vec<Entry>,
}

/// What the manifests say of one task.
#[derive(Clone, Serialize)]
struct Entry {
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
    missing: Vec<Asset>,
}

/// A script that a hook names and that is nowhere.
#[derive(Clone, Serialize)]
struct Asset {
    asset: String,
    hook: String,
}

impl Entry {
    fn ok(&self) -> bool {
        self.status == "verified"
    }
}

impl Collector {
    pub(crate) fn new(asked: &Manifests) -> Self {
        Self { asked: asked.clone(), tasks: Vec::new() }
    }

    /// Takes note of a verdict.
    pub(crate) fn add(&mut self, checked: &Checked, scope: &Scope) {
        let Manifests { status, split, missing_hooks } = &self.asked;
        let asked = status.is_some() || split.is_some() || missing_hooks.is_some();
        if asked && checked.findings.kind == SpecKind::Task {
            self.tasks.push(entry(checked, &scope.root));
        }
    }

    /// Writes the manifests that were asked for.
    pub(crate) fn write(&self, scope: &Scope) -> Result<()> {
        let Manifests { status, split, missing_hooks } = &self.asked;
        let root = scope.root.to_string_lossy();
        if let Some(path) = status {
            write(path, &self.status(&root))?;
        }
        if let Some(path) = split {
            write(path, &self.split(&root))?;
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

    fn split<'a>(&'a self, root: &'a str) -> SplitManifest<'a> {
        let mut by_environment: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut tasks = Vec::new();
        for task in self.tasks.iter().filter(|task| task.ok()) {
            by_environment.entry(&task.environment).or_default().push(&task.task_id);
            tasks.push(task.task_ref.as_str());
        }
        for names in by_environment.values_mut() {
            names.sort_unstable();
        }
        tasks.sort_unstable();
        SplitManifest {
            by_environment,
            generated_at: now(),
            root,
            schema_version: 1,
            task_count: tasks.len(),
            tasks,
        }
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
    failed_tasks: Vec<&'a Entry>,
    generated_at: String,
    issue_counts: BTreeMap<&'a str, u64>,
    root: &'a str,
    schema_version: u32,
    total_task_records: usize,
    verified_task_count: usize,
    verified_tasks: Vec<&'a Entry>,
}

#[derive(Default, Serialize)]
struct StatusOfEnvironment<'a> {
    failed_tasks: Vec<&'a str>,
    issue_counts: BTreeMap<&'a str, u64>,
    verified_tasks: Vec<&'a str>,
}

#[derive(Serialize)]
struct SplitManifest<'a> {
    by_environment: BTreeMap<&'a str, Vec<&'a str>>,
    generated_at: String,
    root: &'a str,
    schema_version: u32,
    task_count: usize,
    tasks: Vec<&'a str>,
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
    missing_hook_assets: &'a [Asset],
    spec_id: Option<&'a str>,
    task_dir: &'a str,
    task_id: &'a str,
    task_ref: &'a str,
    task_spec_path: &'a str,
}

fn entry(checked: &Checked, root: &Path) -> Entry {
    let findings = &checked.findings;
    let task_id = checked.task.clone().unwrap_or_default();
    let missing = findings.missing_scripts.iter().flat_map(|(hook, scripts)| {
        scripts.iter().map(|script| Asset { asset: script.clone(), hook: hook.clone() })
    });
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Entry {
        environment: checked.env.clone(),
        issues: findings.issues.clone(),
        spec_id: findings.spec_id.clone(),
        status: if checked.ok { "verified" } else { "failed" },
        task_ref: format!("{}/{task_id}", checked.env),
        task_id,
        task_spec_path: text(findings.path.strip_prefix(root).unwrap_or(&findings.path)),
        task_dir: text(findings.path.parent().unwrap_or(Path::new(""))),
        missing: missing.collect(),
    }
}

fn write(path: &Path, manifest: &impl Serialize) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(manifest)?;
    bytes.push(b'\n');
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs_err::create_dir_all(folder)?;
    }
    write_file_atomic(path, &bytes).with_context(|| format!("cannot write the manifest {}", path.display()))
}

/// The time, as ISO 8601 in UTC.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
}

/// The date that many days after 1 January 1970, by the calendar's cycle of 400 years from 1 March of year 0.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month_of_year = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month_of_year <= 2), month_of_year, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_777), (2026, 11, 20));
    }
}
