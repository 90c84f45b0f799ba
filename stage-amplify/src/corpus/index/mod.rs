//! What the environment's scripts and tasks show at a glance: the functions that tasks call, how tasks reach the
//! data, and what hooks leave running. The scripts themselves are shown as well; this tells what matters in them.

mod access;
mod functions;
mod hooks;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use common::text::{escape, one_line, shorten};
use serde::Serialize;

use self::functions::{Function, Language};
use super::excerpt::Excerpt;
use super::source::Source;

/// The maximum size of the lines about functions together, in bytes.
const FUNCTION_BYTES: usize = 2_000;

/// The maximum number of ways to reach data that are shown.
const ACCESSES: usize = 6;

/// The maximum length of a command or of an explanation, in characters.
const CHARS: usize = 90;

/// The maximum size of a script of a task that is searched, in bytes.
const SCRIPT_BYTES: usize = 256_000;

/// The files of a task in which functions and commands are counted.
const COUNTED: [&str; 5] =
    ["setup_task.sh", "setup_task.ps1", "export_result.sh", "export_result.ps1", "verifier.py"];

/// A variable of the templates.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Index {
    /// The number of tasks that were searched.
    tasks: usize,
    files: Vec<Helpers>,
    /// The number of functions that are not shown, as their lines would be too many.
    more: usize,
    accesses: Vec<Access>,
    hooks: Vec<Hook>,
}

/// The functions of a file.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Helpers {
    name: String,
    functions: Vec<Helper>,
}

/// A function, as prompts show it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Helper {
    /// Its name and its parameters.
    signature: String,
    about: String,
    /// The number of tasks that call it.
    tasks: usize,
}

/// A command by which tasks reach data, without what differs between tasks.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Access {
    command: String,
    /// The number of tasks that use it.
    tasks: usize,
}

/// A hook of the environment, and what it starts.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Hook {
    name: String,
    starts: Vec<String>,
}

impl Index {
    /// Searches the files of an environment that prompts show, and those of its `tasks`.
    pub(super) fn of(source: &Source<'_>, files: &[Excerpt], tasks: &[String]) -> Self {
        let scripts: Vec<Scripts> = tasks.iter().map(|task| Scripts::read(source, task)).collect();
        let commands = hooks::commands(&source.spec());
        let is_hook = |name: &str| commands.iter().any(|(_, command)| hooks::runs(command, name));
        let is_used = |name: &str| scripts.is_empty() || scripts.iter().any(|scripts| scripts.name(name));
        let helpers =
            files.iter().filter(|file| is_helper(&file.name) && !is_hook(&file.name) && is_used(&file.name));
        let (helpers, more) = with_room(helpers.map(|file| helpers_of(file, &scripts)).collect());
        let hooks = commands.iter().filter_map(|(name, command)| hook(name, command, files)).collect();
        Self { tasks: tasks.len(), files: helpers, more, accesses: accesses(&scripts), hooks }
    }
}

/// What a hook with this command starts, if that is known.
fn hook(name: &str, command: &str, files: &[Excerpt]) -> Option<Hook> {
    let script = files.iter().find(|file| hooks::runs(command, &file.name))?;
    let starts: Vec<String> = hooks::started(&script.text).iter().map(|what| line(what)).collect();
    (!starts.is_empty()).then(|| Hook { name: name.to_owned(), starts })
}

/// Whether tasks may call the functions of a file.
fn is_helper(name: &str) -> bool {
    name.starts_with("scripts/") || name.starts_with("utils/")
}

/// The scripts of a task: all words that may be names, and the text.
struct Scripts {
    words: HashSet<String>,
    text: String,
}

impl Scripts {
    fn read(source: &Source<'_>, task: &str) -> Self {
        let mut text = String::new();
        for name in COUNTED {
            if let Some(content) = source.peek(&format!("tasks/{task}/{name}"), SCRIPT_BYTES) {
                text += &String::from_utf8_lossy(&content);
                text.push('\n');
            }
        }
        let is_separator = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'));
        let mut words = HashSet::new();
        for word in text.split(is_separator) {
            if !words.contains(word) {
                words.insert(word.to_owned());
            }
        }
        Self { words, text }
    }

    /// Whether they name the file `name`: they source or import it.
    fn name(&self, name: &str) -> bool {
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str());
        stem.is_some_and(|stem| self.words.contains(stem))
    }
}

fn helpers_of(file: &Excerpt, scripts: &[Scripts]) -> Helpers {
    let found =
        Language::of(&file.name).map(|language| functions::of(language, &file.text)).unwrap_or_default();
    let mut functions: Vec<Helper> = found.iter().map(|function| helper(function, scripts)).collect();
    // Those that most tasks call come first; the others in their order.
    functions.sort_by_key(|function| std::cmp::Reverse(function.tasks));
    Helpers { name: file.name.clone(), functions }
}

fn helper(function: &Function, scripts: &[Scripts]) -> Helper {
    let tasks = scripts.iter().filter(|scripts| scripts.words.contains(&function.name)).count();
    Helper { signature: line(&function.signature), about: line(&function.about), tasks }
}

/// The functions for which there is room, those that most tasks call first, and the number of the others.
fn with_room(files: Vec<Helpers>) -> (Vec<Helpers>, usize) {
    let mut sizes: Vec<(usize, usize, usize)> = Vec::new();
    for (file, helpers) in files.iter().enumerate() {
        for function in &helpers.functions {
            sizes.push((function.tasks, file, function.signature.len() + function.about.len()));
        }
    }
    sizes.sort_by_key(|&(tasks, file, _)| (std::cmp::Reverse(tasks), file));
    let (mut left, mut shown) = (FUNCTION_BYTES, BTreeMap::<usize, usize>::new());
    for &(_, file, size) in &sizes {
        let Some(rest) = left.checked_sub(size) else { break };
        left = rest;
        *shown.entry(file).or_default() += 1;
    }
    let mut more = 0;
    let mut kept = Vec::new();
    for (index, mut helpers) in files.into_iter().enumerate() {
        let count = shown.get(&index).copied().unwrap_or_default();
        more += helpers.functions.len() - count;
        helpers.functions.truncate(count);
        if count > 0 {
            kept.push(helpers);
        }
    }
    (kept, more)
}

/// The commands that most tasks use.
fn accesses(scripts: &[Scripts]) -> Vec<Access> {
    let mut tasks: BTreeMap<String, usize> = BTreeMap::new();
    for script in scripts {
        for command in access::commands(&script.text) {
            *tasks.entry(line(&command)).or_default() += 1;
        }
    }
    let mut found: Vec<Access> = tasks
        .into_iter()
        .filter(|&(_, tasks)| tasks > 1)
        .map(|(command, tasks)| Access { command, tasks })
        .collect();
    found.sort_by_key(|access| std::cmp::Reverse(access.tasks));
    found.truncate(ACCESSES);
    found
}

/// A text of a script on one line, as code in Markdown can hold it.
fn line(text: &str) -> String {
    escape(&shorten(&one_line(text), CHARS).replace('`', "'")).into_owned()
}
