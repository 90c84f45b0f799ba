//! The tasks that are shown as examples.
//!
//! First the environment's own seeds, then seeds of similar environments, chosen so that together they show
//! every kind of evidence. The choice depends only on the files and on `--seed`.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use common::environment::Environment;
use common::text::escape;
use fs_err as fs;
use rayon::prelude::*;
use serde::Serialize;
use task_spec::files::MAX_FILE_BYTES;
use task_spec::seeds;
use task_spec::value::Value;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::excerpt::Excerpt;
use super::source::{Refused, Source};
use crate::difficulty;
use task_spec::words::words;

/// The maximum number of examples from the environment itself.
const OWN: usize = 5;

/// The maximum number of examples from other environments.
const OTHERS: usize = 5;

/// The maximum shown of an example's README, in bytes.
const README_BYTES: usize = 5_000;

/// The maximum shown of any other file of an example, in bytes.
const FILE_BYTES: usize = 7_000;

/// An example of a kind of evidence is drawn from this many of the nearest candidates.
const DRAWN_FROM: usize = 6;

/// The hooks of an example, in the order they are shown: after its spec, before its verifier.
const HOOKS: [&str; 4] = ["setup_task.sh", "setup_task.ps1", "export_result.sh", "export_result.ps1"];

/// The verifier of an example.
const VERIFIER: &str = "verifier.py";

/// What a verifier bases its verdict on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// Records in a database.
    Database,
    /// The content of a file that the agent created.
    FileContent,
    /// The state that the application or its interface reports.
    State,
    /// Screenshots, judged by a model.
    Screens,
}

const KINDS: [Evidence; 4] = [Evidence::Database, Evidence::FileContent, Evidence::State, Evidence::Screens];

/// Words in a task's export script and verifier that indicate the kind of evidence.
const MARKERS: [(Evidence, &[&str]); 4] = [
    (Evidence::Database, &["select ", "mysql", "sqlite", "psql", "mongo", "_query"]),
    (
        Evidence::FileContent,
        &[
            "csv.",
            "openpyxl",
            "zipfile",
            "elementtree",
            "from pil",
            "pdftotext",
            "struct.unpack",
            "docx",
            "wave.",
        ],
    ),
    (
        Evidence::State,
        &["curl ", "/api/", "gsettings", "dumpsys", "xdotool getwindow", "localstorage", "get-itemproperty"],
    ),
    (Evidence::Screens, &["query_vlm", "sample_trajectory"]),
];

/// A task that is shown to the model.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Example {
    env: String,
    task: String,
    kinds: Vec<Evidence>,
    /// Its README; if it has none, a substitute made from its spec.
    readme: String,
    #[serde(skip)]
    has_readme: bool,
    /// The difficulty in its spec.
    #[serde(skip)]
    difficulty: Option<String>,
    files: Vec<Excerpt>,
    /// Its files that are not shown.
    #[serde(skip)]
    pub(super) refused: Refused,
}

/// How examples are picked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Only tasks with one of these labels, unless no task has one; empty for all.
    pub(crate) difficulties: &'a [String],
    /// Selects one of several equally good examples.
    pub(crate) seed: u64,
    /// Canonical paths of the files that are sent even if they look like secrets.
    pub(crate) sent: &'a [PathBuf],
}

/// Picks the examples: of the environment's own `seeds`, then of the environments below `root`.
pub(crate) fn pick(
    environment: &Environment,
    seeds: &[String],
    root: Option<&Path>,
    wanted: Wanted<'_>,
) -> Result<Vec<Example>> {
    let own = seeds.iter().filter_map(|seed| Example::read(environment, seed, wanted.sent));
    let mut examples = prefer_difficulty(own.collect(), wanted.difficulties);
    examples.truncate(OWN);
    if let Some(root) = root {
        examples.extend(from_others(environment, root, wanted)?);
    }
    Ok(examples)
}

/// The examples with one of the wanted labels; all of them if no example has one.
fn prefer_difficulty(examples: Vec<Example>, difficulties: &[String]) -> Vec<Example> {
    if !examples.iter().any(|example| example.has_difficulty(difficulties)) {
        return examples;
    }
    examples.into_iter().filter(|example| example.has_difficulty(difficulties)).collect()
}

/// One example of each kind of evidence in turn, each from a different environment.
fn from_others(environment: &Environment, root: &Path, wanted: Wanted<'_>) -> Result<Vec<Example>> {
    let candidates = candidates(environment, root, wanted)?;
    let mut picked: Vec<Example> = Vec::new();
    let mut used = BTreeSet::new();
    for kind in KINDS.iter().cycle().take(OTHERS * KINDS.len()) {
        if picked.len() == OTHERS {
            break;
        }
        let of_kind = candidates.iter().filter(|one| one.kinds.contains(kind) && !used.contains(&one.env));
        let mut near: Vec<&Example> = of_kind.take(DRAWN_FROM * 4).collect();
        // Of the nearest candidates, those with a README show more.
        near.sort_by_key(|example| !example.has_readme);
        near.truncate(DRAWN_FROM);
        let drawn = near.iter().min_by_key(|example| {
            xxh3_64_with_seed(format!("{}/{}", example.env, example.task).as_bytes(), wanted.seed)
        });
        if let Some(&example) = drawn {
            used.insert(example.env.clone());
            picked.push(example.clone());
        }
    }
    Ok(picked)
}

/// Seeds of the nearest environments, the nearest first.
fn candidates(environment: &Environment, root: &Path, wanted: Wanted<'_>) -> Result<Vec<Example>> {
    let neighbours = neighbours(environment, root)?;
    let examples: Vec<Vec<Example>> = neighbours
        .par_iter()
        .take(DRAWN_FROM * KINDS.len() * 2)
        .map(|neighbour| seeds_of(neighbour, wanted))
        .collect();
    Ok(examples.into_iter().flatten().filter(Example::is_whole).collect())
}

fn seeds_of(environment: &Environment, wanted: Wanted<'_>) -> Vec<Example> {
    let seeds = seeds::names(environment).unwrap_or_default();
    let examples = seeds.iter().filter_map(|seed| Example::read(environment, seed, wanted.sent)).collect();
    prefer_difficulty(examples, wanted.difficulties)
}

/// The other environments below `root`, the most similar to `environment` first.
fn neighbours(environment: &Environment, root: &Path) -> Result<Vec<Environment>> {
    let mut dirs = Vec::new();
    for entry in fs::read_dir(root).context("cannot read the folder given with --examples-root")? {
        dirs.push(entry?.path());
    }
    dirs.sort_unstable();
    let others: Vec<(BTreeSet<String>, Environment)> = dirs
        .par_iter()
        .filter_map(|dir| Environment::open(dir).ok())
        .filter(|other| other.name != environment.name)
        .map(|other| (topic(&other), other))
        .collect();
    let mut frequency: BTreeMap<&str, f64> = BTreeMap::new();
    for word in others.iter().flat_map(|(topic, _)| topic) {
        *frequency.entry(word).or_default() += 1.0;
    }
    let own = topic(environment);
    let mut ranked: Vec<(f64, &Environment)> = Vec::new();
    for (topic, other) in &others {
        // A word that few environments share counts more than one that most have.
        let shared = topic.intersection(&own);
        let similarity = shared.map(|word| 1.0 / frequency.get(word.as_str()).unwrap_or(&1.0)).sum();
        ranked.push((similarity, other));
    }
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.name.cmp(&right.1.name)));
    Ok(ranked.into_iter().map(|(_, other)| other.clone()).collect())
}

/// The words in an environment's name, tags and description.
fn topic(environment: &Environment) -> BTreeSet<String> {
    let spec = Source::of(environment, &[]).spec();
    let tags = spec.get("tags").and_then(Value::as_list).unwrap_or_default();
    let tags = tags.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let description = text(&spec, "description");
    words(&format!("{} {tags} {description}", environment.name))
        .into_iter()
        .filter(|word| word.len() > 3 && word != "environment")
        .collect()
}

impl Example {
    /// The task `task` of an environment, if its spec can be read.
    fn read(environment: &Environment, task: &str, sent: &[PathBuf]) -> Option<Self> {
        let source = Source::of(environment, sent);
        let (spec_path, spec) = source.task_spec(task)?;
        let spec_name = Path::new(&spec_path).file_name()?.to_str()?;
        let excerpt =
            |name: &str, max_bytes| Excerpt::read(&source, &format!("tasks/{task}/{name}"), name, max_bytes);
        let names = iter::once(spec_name).chain(HOOKS).chain([VERIFIER]);
        let files: Vec<Excerpt> = names.filter_map(|name| excerpt(name, FILE_BYTES)).collect();
        let readme = excerpt("README.md", README_BYTES);
        let has_readme = readme.is_some();
        let readme = readme.map_or_else(|| readme_from_spec(task, &spec), |readme| readme.text);
        let kinds = evidence(&source, task);
        let difficulty = spec.get("difficulty").and_then(Value::as_str).map(difficulty::normalize);
        let (env, task) = (escape(&environment.name).into_owned(), escape(task).into_owned());
        let refused = source.into_refused();
        Some(Self { env, task, kinds, readme, has_readme, difficulty, files, refused })
    }

    fn has_difficulty(&self, labels: &[String]) -> bool {
        self.difficulty.as_ref().is_some_and(|label| labels.contains(label))
    }

    /// Whether it has a spec, a verifier and two hooks, all of them shown completely.
    fn is_whole(&self) -> bool {
        self.files.len() >= 4 && self.files.iter().all(|file| file.cut == 0)
    }
}

/// A substitute for the README of a task that has none.
fn readme_from_spec(task: &str, spec: &Value) -> String {
    let (difficulty, description) = (text(spec, "difficulty"), text(spec, "description"));
    let mut readme =
        format!("# {} (difficulty: {difficulty})\n\n## Description\n{description}", escape(task));
    if let Some(metadata) = spec.get("metadata") {
        readme += "\n\n## What the verifier expects\n";
        let metadata = format!("{:#}", metadata.to_json());
        readme += &Excerpt::of("metadata", &metadata, README_BYTES / 2).text;
    }
    readme
}

fn text<'a>(spec: &'a Value, key: &str) -> &'a str {
    spec.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The kinds of evidence that a task uses.
fn evidence(source: &Source<'_>, task: &str) -> Vec<Evidence> {
    let mut text = String::new();
    for name in ["export_result.sh", "export_result.ps1", VERIFIER] {
        let bytes = source.read(&format!("tasks/{task}/{name}"), MAX_FILE_BYTES).unwrap_or_default();
        text += &String::from_utf8_lossy(&bytes).to_lowercase();
    }
    MARKERS
        .iter()
        .filter(|(_, markers)| markers.iter().any(|marker| text.contains(marker)))
        .map(|(kind, _)| *kind)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment `own_env` and others, each with one seed task.
    fn environments(others: &[(&str, &str, &str)]) -> (tempfile::TempDir, Environment) {
        let root = tempfile::tempdir().unwrap();
        let add = |name: &str, tags: &str, verifier: &str| {
            let task = root.path().join(name).join("tasks").join(format!("seed_of_{name}"));
            fs::create_dir_all(&task).unwrap();
            fs::write(root.path().join(name).join("env.json"), format!(r#"{{"id": "x", "tags": [{tags}]}}"#))
                .unwrap();
            fs::write(task.join("task.json"), r#"{"description": "d", "difficulty": "hard"}"#).unwrap();
            for file in ["setup_task.sh", "export_result.sh"] {
                fs::write(task.join(file), "true\n").unwrap();
            }
            fs::write(task.join("verifier.py"), verifier).unwrap();
        };
        add("own_env", r#""school", "grades""#, "");
        for (name, tags, verifier) in others {
            add(name, tags, verifier);
        }
        let own = Environment::open(&root.path().join("own_env")).unwrap();
        (root, own)
    }

    fn names(examples: &[Example]) -> Vec<&str> {
        examples.iter().map(|example| example.env.as_str()).collect()
    }

    #[test]
    fn examples_show_every_kind_of_evidence() {
        let (root, own) = environments(&[
            ("db_env", r#""school""#, "SELECT 1"),
            ("db_two_env", r#""school", "grades""#, "SELECT 1"),
            ("file_env", r#""astronomy""#, "import csv\ncsv.reader(f)"),
            ("screen_env", r#""astronomy""#, "query_vlm(prompt)"),
            ("plain_env", r#""school", "grades""#, "pass"),
        ]);
        let seeds = ["seed_of_own_env".to_owned(), "gone".to_owned()];
        let wanted = Wanted { difficulties: &[], seed: 0, sent: &[] };
        let picked = pick(&own, &seeds, Some(root.path()), wanted).unwrap();
        assert_eq!(picked.len(), 5, "{:?}", names(&picked));
        assert_eq!(picked[0].env, "own_env");
        let kinds: BTreeSet<Evidence> = picked.iter().flat_map(|example| example.kinds.clone()).collect();
        assert_eq!(kinds, [Evidence::Database, Evidence::FileContent, Evidence::Screens].into());
        assert!(!names(&picked).contains(&"plain_env"));
        let again = pick(&own, &seeds, Some(root.path()), wanted).unwrap();
        assert_eq!(names(&picked), names(&again));
    }

    #[test]
    fn yaml_specs_count_like_json_specs() {
        let (root, own) = environments(&[("db_env", r#""school""#, "SELECT 1")]);
        let task = root.path().join("db_env/tasks/seed_of_db_env");
        fs::write(task.join("task.yaml"), "description: in YAML\ndifficulty: easy\n").unwrap();
        let easy = ["easy".to_owned()];
        let wanted = Wanted { difficulties: &easy, seed: 0, sent: &[] };
        let picked = pick(&own, &[], Some(root.path()), wanted).unwrap();
        assert_eq!(names(&picked), ["db_env"]);
        assert!(picked[0].readme.ends_with("in YAML"), "{}", picked[0].readme);
        assert_eq!(picked[0].files[0].name, "task.yaml");
    }

    #[test]
    fn the_seed_selects_one_of_several_equal_examples() {
        let others: Vec<(String, &str, &str)> =
            (0..6).map(|n| (format!("db_{n}_env"), r#""school""#, "SELECT 1")).collect();
        let others: Vec<(&str, &str, &str)> =
            others.iter().map(|(name, tags, verifier)| (name.as_str(), *tags, *verifier)).collect();
        let (root, own) = environments(&others);
        let first = |seed| {
            let wanted = Wanted { difficulties: &[], seed, sent: &[] };
            pick(&own, &[], Some(root.path()), wanted).unwrap()[0].env.clone()
        };
        let picked: BTreeSet<String> = (0..20).map(first).collect();
        assert!(picked.len() > 1, "{picked:?}");
    }
}
