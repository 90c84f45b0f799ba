//! The files of the environment, as prompts show them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use common::read::FileError;
use common::text::escape;
use fs_err as fs;
use serde::Serialize;
use task_spec::files::walk;
use task_spec::value::Value;

use super::data;
use super::excerpt::Excerpt;
use super::index::Index;
use super::source::{Source, Why};

/// The maximum shown of one file, in bytes.
const FILE_BYTES: usize = 32_000;

/// The maximum shown of a program that makes data and is longer than [`FILE_BYTES`], in bytes.
const GENERATOR_BYTES: usize = 3_000;

/// The maximum shown of all files that define the environment together, in bytes.
const ALL_BYTES: usize = 100_000;

/// The maximum shown of all data files together, in bytes.
const DATA_BYTES: usize = 24_000;

/// The maximum number of data files of a folder with the same extension that are shown, while others may follow.
/// What is left of the room then is for further tables, since each has columns of its own.
const ALIKE: usize = 3;

/// No further file is shown if less than this is left, in bytes.
const ROOM: usize = 1_000;

/// The maximum number of omitted files that are named.
const NAMED: usize = 60;

/// The number of folder levels that are searched.
const DEPTH: usize = 4;

/// Folders that hold tasks or output of runs.
const NOT_SHOWN: [&str; 7] =
    ["tasks", "artifacts", "evidence_docs", "__pycache__", "node_modules", "recordings", "episodes"];

/// Extensions of scripts, which are shown whole wherever they are.
const SCRIPTS: [&str; 9] = ["sh", "ps1", "py", "bat", "cmd", "sql", "js", "php", "rb"];

/// Extensions of tables and documents, which are data wherever they are.
const DATA: [&str; 14] = [
    "csv", "tsv", "jsonl", "db", "sqlite", "sqlite3", "gpkg", "xlsx", "xlsm", "xls", "ods", "eml", "gpx",
    "geojson",
];

/// Extensions of files that hold tables.
const TABLES: [&str; 10] = ["csv", "tsv", "db", "sqlite", "sqlite3", "gpkg", "xlsx", "xlsm", "xls", "ods"];

/// An environment as prompts describe it: a variable of the templates.
#[derive(Debug, Serialize)]
pub(crate) struct EnvironmentFiles {
    name: String,
    id: String,
    /// The files that are shown, the most relevant first.
    files: Vec<Excerpt>,
    /// Names of the files that are not shown.
    omitted: Vec<String>,
    index: Index,
}

impl EnvironmentFiles {
    /// Reads the environment, which has these `tasks`.
    pub(crate) fn read(source: &Source<'_>, tasks: &[String]) -> Result<Self> {
        let mut found = found_files(source)?;
        found.sort_by_cached_key(|file| (rank(&file.name), file.name.clone()));
        let (data, definitions): (Vec<Found>, Vec<Found>) =
            found.into_iter().partition(|file| is_data(&file.name));
        let mut left = Left { definitions: ALL_BYTES, data: DATA_BYTES, alike: BTreeMap::new() };
        let (mut files, mut others) = left.show(definitions, |left, name| left.definition(source, name));
        let (shown_data, other_data) = left.show_data(source, data, &files);
        files.extend(shown_data);
        others.extend(other_data);
        let mut omitted: Vec<String> = others.iter().map(Found::described).collect();
        if omitted.len() > NAMED {
            let more = omitted.len() - NAMED;
            omitted.truncate(NAMED);
            omitted.push(format!("and {more} more"));
        }
        let index = Index::of(source, &files, tasks);
        Ok(Self { name: source.environment().name.clone(), id: spec_id(source), files, omitted, index })
    }
}

/// The environment's id, which tasks refer to; a guess in the benchmark's style where the spec has none.
fn spec_id(source: &Source<'_>) -> String {
    match source.spec().get("id").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None => format!("{}@0.1", source.environment().name),
    }
}

/// A file of the environment.
struct Found {
    /// Its name below the environment's folder, with `/` between its parts.
    name: String,
    bytes: u64,
}

impl Found {
    /// Its name and its size.
    fn described(&self) -> String {
        format!("{} ({} bytes)", escape(&self.name), self.bytes)
    }
}

/// The files in the environment's folder.
fn found_files(source: &Source<'_>) -> Result<Vec<Found>> {
    let mut files = Vec::new();
    for entry in walk(&source.environment().root, DEPTH, is_entered) {
        let entry = entry?;
        let Some(name) = entry.name else { continue };
        if name.starts_with('.') || name.contains("/.") || !is_entered(&name) {
            continue;
        }
        if entry.kind.is_file() {
            let bytes = fs::symlink_metadata(&entry.path).map_or(0, |metadata| metadata.len());
            files.push(Found { name, bytes });
        } else {
            let why = if entry.kind.is_symlink() { FileError::Link } else { FileError::Irregular };
            source.refuse(&name, Why::Unread(why));
        }
    }
    Ok(files)
}

fn is_entered(folder: &str) -> bool {
    !folder.starts_with('.') && !NOT_SHOWN.contains(&folder)
}

/// The position of a file among all: first the spec, then what tasks can call, then how the software is
/// installed and configured, then the rest.
fn rank(name: &str) -> u8 {
    match name.split_once('/') {
        None if name.starts_with("env.") => 0,
        _ if name.ends_with("task_utils.sh") || name.ends_with("task_utils.ps1") => 1,
        None if name.eq_ignore_ascii_case("readme.md") => 2,
        Some(("scripts", _)) => 3,
        Some(("utils", _)) => 4,
        Some(("config", _)) => 5,
        None => 6,
        Some(_) => LAST_RANK,
    }
}

/// The rank of data.
const LAST_RANK: u8 = 7;

/// Whether a file is data, rather than a definition of the environment.
fn is_data(name: &str) -> bool {
    let extension = extension(name);
    !SCRIPTS.contains(&extension.as_str()) && (rank(name) == LAST_RANK || DATA.contains(&extension.as_str()))
}

/// Whether a file is a table that tasks may be about.
fn is_table(name: &str) -> bool {
    TABLES.contains(&extension(name).as_str())
}

fn extension(name: &str) -> String {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension.unwrap_or_default().to_lowercase()
}

/// Whether one of these files names a data file. What the environment's scripts use is what tasks are about.
fn is_named(name: &str, files: &[&Excerpt]) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    files.iter().any(|file| file.text.contains(name))
}

/// Whether a file holds what verifiers of existing tasks expect, by its name: `_gt`, `ground_truth` and the like. Data
/// that tasks are about comes first.
fn is_answer(name: &str) -> bool {
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_lowercase();
    stem.ends_with("_gt")
        || ["ground_truth", "groundtruth", "expected"].iter().any(|word| stem.contains(word))
}

/// What may still be shown.
struct Left {
    /// Bytes of files that define the environment.
    definitions: usize,
    /// Bytes of data files.
    data: usize,
    /// The number of data files shown, by folder and extension.
    alike: BTreeMap<(String, String), usize>,
}

impl Left {
    /// What `excerpt` shows of files, and those of which it shows nothing.
    fn show(
        &mut self,
        files: Vec<Found>,
        excerpt: impl Fn(&mut Self, &str) -> Option<Excerpt>,
    ) -> (Vec<Excerpt>, Vec<Found>) {
        let (mut shown, mut others) = (Vec::new(), Vec::new());
        for file in files {
            match excerpt(self, &file.name).filter(|excerpt| !excerpt.text.is_empty()) {
                Some(excerpt) => shown.push(excerpt),
                None => others.push(file),
            }
        }
        (shown, others)
    }

    /// What is shown of data files, and those of which nothing is shown. Data that one of the `definitions` names comes
    /// first, and what verifiers of existing tasks expect comes last.
    fn show_data(
        &mut self,
        source: &Source<'_>,
        data: Vec<Found>,
        definitions: &[Excerpt],
    ) -> (Vec<Excerpt>, Vec<Found>) {
        let namers: Vec<&Excerpt> = definitions.iter().filter(|file| rank(&file.name) < LAST_RANK).collect();
        let (answers, mut data): (Vec<Found>, Vec<Found>) =
            data.into_iter().partition(|file| is_answer(&file.name));
        data.sort_by_cached_key(|file| !is_named(&file.name, &namers));
        let (mut shown, more) = self.show(data, |left, name| left.data(source, name));
        let (tables, more): (Vec<Found>, Vec<Found>) =
            more.into_iter().partition(|file| is_table(&file.name));
        let (shown_tables, mut others) = self.show(tables, |left, name| left.excerpt(source, name));
        let (shown_answers, other_answers) = self.show(answers, |left, name| left.data(source, name));
        shown.extend(shown_tables.into_iter().chain(shown_answers));
        others.extend(more.into_iter().chain(other_answers));
        (shown, others)
    }

    fn definition(&mut self, source: &Source<'_>, name: &str) -> Option<Excerpt> {
        if self.definitions < ROOM {
            return None;
        }
        let excerpt = Excerpt::read(source, name, name, FILE_BYTES.min(self.definitions))?;
        // The beginning of a dump shows one table; its outline shows all of them.
        let is_dump = excerpt.cut > 0 && extension(name) == "sql";
        let outline =
            if is_dump { data::outline(source, name).filter(|outline| outline.is_outline) } else { None };
        let mut excerpt = outline.unwrap_or(excerpt);
        if excerpt.cut > 0 && rank(name) == LAST_RANK {
            // A program that makes data: half of it explains no more than its beginning.
            excerpt = Excerpt::read(source, name, name, GENERATOR_BYTES)?;
        }
        self.definitions -= excerpt.text.len().min(self.definitions);
        Some(excerpt)
    }

    fn data(&mut self, source: &Source<'_>, name: &str) -> Option<Excerpt> {
        let folder = Path::new(name).parent()?.to_str()?.to_owned();
        let kind = (folder, extension(name));
        if self.alike.get(&kind).is_some_and(|&shown| shown == ALIKE) {
            return None;
        }
        let excerpt = self.excerpt(source, name)?;
        *self.alike.entry(kind).or_default() += 1;
        Some(excerpt)
    }

    /// The structure of a data file, whatever the number of others like it.
    fn excerpt(&mut self, source: &Source<'_>, name: &str) -> Option<Excerpt> {
        if self.data < ROOM {
            return None;
        }
        let excerpt = data::outline(source, name)?;
        self.data -= excerpt.text.len().min(self.data);
        Some(excerpt)
    }
}

#[cfg(test)]
mod tests {
    use common::environment::Environment;

    use super::*;

    fn environment(files: &[(&str, String)]) -> (tempfile::TempDir, Environment) {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("env.json"), r#"{"id": "demo@0.3"}"#).unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let environment = Environment::open(root.path()).unwrap();
        (root, environment)
    }

    #[test]
    fn long_files_are_cut_and_omitted_files_are_named() {
        let line = "echo setting up\n";
        let (_root, environment) = environment(&[
            ("scripts/setup.sh", line.repeat(3000)),
            ("data/grades.csv", "a,b\n".repeat(1000)),
            ("data/photo.png", "binary\0".to_owned()),
            ("tasks/t/task.json", "{}".to_owned()),
            ("scripts/odd.sh", "nul \0 inside".to_owned()),
        ]);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap();
        let shown: Vec<(&str, bool)> =
            context.files.iter().map(|file| (file.name.as_str(), file.cut > 0)).collect();
        assert_eq!(shown, [("env.json", false), ("scripts/setup.sh", true), ("data/grades.csv", false)]);
        assert_eq!(context.omitted, ["scripts/odd.sh (12 bytes)", "data/photo.png (7 bytes)"]);
        assert_eq!(context.id, "demo@0.3");
    }

    #[test]
    fn the_id_is_read_from_yaml_too() {
        let (root, _) = environment(&[("env.yaml", "name: x\nid: 'demo@0.4' # quoted\n".to_owned())]);
        let environment = Environment::open(root.path()).unwrap();
        assert_eq!(EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap().id, "demo@0.4");
    }

    #[test]
    fn many_alike_files_do_not_crowd_out_others() {
        let files: Vec<(String, String)> =
            (0..9).map(|n| (format!("data/mail/{n}.eml"), format!("Subject: {n}\n"))).collect();
        let mut files: Vec<(&str, String)> =
            files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        files.push(("scripts/setup.sh", "x\n".repeat(80_000)));
        files.push(("data/import.py", "print(1)\n".repeat(400)));
        files.push(("data/NAMES", "a\n".to_owned()));
        let (_root, environment) = environment(&files);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap();
        let shown: Vec<(&str, bool)> =
            context.files.iter().map(|file| (file.name.as_str(), file.cut > 0)).collect();
        let expected = [
            ("env.json", false),
            ("scripts/setup.sh", true),
            ("data/import.py", false),
            ("data/NAMES", false),
            ("data/mail/0.eml", false),
            ("data/mail/1.eml", false),
            ("data/mail/2.eml", false),
        ];
        assert_eq!(shown, expected);
        assert_eq!(context.omitted.len(), 6);
    }

    #[test]
    fn data_that_scripts_name_comes_first() {
        let mut files: Vec<(String, String)> =
            (0..9).map(|n| (format!("data/{n}.csv"), format!("id\n{n}\n"))).collect();
        files.push(("scripts/setup.sh".to_owned(), "cp /workspace/data/7.csv /home/ga/\n".to_owned()));
        let files: Vec<(&str, String)> =
            files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        let (_root, environment) = environment(&files);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap();
        let shown: Vec<&str> = context.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(shown[..5], ["env.json", "scripts/setup.sh", "data/7.csv", "data/0.csv", "data/1.csv"]);
    }

    #[test]
    fn further_tables_are_shown_while_there_is_room() {
        let row = "x".repeat(39);
        let csv = format!("{row},{row}\n{}", format!("{row},{row}\n").repeat(60));
        let mut files: Vec<(String, String)> =
            (10..99).map(|n| (format!("data/{n}.csv"), csv.clone())).collect();
        files.push(("data/notes.txt".to_owned(), "closed on Sundays\n".to_owned()));
        files.push(("data/a_gt.csv".to_owned(), "x\n1\n".to_owned()));
        let files: Vec<(&str, String)> =
            files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        let (_root, environment) = environment(&files);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap();
        let shown: Vec<&str> = context.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(shown[..5], ["env.json", "data/10.csv", "data/11.csv", "data/12.csv", "data/notes.txt"]);
        assert_eq!(shown[5..7], ["data/13.csv", "data/14.csv"]);
        assert!(!shown.contains(&"data/a_gt.csv") && shown.len() < 99, "{shown:?}");
        let bytes: usize = context.files.iter().map(|file| file.text.len()).sum();
        assert!((DATA_BYTES - ROOM..DATA_BYTES + ROOM).contains(&bytes), "{bytes}");
    }

    #[test]
    fn empty_files_are_only_named() {
        let (_root, environment) = environment(&[
            ("utils/__init__.py", String::new()),
            ("data/mapping.csv", "\n".to_owned()),
            ("data/b.csv", "x\n1\n".to_owned()),
        ]);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap();
        let shown: Vec<&str> = context.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(shown, ["env.json", "data/b.csv"]);
        assert_eq!(context.omitted, ["utils/__init__.py (0 bytes)", "data/mapping.csv (1 bytes)"]);
    }

    #[test]
    fn of_a_long_program_that_makes_data_only_the_beginning_is_shown() {
        let line = "rows.append(next_row())\n";
        let (_root, environment) = environment(&[
            ("data/generate.py", line.repeat(2_000)),
            ("data/short.py", line.repeat(1_000)),
            ("scripts/seed.py", line.repeat(2_000)),
        ]);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap();
        let shown: Vec<(&str, bool, usize)> =
            context.files.iter().map(|file| (file.name.as_str(), file.cut > 0, file.text.len())).collect();
        let [_, seed, generate, short] = shown.as_slice() else { panic!("{shown:?}") };
        assert_eq!((seed.0, seed.1, short.1), ("scripts/seed.py", true, false));
        assert_eq!((generate.0, generate.1), ("data/generate.py", true));
        assert!(generate.2 <= GENERATOR_BYTES && seed.2 > 31_000, "{shown:?}");
    }

    #[test]
    fn expected_values_of_existing_tasks_come_last() {
        let (_root, environment) = environment(&[
            ("data/a_gt.json", "{\"x\": 1}".to_owned()),
            ("data/b.json", "{\"x\": 1}".to_owned()),
            ("data/c_ground_truth.csv", "x\n1\n".to_owned()),
            ("data/d.csv", "x\n1\n".to_owned()),
        ]);
        let context = EnvironmentFiles::read(&Source::of(&environment, &[]), &[]).unwrap();
        let shown: Vec<&str> = context.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            shown,
            ["env.json", "data/b.json", "data/d.csv", "data/a_gt.json", "data/c_ground_truth.csv"]
        );
    }

    #[test]
    fn the_most_relevant_files_come_first() {
        let mut names = [
            "data/a.csv",
            "config/x.json",
            "scripts/setup.sh",
            "README.md",
            "scripts/task_utils.sh",
            "env.json",
        ];
        names.sort_by_key(|name| (rank(name), *name));
        assert_eq!(
            names,
            [
                "env.json",
                "scripts/task_utils.sh",
                "README.md",
                "scripts/setup.sh",
                "config/x.json",
                "data/a.csv"
            ]
        );
    }
}
