//! Compares the stated statuses of a corpus's privileged information with the computed ones.
//!
//!     cargo run --release -p task-spec --example privileged_info -- CORPUS [--list]
//!
//! CORPUS contains environments, such as gym-anything's `benchmarks/cua_world/environments`. `--list` prints each
//! contradicted item instead, tab-separated: the task, the stated status, what contradicts it, the key, the reason.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::read::read_regular;
use common::text::escape;
use fs_err as fs;
use task_spec::checklist::{EVIDENCE, Facts, Finding, Item, environment_text};
use task_spec::files::MAX_FILE_BYTES;
use task_spec::spec::read_task;
use task_spec::value::Value;
use task_spec::{pyjson, python};

/// The stated status of an item, its computed status and, if it is contradicted, by what.
type Cell = (String, &'static str, String);

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let corpus = PathBuf::from(arguments.next().context("usage: privileged_info CORPUS [--list]")?);
    let lists = arguments.next().is_some_and(|argument| argument == "--list");
    let mut counts: BTreeMap<Cell, usize> = BTreeMap::new();
    let mut out = io::stdout().lock();
    for environment in folders(&corpus)? {
        for task in folders(&environment.join("tasks")).unwrap_or_default() {
            let Some(evidence) = text(&task.join(EVIDENCE)).and_then(|text| pyjson::parse(&text).ok()) else {
                continue;
            };
            for (item, found) in statuses(&environment, &task, &evidence) {
                let stated = item.stated.unwrap_or("none");
                let ground = found.ground.map_or_else(String::new, |ground| ground.to_string());
                if lists && found.ground.is_some() {
                    let name = task.strip_prefix(&corpus)?.display();
                    let (key, reason) = (escape(item.key), escape(&found.reason));
                    writeln!(out, "{name}\t{}\t{ground}\t{key}\t{reason}", escape(stated))?;
                }
                *counts.entry((stated.to_owned(), found.status.name(), ground)).or_default() += 1;
            }
        }
    }
    if !lists {
        for ((stated, computed, ground), count) in counts {
            writeln!(out, "{count:>7}  stated {stated}, computed {computed} {ground}")?;
        }
    }
    Ok(())
}

fn statuses<'a>(environment: &Path, task: &Path, evidence: &'a Value) -> Vec<(Item<'a>, Finding)> {
    let spec = read_task(task, Path::new("")).ok();
    let verifier = text(&task.join("verifier.py")).and_then(|source| python::parse(source.as_bytes()).ok());
    let named = |name: &str| {
        let own = (!name.contains('/')).then(|| text(&task.join(name))).flatten();
        own.or_else(|| environment_text(environment, name))
    };
    let facts = Facts::new(spec.as_ref(), verifier.as_ref(), &named);
    Item::all(evidence).map(|item| (item, facts.check(&item))).collect()
}

fn text(path: &Path) -> Option<String> {
    String::from_utf8(read_regular(path, MAX_FILE_BYTES).ok()?).ok()
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
