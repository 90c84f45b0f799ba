//! Measures what unpacking loses: every task folder of a corpus is written as an answer in many shapes and parsed
//! again.
//!
//!     cargo run --release -p stage-extract --example round_trip -- CORPUS [--write SHAPE]
//!
//! CORPUS contains environments, such as gym-anything's `benchmarks/cua_world/environments`. The table shows for
//! each shape how many folders are reproduced byte for byte, except newlines at the end of a file; how many of the
//! rest are rejected with a reason; and how many would be published with a difference. A folder is valid if its
//! files make a task: its JSON, Python and scripts parse, and the files that it names exist. The others are parsed
//! in the same way and rejected afterwards.
//! `--write` writes the answers in one shape as `files` records instead, for stage-extract to unpack.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use answer::rejects;
use anyhow::{Context, Result, bail};
use common::environment::TaskName;
use common::jsonl::write_record;
use common::record::StopReason;
use common::record::{Files, Record};
use fs_err as fs;
use rayon::prelude::*;
use rustix::time::{ClockId, clock_gettime};
use walkdir::WalkDir;

type Contents = BTreeMap<String, String>;

/// A task folder of the corpus.
struct Folder {
    env: String,
    task: String,
    files: Contents,
    /// Why its files do not make a task.
    flaws: BTreeSet<String>,
}

/// A way to write an answer.
struct Shape {
    name: &'static str,
    about: &'static str,
    render: fn(&Contents) -> String,
}

const SHAPES: [Shape; 11] = [
    Shape {
        name: "info",
        about: "name on the fence, three backticks",
        render: |files| fenced(files, 3, named),
    },
    Shape { name: "longer", about: "name on the fence, a longer fence", render: longer },
    Shape {
        name: "above",
        about: "language on the fence, name above",
        render: |files| fenced(files, 3, above),
    },
    Shape {
        name: "inside",
        about: "language on the fence, name on the first line",
        render: |files| fenced(files, 3, inside),
    },
    Shape { name: "json", about: "one JSON object", render: json },
    Shape { name: "chatter", about: "name on the fence, talk around and between", render: chatter },
    Shape {
        name: "attribute",
        about: "title=\"…\" on the fence",
        render: |files| fenced(files, 3, attribute),
    },
    Shape { name: "list", about: "items of a list, indented", render: list },
    Shape {
        name: "outer",
        about: "all of it in one longer fence",
        render: |files| format!("``````markdown\n{}``````\n", fenced(files, 3, named)),
    },
    Shape {
        name: "crlf",
        about: "lines that end in CR LF",
        render: |files| fenced(files, 3, named).replace('\n', "\r\n"),
    },
    Shape {
        name: "nameless",
        about: "language on the fence, no name at all",
        render: |files| fenced(files, 3, nameless),
    },
];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [corpus] => measure(&read_corpus(Path::new(corpus))?),
        [corpus, "--write", shape] => write_records(&read_corpus(Path::new(corpus))?, shape),
        _ => bail!("usage: round_trip CORPUS [--write SHAPE]"),
    }
}

fn read_corpus(corpus: &Path) -> Result<Vec<Folder>> {
    let mut dirs = Vec::new();
    for env in sorted(corpus)? {
        let tasks = env.join("tasks");
        if tasks.is_dir() {
            dirs.extend(sorted(&tasks)?.into_iter().filter(|task| task.is_dir()));
        }
    }
    dirs.par_iter().map(|dir| read_folder(dir)).collect()
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

/// Reads the files that an answer can contain: text files of supported types.
fn read_folder(dir: &Path) -> Result<Folder> {
    let mut files = Contents::new();
    for entry in WalkDir::new(dir).min_depth(1) {
        let entry = entry?;
        let name = entry.path().strip_prefix(dir)?.to_string_lossy().into_owned();
        if entry.file_type().is_file()
            && let Ok(content) = String::from_utf8(fs::read(entry.path())?)
            && answer::from_files([(&name, &String::new())]).is_valid()
        {
            files.insert(name, content);
        }
    }
    let name_of =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let task = name_of(dir);
    let env = dir.ancestors().nth(2).map(name_of).unwrap_or_default();
    let validated = answer::from_files(&files).validate(TaskName::new(&task).as_ref());
    let flaws = validated.problems.into_iter().filter(rejects).map(|problem| problem.code).collect();
    Ok(Folder { env, task, files, flaws })
}

fn write_records(folders: &[Folder], shape: &str) -> Result<()> {
    let shape = SHAPES.iter().find(|known| known.name == shape).context("unknown shape")?;
    let mut out = BufWriter::new(io::stdout().lock());
    for (at, folder) in folders.iter().enumerate() {
        let record = Files {
            env: folder.env.clone(),
            task: Some(folder.task.clone()),
            index: at + 1,
            answer: (shape.render)(&folder.files),
            ..Files::default()
        };
        write_record(&mut out, &Record::Files(record))?;
    }
    Ok(out.flush()?)
}

/// The results of all folders in one shape.
#[derive(Default)]
struct Tally {
    /// Folders that are reproduced: valid ones, and others.
    same: [usize; 2],
    /// Folders that are rejected: valid ones, and others.
    rejected: [usize; 2],
    /// Folders that differ and would be published.
    wrong: Vec<String>,
    reasons: BTreeMap<String, Vec<String>>,
    bytes: usize,
    time: Duration,
}

fn measure(folders: &[Folder]) -> Result<()> {
    let whole = folders.iter().filter(|folder| folder.flaws.is_empty()).count();
    let mut out = io::stdout().lock();
    writeln!(out, "{} task folders, {whole} of them valid", folders.len())?;
    let mut flaws: BTreeMap<&str, usize> = BTreeMap::new();
    for flaw in folders.iter().flat_map(|folder| &folder.flaws) {
        *flaws.entry(flaw).or_default() += 1;
    }
    writeln!(out, "the others: {flaws:?}\n")?;
    writeln!(
        out,
        "{:46} {:>13} {:>9} {:>9} {:>6} {:>7} {:>7}",
        "", "valid folders", "", "others", "", "differ,", "MB/s,"
    )?;
    writeln!(
        out,
        "{:46} {:>13} {:>9} {:>9} {:>6} {:>7} {:>7}",
        "shape", "same", "rejected", "same", "rej.", "not rej.", "a core"
    )?;
    let mut details = String::new();
    for shape in &SHAPES {
        let tally =
            folders.par_iter().map(|folder| try_shape(shape, folder)).reduce(Tally::default, Tally::plus);
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = tally.bytes as f64 / 1e6 / tally.time.as_secs_f64();
        writeln!(
            out,
            "{:46} {:>13} {:>9} {:>9} {:>6} {:>7} {rate:>7.0}",
            shape.about,
            tally.same[0],
            tally.rejected[0],
            tally.same[1],
            tally.rejected[1],
            tally.wrong.len()
        )?;
        writeln!(details, "\n{}", shape.about)?;
        for (reason, tasks) in &tally.reasons {
            writeln!(
                details,
                "  rejected, {reason}: {}, such as {}",
                tasks.len(),
                tasks[..tasks.len().min(3)].join(", ")
            )?;
        }
        if !tally.wrong.is_empty() {
            writeln!(
                details,
                "  different, such as {}",
                tally.wrong[..tally.wrong.len().min(12)].join(", ")
            )?;
        }
    }
    writeln!(out, "{details}")?;
    Ok(())
}

fn try_shape(shape: &Shape, folder: &Folder) -> Tally {
    let mut files = folder.files.clone();
    if shape.name == "nameless" {
        // Other files can only be recognised by their names.
        files.retain(|name, _| task_spec::files::is_core(name));
    }
    let text = (shape.render)(&files);
    let start = thread_time();
    let answer = answer::parse(&text, StopReason::End);
    let mut tally =
        Tally { bytes: text.len(), time: thread_time().saturating_sub(start), ..Tally::default() };
    let kind = usize::from(!folder.flaws.is_empty());
    let task = format!("{}/{}", folder.env, folder.task);
    let came_back = is_same(&files, &answer.files) && answer.is_valid();
    let validated = answer.validate(TaskName::new(&folder.task).as_ref());
    // An invalid folder stays invalid, unless the invalid file was left out.
    let is_same_task = validated.is_valid() == folder.flaws.is_empty() || files.len() < folder.files.len();
    if came_back && is_same_task {
        tally.same[kind] += 1;
        return tally;
    }
    match validated.problems.iter().find(|problem| rejects(problem)) {
        Some(problem) => {
            tally.rejected[kind] += 1;
            tally.reasons.entry(problem.code.clone()).or_default().push(task);
        }
        None => tally.wrong.push(task),
    }
    tally
}

/// The processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

fn is_same(before: &Contents, after: &Contents) -> bool {
    let trim = |content: &str| content.trim_end_matches(['\r', '\n']).to_owned();
    before.len() == after.len()
        && before
            .iter()
            .all(|(name, content)| after.get(name).is_some_and(|other| trim(content) == trim(other)))
}

impl Tally {
    fn plus(mut self, mut other: Self) -> Self {
        for kind in 0..2 {
            self.same[kind] += other.same[kind];
            self.rejected[kind] += other.rejected[kind];
        }
        self.wrong.append(&mut other.wrong);
        for (reason, mut tasks) in other.reasons {
            self.reasons.entry(reason).or_default().append(&mut tasks);
        }
        self.bytes += other.bytes;
        self.time += other.time;
        self
    }
}

/// Each file as a block. `head` gives the text above the fence, on it, and on the first line inside.
fn fenced(files: &Contents, length: usize, head: fn(&str) -> [String; 3]) -> String {
    files.iter().map(|(name, content)| block(name, content, length, head)).collect()
}

fn block(name: &str, content: &str, length: usize, head: fn(&str) -> [String; 3]) -> String {
    let fence = "`".repeat(length);
    let [above, info, inside] = head(name);
    let end = if content.is_empty() || content.ends_with('\n') { "" } else { "\n" };
    format!("{above}{fence}{info}\n{inside}{content}{end}{fence}\n\n")
}

fn named(name: &str) -> [String; 3] {
    [String::new(), name.to_owned(), String::new()]
}

fn attribute(name: &str) -> [String; 3] {
    [String::new(), format!("{} title=\"{name}\"", language(name)), String::new()]
}

fn above(name: &str) -> [String; 3] {
    [format!("### `{name}`\n\n"), language(name).to_owned(), String::new()]
}

fn inside(name: &str) -> [String; 3] {
    [String::new(), language(name).to_owned(), format!("{name}\n")]
}

fn nameless(name: &str) -> [String; 3] {
    [String::new(), language(name).to_owned(), String::new()]
}

fn language(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("json") => "json",
        Some("sh") => "bash",
        Some("ps1") => "powershell",
        Some("py") => "python",
        Some("md") => "markdown",
        _ => "",
    }
}

fn longer(files: &Contents) -> String {
    let longest =
        files.values().flat_map(|content| content.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    fenced(files, longest.max(3) + 1, named)
}

fn json(files: &Contents) -> String {
    serde_json::to_string(files).unwrap_or_default()
}

fn chatter(files: &Contents) -> String {
    let mut text = "I'll write the task's files now: the `task.json`, then the scripts.\n\n".to_owned();
    for (name, content) in files {
        text += "Next comes a file. It follows the guidelines:\n\n";
        text += &block(name, content, 3, named);
    }
    text + "To try it out, run\n\n```bash\nbash setup_task.sh\n```\n\nand look at the result:\n\n```\ncat /tmp/result.json\n```\n\nDone!\n"
}

fn list(files: &Contents) -> String {
    let mut text = String::new();
    for (at, (name, content)) in files.iter().enumerate() {
        let item = format!("{name}:\n\n{}", block(name, content, 3, nameless));
        let marker = format!("{}. ", at + 1);
        for (number, line) in item.strip_suffix('\n').unwrap_or(&item).split('\n').enumerate() {
            let indent = if number == 0 { marker.clone() } else { " ".repeat(marker.len()) };
            text += if line.is_empty() { "" } else { &indent };
            text += line;
            text += "\n";
        }
    }
    text
}
