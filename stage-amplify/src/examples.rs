//! Which tasks serve as examples.
//!
//! First the environment's own seeds, then seeds of other environments: of near ones, and so that together
//! they show every kind of evidence. The choice depends on nothing but what is there and `--seed`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use common::environment::Environment;
use fs_err as fs;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;
use task_spec::seeds;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::duplicates::words;
use crate::task_text::{Excerpt, read_spec};

/// How many examples come from the environment itself, and how many from others.
const OWN: usize = 5;
const OTHERS: usize = 5;

/// The most of an example's README that is shown, in bytes.
const README_BYTES: usize = 5_000;

/// The most of any other file of an example that is shown, in bytes.
const FILE_BYTES: usize = 7_000;

/// How many of the nearest environments one example of a kind is drawn from.
const DRAWN_FROM: usize = 6;

/// The files of an example, in the order in which they are shown.
const FILES: [&str; 6] =
    ["task.json", "setup_task.sh", "setup_task.ps1", "export_result.sh", "export_result.ps1", "verifier.py"];

/// What a verifier goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// Records in a database.
    Database,
    /// The content of a file that the agent made.
    FileContent,
    /// What the application or its interface says of its state.
    State,
    /// Screenshots, looked at by a model.
    Screens,
}

const KINDS: [Evidence; 4] = [Evidence::Database, Evidence::FileContent, Evidence::State, Evidence::Screens];

/// Words in a task's export and verifier that tell what it goes by.
const TELLTALES: [(Evidence, &[&str]); 4] = [
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
    /// Its README; where it has none, what stands in its spec.
    readme: String,
    #[serde(skip)]
    has_readme: bool,
    files: Vec<Excerpt>,
}

/// What examples are picked by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Only tasks of these labels, unless there is none; empty for all.
    pub(crate) difficulties: &'a [String],
    /// Decides between what is equally good.
    pub(crate) seed: u64,
}

/// Picks the examples: of the environment's own `seeds`, then of the environments below `root`.
pub(crate) fn pick(
    environment: &Environment,
    seeds: &[String],
    root: Option<&Path>,
    wanted: Wanted<'_>,
) -> Result<Vec<Example>> {
    let own = seeds.iter().filter_map(|seed| Example::read(environment, seed));
    let mut examples = prefer_difficulty(own.collect(), wanted.difficulties);
    examples.truncate(OWN);
    if let Some(root) = root {
        examples.extend(from_others(environment, root, wanted)?);
    }
    Ok(examples)
}

/// Examples with one of the wanted labels; all of them where none has one.
fn prefer_difficulty(examples: Vec<Example>, difficulties: &[String]) -> Vec<Example> {
    let fits = |example: &Example| {
        let spec = example.files.first().and_then(|file| serde_json::from_str::<Value>(&file.text).ok());
        let label = spec.as_ref().and_then(|spec| spec["difficulty"].as_str()).map(normal_label);
        label.is_some_and(|label| difficulties.contains(&label))
    };
    if difficulties.is_empty() || !examples.iter().any(fits) {
        return examples;
    }
    examples.into_iter().filter(fits).collect()
}

/// A label of difficulty in one spelling: `very hard` and `very-hard` are `very_hard`.
pub(crate) fn normal_label(label: &str) -> String {
    label.trim().to_lowercase().replace([' ', '-'], "_")
}

/// One example of each kind of evidence in turn, each from another environment.
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
        // Of the near ones, those that have a README show more.
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
        .map(|neighbour| {
            let seeds = seeds::names(neighbour).unwrap_or_default();
            let all = seeds.iter().filter_map(|seed| Example::read(neighbour, seed)).collect();
            prefer_difficulty(all, wanted.difficulties)
        })
        .collect();
    Ok(examples.into_iter().flatten().filter(Example::is_whole).collect())
}

/// The other environments below `root`, the one that has most in common with `environment` first.
fn neighbours(environment: &Environment, root: &Path) -> Result<Vec<Environment>> {
    let mut dirs = Vec::new();
    for entry in fs::read_dir(root).context("cannot read the folder given with --examples-root")? {
        dirs.push(entry?.path());
    }
    dirs.sort_unstable();
    let others: Vec<(Environment, BTreeSet<String>)> = dirs
        .par_iter()
        .filter_map(|dir| Environment::open(dir).ok())
        .filter(|other| other.name != environment.name)
        .map(|other| {
            let traits = traits(&other);
            (other, traits)
        })
        .collect();
    let mut spread: BTreeMap<&str, f64> = BTreeMap::new();
    for (_, traits) in &others {
        for one in traits {
            *spread.entry(one).or_default() += 1.0;
        }
    }
    let own = traits(environment);
    // A word that few environments have in common says more than one that most have.
    let nearness = |traits: &BTreeSet<String>| -> f64 {
        traits.intersection(&own).map(|one| 1.0 / spread.get(one.as_str()).unwrap_or(&1.0)).sum()
    };
    let mut ranked: Vec<(f64, Environment)> =
        others.iter().map(|(other, traits)| (nearness(traits), other.clone())).collect();
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.name.cmp(&right.1.name)));
    Ok(ranked.into_iter().map(|(_, other)| other).collect())
}

/// Words that say what an environment is about: of its name, its tags and its description.
fn traits(environment: &Environment) -> BTreeSet<String> {
    let text = fs::read_to_string(&environment.spec).unwrap_or_default();
    let spec: Value = serde_json::from_str(&text).unwrap_or_default();
    let tags = spec["tags"].as_array().cloned().unwrap_or_default();
    let tags = tags.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let description = spec["description"].as_str().unwrap_or_default();
    words(&format!("{} {tags} {description}", environment.name))
        .into_iter()
        .filter(|word| word.len() > 3 && word != "environment")
        .collect()
}

impl Example {
    /// The task `task` of an environment, if its spec can be read.
    fn read(environment: &Environment, task: &str) -> Option<Self> {
        let dir = environment.task_dir(task);
        let spec = read_spec(&dir)?;
        let files: Vec<Excerpt> =
            FILES.iter().filter_map(|name| Excerpt::read(name, &dir.join(name), FILE_BYTES)).collect();
        let readme = Excerpt::read("README.md", &dir.join("README.md"), README_BYTES);
        let has_readme = readme.is_some();
        let readme = readme.map_or_else(|| readme_from_spec(task, &spec), |readme| readme.text);
        let kinds = evidence(&dir);
        Some(Self { env: environment.name.clone(), task: task.to_owned(), kinds, readme, has_readme, files })
    }

    /// Whether it has a spec, a verifier and two hooks, and none of them was cut.
    fn is_whole(&self) -> bool {
        self.files.len() >= 4 && self.files.iter().all(|file| file.cut == 0)
    }
}

/// What can be told of a task that has no README.
fn readme_from_spec(task: &str, spec: &Value) -> String {
    let text = |key: &str| spec[key].as_str().unwrap_or_default();
    let mut readme =
        format!("# {task} (difficulty: {})\n\n## Description\n{}", text("difficulty"), text("description"));
    if let Some(metadata) =
        spec.get("metadata").and_then(|metadata| serde_json::to_string_pretty(metadata).ok())
    {
        readme += "\n\n## What the verifier expects\n";
        readme += &Excerpt::of("metadata", &metadata, README_BYTES / 2).text;
    }
    readme
}

/// The kinds of evidence that the task in `dir` goes by.
fn evidence(dir: &Path) -> Vec<Evidence> {
    let mut text = String::new();
    for name in FILES.iter().filter(|name| !name.starts_with("setup") && **name != "task.json") {
        text += &fs::read(dir.join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).to_lowercase())
            .unwrap_or_default();
    }
    TELLTALES
        .iter()
        .filter(|(_, telltales)| telltales.iter().any(|telltale| text.contains(telltale)))
        .map(|(kind, _)| *kind)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Environments of the same kind of software, each with a seed that shows one kind of evidence.
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
        let wanted = Wanted { difficulties: &[], seed: 0 };
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
    fn the_seed_decides_between_equals() {
        let others: Vec<(String, &str, &str)> =
            (0..6).map(|n| (format!("db_{n}_env"), r#""school""#, "SELECT 1")).collect();
        let others: Vec<(&str, &str, &str)> =
            others.iter().map(|(name, tags, verifier)| (name.as_str(), *tags, *verifier)).collect();
        let (root, own) = environments(&others);
        let first = |seed| {
            let wanted = Wanted { difficulties: &[], seed };
            pick(&own, &[], Some(root.path()), wanted).unwrap()[0].env.clone()
        };
        let picked: BTreeSet<String> = (0..20).map(first).collect();
        assert!(picked.len() > 1, "{picked:?}");
    }

    #[test]
    fn labels_have_one_spelling() {
        assert_eq!(normal_label(" Very Hard"), "very_hard");
        assert_eq!(normal_label("very-hard"), "very_hard");
    }
}
