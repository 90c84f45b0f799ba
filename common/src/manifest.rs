//! Manifests in the making, and what becomes of the records that they had before.
//!
//! A stage that is given a part of the tasks of a run, as in `head -1 verdicts.jsonl | stage-probe`, replaces the
//! records of these tasks in its manifest. Those of all other tasks stay in their places.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, BufReader, BufWriter, Write};
use std::mem;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Deserialize;

use crate::jsonl::{Line, RawLine, ReadError, Reader, write_raw, write_record};
use crate::record::Record;

/// The tasks that a stage writes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of the run: its manifest replaces the one before.
    Whole,
    /// Those that its input or its arguments name: earlier records of other tasks stay in the manifest.
    Part,
}

impl Coverage {
    /// A part of the tasks, if `is_part`.
    pub fn part_if(is_part: bool) -> Self {
        if is_part { Self::Part } else { Self::Whole }
    }
}

/// Names of tasks, each with that of its environment.
#[derive(Clone, Debug, Default)]
pub struct TaskNames(BTreeSet<(String, String)>);

impl TaskNames {
    /// Adds the task that `record` is of, if it names one.
    pub fn add(&mut self, record: &Record) {
        if let Some(task) = record.task() {
            self.0.insert((record.env().to_owned(), task.to_owned()));
        }
    }

    fn have(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Task { env, task } => self.0.contains(&(env.clone(), task.clone())),
            Owner::Row { .. } | Owner::Kind { .. } => false,
        }
    }
}

/// A manifest file in the making. Until [`finish`](Self::finish), what is written stands in a file beside
/// it, `NAME.partial`: a manifest is there exactly when its stage came to an end, whole and without a torn
/// line. A partial file that a killed stage left behind is overwritten.
#[derive(Debug)]
pub struct ManifestFile {
    path: PathBuf,
    partial: PathBuf,
    coverage: Coverage,
    out: BufWriter<fs::File>,
}

impl ManifestFile {
    /// Starts the manifest at `path`.
    pub fn create(path: &Path, coverage: Coverage) -> io::Result<Self> {
        let partial = beside(path, "partial");
        let out = BufWriter::new(fs::File::create(&partial)?);
        Ok(Self { path: path.to_owned(), partial, coverage, out })
    }

    /// Appends `record` and flushes it, so that a process that follows the file sees it now.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        write_record(&mut self.out, record)?;
        self.out.flush()
    }

    /// Adds a line as it was read.
    pub fn raw(&mut self, line: &RawLine) -> io::Result<()> {
        write_raw(&mut self.out, line)?;
        self.out.flush()
    }

    /// Removes what was written.
    pub(crate) fn abandon(self) -> io::Result<()> {
        fs::remove_file(&self.partial)
    }

    /// Syncs what was written and puts it in the manifest's place. Where it covers a part of the tasks, earlier
    /// records of tasks that neither it nor `named` names are added before.
    pub fn finish(mut self, named: &TaskNames) -> io::Result<()> {
        self.out.flush()?;
        if self.coverage == Coverage::Part && self.path.exists() {
            let new = Lines::read(&self.partial)?;
            let kept = Kept::read(&self.path, &new, named)?;
            if !kept.is_empty() {
                return self.finish_with(&new, kept);
            }
        }
        self.out.get_ref().sync_data()?;
        fs::rename(&self.partial, &self.path)
    }

    /// Puts the new lines and the kept ones in the manifest's place.
    fn finish_with(self, new: &Lines, mut kept: Kept) -> io::Result<()> {
        let merged = beside(&self.path, "merged");
        let mut out = BufWriter::new(fs::File::create(&merged)?);
        kept.write_after(None, &mut out)?;
        for (number, line) in lines(&self.partial)?.enumerate() {
            write_raw(&mut out, &line?)?;
            if let Some(owner) = new.ending_at(number) {
                kept.write_after(Some(owner), &mut out)?;
            }
        }
        out.flush()?;
        out.get_ref().sync_data()?;
        fs::rename(&merged, &self.path)?;
        fs::remove_file(&self.partial)
    }
}

/// The path of `NAME.extension` beside a manifest.
fn beside(manifest: &Path, extension: &str) -> PathBuf {
    let mut path = manifest.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    path.into()
}

/// The lines of a manifest that are records.
fn lines(manifest: &Path) -> io::Result<impl Iterator<Item = io::Result<RawLine>>> {
    let file = BufReader::new(fs::File::open(manifest)?);
    Ok(Reader::new("", file, &[]).filter_map(|line| match line {
        Ok(Line::Other(line)) => Some(Ok(line)),
        Ok(Line::Record(_)) | Err(ReadError::Bad(_)) => None,
        Err(ReadError::Io(error)) => Some(Err(error)),
    }))
}

/// What a line of a manifest is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    /// A task.
    Task { env: String, task: String },
    /// A task without a name, by its row in the plan.
    Row { env: String, index: u64 },
    /// No single task, as the verdict of an environment. There is one line of each kind.
    Kind { env: String, kind: String },
}

/// What tells the owner of a record.
#[derive(Deserialize)]
struct Envelope {
    record: String,
    #[serde(default)]
    env: String,
    task: Option<String>,
    index: Option<u64>,
}

impl Owner {
    /// The owner of a line, and the row of it, which a record that names its task may have as well. None for a record
    /// of another form.
    fn of(line: &RawLine) -> Option<(Self, Option<Self>)> {
        let Envelope { record, env, task, index } = serde_json::from_slice(line.bytes()).ok()?;
        let row = index.map(|index| Self::Row { env: env.clone(), index });
        let owner = match (task.filter(|task| !task.is_empty()), &row) {
            (Some(task), _) => Self::Task { env, task },
            (None, Some(row)) => row.clone(),
            (None, None) => Self::Kind { env, kind: record },
        };
        Some((owner, row))
    }
}

/// What the lines of a new manifest are about.
struct Lines {
    owners: Vec<Option<Owner>>,
    /// The number of the last line of each owner.
    last: HashMap<Owner, usize>,
    rows: HashSet<Owner>,
}

impl Lines {
    fn read(manifest: &Path) -> io::Result<Self> {
        let mut new = Self { owners: Vec::new(), last: HashMap::new(), rows: HashSet::new() };
        for line in lines(manifest)? {
            let (owner, row) = Owner::of(&line?).unzip();
            new.last.extend(owner.clone().map(|owner| (owner, new.owners.len())));
            new.owners.push(owner);
            new.rows.extend(row.flatten());
        }
        Ok(new)
    }

    fn names(&self, owner: &Owner) -> bool {
        self.last.contains_key(owner) || self.rows.contains(owner)
    }

    /// The owner whose last line this is.
    fn ending_at(&self, number: usize) -> Option<&Owner> {
        self.owners[number].as_ref().filter(|owner| self.last.get(owner) == Some(&number))
    }
}

/// The lines of the manifest before that stay, by the owner of the new lines that they come after.
struct Kept(HashMap<Option<Owner>, Vec<RawLine>>);

impl Kept {
    fn read(manifest: &Path, new: &Lines, named: &TaskNames) -> io::Result<Self> {
        let mut kept: HashMap<Option<Owner>, Vec<RawLine>> = HashMap::new();
        let mut before = None;
        for line in lines(manifest)? {
            let line = line?;
            let Some((owner, _)) = Owner::of(&line) else { continue };
            if new.last.contains_key(&owner) {
                before = Some(owner);
            } else if !(new.names(&owner) || named.have(&owner)) {
                kept.entry(before.clone()).or_default().push(line);
            }
        }
        Ok(Self(kept))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write_after(&mut self, owner: Option<&Owner>, out: &mut impl Write) -> io::Result<()> {
        let lines = self.0.get_mut(&owner.cloned()).map(mem::take).unwrap_or_default();
        lines.iter().try_for_each(|line| write_raw(out, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = r#"{"record":"plan","env":"e","task":"a","index":1,"colour":"red"}"#;

    fn write(path: &Path, coverage: Coverage, lines: &[&str], named: &TaskNames) -> String {
        let mut file = ManifestFile::create(path, coverage).unwrap();
        for line in Reader::new("", lines.join("\n").as_bytes(), &[]) {
            let Ok(Line::Other(line)) = line else { panic!("{line:?}") };
            file.raw(&line).unwrap();
        }
        file.finish(named).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_manifest_is_there_when_it_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("files.jsonl");
        let file = ManifestFile::create(&path, Coverage::Whole).unwrap();
        assert!(!path.exists());
        file.finish(&TaskNames::default()).unwrap();
        assert_eq!(write(&path, Coverage::Whole, &[A], &TaskNames::default()), format!("{A}\n"));
    }

    #[test]
    fn records_of_tasks_that_are_not_named_stay_in_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("probes.jsonl");
        let of_env = r#"{"record":"verdict","env":"e","kind":"env","ok":true}"#;
        let of_other_env = of_env.replace("\"e\"", "\"f\"");
        let [a, b, c, d] = ["a", "b", "c", "d"]
            .map(|task| [format!(r#"{{"record":"verdict","env":"e","task":"{task}"}}"#), probe(task, 1)]);
        let nameless = r#"{"record":"task","env":"e","task":"","index":7}"#;
        let whole = [of_env, &of_other_env, &a[0], &a[1], &b[0], &b[1], nameless, &c[0], &c[1], &d[0], &d[1]];
        write(&path, Coverage::Whole, &whole, &TaskNames::default());
        let check = |new: &[&str], named: &[&str], expect: &[&str]| {
            let mut names = TaskNames::default();
            for name in named {
                names.0.insert(("e".to_owned(), (*name).to_owned()));
            }
            let before = fs::read_to_string(&path).unwrap();
            assert_eq!(write(&path, Coverage::Part, new, &names), expect.join("\n") + "\n");
            fs::write(&path, before).unwrap();
        };
        let (b2, c2, e2, row) = (
            probe("b", 2),
            probe("c", 2),
            probe("e", 2),
            r#"{"record":"task","env":"e","task":"n","index":7}"#,
        );
        check(&whole, &[], &whole);
        check(&[], &[], &whole);
        check(&[&b2], &[], &[of_env, &of_other_env, &a[0], &a[1], &b2, nameless, &c[0], &c[1], &d[0], &d[1]]);
        // New tasks come last among those around them; a task that the input names and the stage does not go.
        check(
            &[&c2, &e2],
            &["d", "c"],
            &[of_env, &of_other_env, &a[0], &a[1], &b[0], &b[1], nameless, &c2, &e2],
        );
        check(
            &[row],
            &[],
            &[of_env, &of_other_env, &a[0], &a[1], &b[0], &b[1], &c[0], &c[1], &d[0], &d[1], row],
        );
        check(&[of_env], &["a", "b", "c", "d"], &[of_env, &of_other_env, nameless]);
    }

    fn probe(task: &str, run: u32) -> String {
        format!(r#"{{"record":"probe","env":"e","task":"{task}","run":{run}}}"#)
    }
}
