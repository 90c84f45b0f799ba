//! The scripts that hooks name, and where they are looked for.
//!
//! A hook is a shell command that runs inside the environment; what it names is a path there. The mounts of
//! the environment say where that is on the host.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::findings::{Findings, IssueCode};
use super::listing::Listing;
use super::paths::{exists, pure};
use super::shape::Mount;
use crate::value::Value;

/// A mount, and the folders of the host that its source means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mounted {
    /// How its target may be written.
    targets: Vec<String>,
    sources: Vec<PathBuf>,
}

impl Mounted {
    /// Looks once for what is asked for with every hook.
    pub(super) fn new(mount: &Mount, environment: &Path) -> Self {
        let sources = source_candidates(&mount.source, environment).filter(|source| exists(source)).collect();
        Self { targets: target_spellings(&mount.target), sources }
    }
}

/// Where scripts are looked for.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    pub environment: &'a Path,
    pub task: Option<&'a Listing>,
    pub mounts: &'a [Mounted],
}

/// What the name of a script ends with. gym-anything, `verification/specs.py`.
const ENDINGS: [&str; 5] = [".sh", ".ps1", ".py", ".bat", ".cmd"];

/// The scripts that a command names, with slashes for backslashes: what
/// `[A-Za-z0-9_./\\:-]+\.(?:sh|ps1|py|bat|cmd)` matches.
pub fn scripts(command: &str) -> impl Iterator<Item = String> {
    let is_part =
        |part| matches!(part, 'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '.' | '/' | '\\' | ':' | '-');
    command.split(move |part| !is_part(part)).filter_map(|word| {
        let end = word.rmatch_indices('.').find_map(|(dot, _)| {
            let ending = ENDINGS
                .iter()
                .find(|ending| word.get(dot..).is_some_and(|rest| rest.starts_with(*ending)))?;
            (dot > 0).then_some(dot + ending.len())
        });
        Some(word.get(..end?)?.replace('\\', "/"))
    })
}

/// Reports the scripts of a hook that are missing.
pub(super) fn check_hook(findings: &mut Findings, hook: &str, command: &Value, places: Places<'_>) {
    let path = places.task.map_or(places.environment, Listing::folder);
    match command {
        Value::String(command) => {
            let missing: Vec<_> = missing_scripts(command, places).into_iter().collect();
            if !missing.is_empty() {
                let message = format!("{hook} references missing script(s): {}", missing.join(", "));
                findings.add(IssueCode::MissingHookReference, message, path);
                findings.missing_scripts.push((hook.to_owned(), missing));
            }
        }
        // The original ends with a traceback.
        other if other.truthy() => {
            let message = format!("the hook {hook} is {}; give it a command as text", other.kind());
            findings.add(IssueCode::ValidationError, message, path);
        }
        _ => {}
    }
}

/// The scripts that a command names and that are missing, sorted.
fn missing_scripts(command: &str, places: Places<'_>) -> BTreeSet<String> {
    scripts(command).filter(|script| find_script(script, places).is_none()).collect()
}

/// The file that a script of a hook is on the host.
fn find_script(script: &str, places: Places<'_>) -> Option<PathBuf> {
    if let Some(mounted) = find_mounted(script, places) {
        return Some(mounted);
    }
    let Places { environment, task, .. } = places;
    if let Some((_, below)) = script.split_once("/workspace/") {
        return places.found(environment.join(pure(below.trim_start_matches('/'))));
    }
    if script.starts_with("tasks/") || script.starts_with("scripts/") {
        return places.found(environment.join(pure(script)));
    }
    let in_task = task.and_then(|task| places.found(task.folder().join(pure(script))));
    in_task.or_else(|| places.found(environment.join(pure(script))))
}

impl Places<'_> {
    fn found(self, path: PathBuf) -> Option<PathBuf> {
        let found = self.task.map_or_else(|| exists(&path), |task| task.exists(&path));
        found.then_some(path)
    }
}

/// Looks in the mount whose target matches most of the script's path.
fn find_mounted(script: &str, places: Places<'_>) -> Option<PathBuf> {
    let lower = script.to_lowercase();
    let mut best: Option<(usize, &Mounted)> = None;
    for mount in places.mounts {
        for target in &mount.targets {
            let length = target.chars().count();
            if holds(&target.to_lowercase(), &lower) && best.is_none_or(|(longest, _)| length > longest) {
                best = Some((length, mount));
            }
        }
    }
    let (length, mount) = best?;
    let below: String = script.chars().skip(length).collect();
    let below = pure(below.trim_start_matches('/'));
    mount.sources.iter().find_map(|source| places.found(source.join(&below)))
}

fn holds(target: &str, path: &str) -> bool {
    let target = target.trim_end_matches('/');
    path.strip_prefix(target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A target as it is written, and with or without the drive that Windows puts in front, the longer one first.
fn target_spellings(target: &str) -> Vec<String> {
    let target = target.replace('\\', "/").trim_end_matches('/').to_owned();
    if target.is_empty() {
        return Vec::new();
    }
    if target.starts_with('/') {
        return vec![format!("C:{target}"), target];
    }
    let without_drive = target
        .strip_prefix(|drive: char| drive.is_ascii_alphabetic())
        .and_then(|rest| rest.strip_prefix(':'))
        .filter(|rest| rest.starts_with('/'))
        .map(str::to_owned);
    std::iter::once(target).chain(without_drive).collect()
}

/// The folders that a mount's source may mean: an absolute one, else below the working directory, below each
/// ancestor of the environment, and below the environment.
fn source_candidates(source: &str, environment: &Path) -> impl Iterator<Item = PathBuf> {
    let source = pure(source);
    let bases: Vec<PathBuf> = if source.is_absolute() {
        vec![PathBuf::new()]
    } else {
        let here = std::env::current_dir().ok();
        let above = environment.ancestors().skip(1).map(Path::to_owned);
        here.into_iter().chain(above).chain([environment.to_owned()]).collect()
    };
    bases.into_iter().map(move |base| base.join(&source))
}

#[cfg(test)]
mod tests {
    use fs_err as fs;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scripts_are_found_in_commands() {
        let check = |command: &str, expect: &[&str]| {
            assert_eq!(scripts(command).collect::<Vec<_>>(), expect, "{command}");
        };
        check("bash /workspace/tasks/a/setup.sh && x", &["/workspace/tasks/a/setup.sh"]);
        check(r"powershell -File C:\workspace\a.ps1", &["C:/workspace/a.ps1"]);
        check("a.sh.bak b.python c.shx", &["a.sh", "b.py", "c.sh"]);
        check("x.sh.py.sh", &["x.sh.py.sh"]);
        check("echo .sh é/a.cmd", &["/a.cmd"]);
        check("no scripts here", &[]);
    }

    proptest! {
        #[test]
        fn scripts_are_what_the_pattern_matches(command in r"([a-zé ./\\:-]|\.sh|\.ps1|\.py|\.bat|\.cmd){0,12}") {
            let pattern = regex::Regex::new(r"[A-Za-z0-9_./\\:-]+\.(?:sh|ps1|py|bat|cmd)").unwrap();
            let matches = pattern.find_iter(&command).map(|found| found.as_str().replace('\\', "/"));
            prop_assert_eq!(scripts(&command).collect::<Vec<_>>(), matches.collect::<Vec<_>>());
        }
    }

    #[test]
    fn scripts_are_found_through_mounts() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("envs/demo_env");
        fs::create_dir_all(root.join("tasks/t")).unwrap();
        fs::create_dir_all(root.join("scripts")).unwrap();
        fs::write(root.join("tasks/t/setup.sh"), "").unwrap();
        fs::write(root.join("scripts/x.ps1"), "").unwrap();
        let mount = |target: &str, source: &str| Mount { target: target.into(), source: source.into() };
        let check = |mounts: &[Mount], command: &str, expect: &[&str]| {
            let task = Listing::of(root.join("tasks/t"));
            let mounts: Vec<_> = mounts.iter().map(|mount| Mounted::new(mount, &root)).collect();
            let places = Places { environment: &root, task: Some(&task), mounts: &mounts };
            let missing = missing_scripts(command, places);
            assert_eq!(missing.iter().map(String::as_str).collect::<Vec<_>>(), expect, "{command}");
        };
        check(&[], "/workspace/tasks/t/setup.sh", &[]);
        check(&[], "/other/tasks/t/setup.sh setup.sh gone.sh", &["/other/tasks/t/setup.sh", "gone.sh"]);
        check(&[], "tasks/t/setup.sh scripts/x.ps1 x.ps1", &["x.ps1"]);
        let mounts = [mount("/mnt/all", "envs/demo_env"), mount("/mnt/all/deep", "nowhere")];
        check(&mounts, "/mnt/all/tasks/t/setup.sh /MNT/All/scripts/x.ps1 C:/mnt/all/scripts/x.ps1", &[]);
        check(&mounts, "/mnt/all/deep/tasks/t/setup.sh", &["/mnt/all/deep/tasks/t/setup.sh"]);
        check(&mounts, "/mnt/allx/setup.sh", &["/mnt/allx/setup.sh"]);
        check(&[mount(r"C:\work\", "scripts")], "/work/x.ps1 c:/WORK/x.ps1", &[]);
        check(&[mount("/", "scripts")], "/x.ps1", &["/x.ps1"]);
    }
}
