//! The files of a task, as a page shows them.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::read::{FileError, read_beneath};
use serde::Serialize;
use serde_json::Value;
use task_spec::files::{CORE_FILES, MAX_FILES, walk};

use super::highlight;
use crate::task::Finding;

/// Longer files are not shown, in bytes.
const MAX_SHOWN: usize = 256 << 10;
/// The largest screenshot that is shown, in bytes.
const MAX_SHOT: usize = 2 << 20;
/// The most screenshots of a task.
const MAX_SHOTS: usize = 12;
/// How deep files of a task lie.
const DEPTH: usize = 4;

/// The text files of a folder by name, and what is said of the others.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) others: Vec<(String, String)>,
}

impl Folder {
    /// Reads the folder of a task.
    pub(super) fn read(dir: &Path) -> Self {
        let mut folder = Self::default();
        for (number, entry) in walk(dir, DEPTH, |_| true).enumerate() {
            if number == MAX_FILES {
                folder.others.push(("…".to_owned(), format!("only {MAX_FILES} files are shown")));
                break;
            }
            let Ok(entry) = entry else { continue };
            let Some(name) = entry.name else {
                folder.others.push(("?".to_owned(), "its name is not UTF-8".to_owned()));
                continue;
            };
            match read_text(dir, &name) {
                Ok(text) => drop(folder.texts.insert(name, text)),
                Err(why) => folder.others.push((name, why)),
            }
        }
        folder
    }

    /// The files in the order in which a reader needs them, with each finding at its line.
    pub(super) fn views(&self, findings: &[Finding]) -> Vec<FileView> {
        let place = |name: &str| CORE_FILES.iter().position(|core| core.name == name).unwrap_or(usize::MAX);
        let mut names: Vec<&String> = self.texts.keys().collect();
        names.sort_by_key(|name| (place(name), *name));
        names.into_iter().map(|name| FileView::of(name, &self.texts[name], findings)).collect()
    }
}

fn read_text(dir: &Path, name: &str) -> Result<String, String> {
    let bytes =
        read_beneath(dir, Path::new(name), MAX_SHOWN).map_err(|error: FileError| error.to_string())?;
    let length = bytes.len();
    String::from_utf8(bytes).map_err(|_| format!("{length} bytes that are not text"))
}

/// A file in the page.
#[derive(Debug, Serialize)]
pub(super) struct FileView {
    pub(super) name: String,
    bytes: usize,
    lines: Vec<LineView>,
    /// The number of findings at its lines.
    notes: usize,
}

/// A line of a file.
#[derive(Debug, Serialize)]
struct LineView {
    html: String,
    /// What was found in this line.
    notes: Vec<String>,
}

impl FileView {
    fn of(name: &str, text: &str, findings: &[Finding]) -> Self {
        let lines = highlight::lines(name, text).into_iter().map(|html| LineView { html, notes: Vec::new() });
        let mut view = Self { name: name.to_owned(), bytes: text.len(), lines: lines.collect(), notes: 0 };
        let here = findings.iter().filter(|finding| finding.file.as_deref() == Some(name));
        for finding in here {
            let line = finding.line.and_then(|line| view.lines.get_mut(line - 1));
            if let Some(line) = line {
                line.notes.push(format!("{}: {}", finding.code, finding.message));
                view.notes += 1;
            }
        }
        view
    }
}

/// The checklist that a vision model scores the task by.
#[derive(Debug, Default, Serialize)]
pub(super) struct Checklist {
    completion: Vec<Item>,
    integrity: Vec<Item>,
}

/// An item of a checklist.
#[derive(Debug, Serialize)]
struct Item {
    description: String,
    evidence: String,
    points: Option<f64>,
}

impl Checklist {
    /// The checklist in `vlm_checklist.json`, as far as it has the expected form.
    pub(super) fn of(texts: &BTreeMap<String, String>) -> Option<Self> {
        let value: Value = serde_json::from_str(texts.get("vlm_checklist.json")?).ok()?;
        let list =
            Self { completion: items(&value["task_completion"]), integrity: items(&value["integrity"]) };
        (!list.completion.is_empty() || !list.integrity.is_empty()).then_some(list)
    }
}

fn items(list: &Value) -> Vec<Item> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
    let item = |item: &Value| Item {
        description: text(&item["description"]),
        evidence: text(&item["visual_evidence"]),
        points: item["points"].as_f64(),
    };
    items.iter().map(item).collect()
}

/// A picture of a trial.
#[derive(Debug, Serialize)]
pub(super) struct Shot {
    name: String,
    /// The picture as a `data:` URL.
    src: String,
}

/// The names of the pictures below a folder, by their folders; `start.png` is the first of each.
fn pictures(folder: &Path) -> Vec<String> {
    let names = walk(folder, DEPTH, |_| true).filter_map(|entry| entry.ok()?.name);
    let is_picture = |name: &String| Path::new(name).extension().is_some_and(|end| end == "png");
    let mut names: Vec<String> = names.filter(is_picture).collect();
    names.sort_by_cached_key(|name| {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        (folder.to_owned(), file != "start.png", file.to_owned())
    });
    names
}

/// The screenshots of a task's trials, as far as `budget` bytes reach, and how many more there are. If they do not all
/// fit, those that say most are shown.
pub(super) fn shots(trials: &Path, budget: usize) -> (Vec<Shot>, usize) {
    let mut names: Vec<(usize, String)> = pictures(trials).into_iter().enumerate().collect();
    names.sort_by_key(|(_, name)| rank(name));
    let (mut shots, mut omitted, mut left) = (Vec::new(), 0, budget);
    for (place, name) in names {
        match read_beneath(trials, Path::new(&name), MAX_SHOT.min(left)) {
            Ok(png) if shots.len() < MAX_SHOTS && png.starts_with(b"\x89PNG\r\n\x1a\n") => {
                left -= png.len();
                let src = format!("data:image/png;base64,{}", BASE64.encode(png));
                shots.push((place, Shot { name, src }));
            }
            _ => omitted += 1,
        }
    }
    shots.sort_by_key(|(place, _)| *place);
    (shots.into_iter().map(|(_, shot)| shot).collect(), omitted)
}

/// How much a screenshot says: what the agent finds, what a solution leaves, then the rest.
fn rank(name: &str) -> usize {
    const FIRST: [&str; 4] = ["untouched/start", "solution/end", "untouched/", "solution/"];
    FIRST.iter().position(|start| name.starts_with(start)).unwrap_or(FIRST.len())
}
