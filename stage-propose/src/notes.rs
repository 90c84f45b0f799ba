//! The task-creation notes, and which of their pages an agent reads.
//!
//! The notes are a folder. The general pages are named `NN-*.md`, with two digits; besides, there are
//! `type/<type>.md` and `platform/<platform>.md`. An agent reads the general pages in the order of their numbers,
//! then the page for the type of task, then those for the platforms.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;
use walkdir::WalkDir;

/// Name and text of each built-in page.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/notes.rs"));

/// A set of notes.
pub(crate) struct Notes {
    /// Names of the pages, with `/` between their parts, and their texts.
    pages: BTreeMap<String, String>,
}

impl Notes {
    /// Loads the notes in the folder `dir`, or the built-in ones.
    pub(crate) fn load(dir: Option<&Path>) -> Result<Self> {
        let pages = match dir {
            Some(dir) => {
                read_pages(dir).with_context(|| format!("cannot read the notes in {}", dir.display()))?
            }
            None => BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        let notes = Self { pages };
        ensure!(
            notes.pages.keys().any(|name| is_numbered(name)),
            "no notes in {}: they need a page with a name such as 01-start-here.md",
            dir.unwrap_or(Path::new("this program")).display()
        );
        Ok(notes)
    }

    /// Refuses a type or a platform without a page.
    pub(crate) fn check(&self, task_type: &str, platforms: &[String]) -> Result<()> {
        self.reading_list(task_type, platforms)?;
        Ok(())
    }

    /// Names of the pages to read, in order.
    pub(crate) fn reading_list(&self, task_type: &str, platforms: &[String]) -> Result<Vec<String>> {
        let mut pages: Vec<String> = self.pages.keys().filter(|name| is_numbered(name)).cloned().collect();
        pages.push(self.page("type", task_type)?);
        for platform in platforms {
            pages.push(self.page("platform", platform)?);
        }
        Ok(pages)
    }

    /// Writes all pages below `dir`, where the agent can read them. Replaces what is there.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        for (name, text) in &self.pages {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            fs::write(&path, text)?;
        }
        Ok(())
    }

    fn page(&self, kind: &str, name: &str) -> Result<String> {
        let page = format!("{kind}/{name}.md");
        if !self.pages.contains_key(&page) {
            let known: Vec<&str> = self
                .pages
                .keys()
                .filter_map(|page| page.strip_prefix(kind)?.strip_prefix('/')?.strip_suffix(".md"))
                .collect();
            bail!("the notes have no {kind} {name:?}; they have {}", known.join(", "));
        }
        Ok(page)
    }
}

fn is_numbered(name: &str) -> bool {
    matches!(name.as_bytes(), [b'0'..=b'9', b'0'..=b'9', b'-', .., b'.', b'm', b'd']) && !name.contains('/')
}

fn read_pages(dir: &Path) -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    for entry in WalkDir::new(dir) {
        let path: PathBuf = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "md") && path.is_file() {
            let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
            pages.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(pages)
}
