//! Files as they are shown in a prompt: text, and not too much of it.

use std::path::Path;

use common::environment::{self, Environment};
use common::text::shorten;
use fs_err as fs;
use serde::Serialize;
use serde_json::Value;

/// A file in a prompt.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Excerpt {
    /// Its name, relative to the folder it is shown from.
    pub(crate) name: String,
    /// Its beginning.
    pub(crate) text: String,
    /// How many bytes of it are not shown.
    pub(crate) cut: usize,
    /// How many bytes it has.
    pub(crate) bytes: usize,
}

impl Excerpt {
    /// The beginning of `text`, up to the end of a line before `max_bytes`.
    pub(crate) fn of(name: &str, text: &str, max_bytes: usize) -> Self {
        let shown = beginning(text, max_bytes);
        let tidy = shown.replace("\r\n", "\n");
        Self {
            name: name.to_owned(),
            text: tidy.trim_end().to_owned(),
            cut: text.len() - shown.len(),
            bytes: text.len(),
        }
    }

    /// The file at `path`, if it is text.
    pub(crate) fn read(name: &str, path: &Path, max_bytes: usize) -> Option<Self> {
        let text = String::from_utf8(fs::read(path).ok()?).ok()?;
        (!text.contains('\0')).then(|| Self::of(name, &text, max_bytes))
    }
}

/// At most `max_bytes` of `text`, to the end of a line if it has any.
fn beginning(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let shown = &text[..text.floor_char_boundary(max_bytes)];
    shown.rfind('\n').map_or(shown, |end| &shown[..=end])
}

/// What is known of a task that exists.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExistingTask {
    /// Its bare name.
    pub(crate) name: String,
    /// What the agent is given.
    pub(crate) description: String,
}

impl ExistingTask {
    /// The task `name` of an environment. What cannot be read is left empty: a broken task still takes its
    /// name.
    pub(crate) fn read(environment: &Environment, name: &str) -> Self {
        let spec = read_spec(&environment.task_dir(name)).unwrap_or(Value::Null);
        let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name: name.to_owned(), description: text("description") }
    }

    /// The same with a description of at most so many characters, on one line.
    pub(crate) fn shortened(&self, max_chars: usize) -> Self {
        let line = self.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let description = if max_chars == 0 { String::new() } else { shorten(&line, max_chars).into_owned() };
        Self { name: self.name.clone(), description }
    }
}

/// The spec of the task in `dir`, if it can be read.
pub(crate) fn read_spec(dir: &Path) -> Option<Value> {
    let path = environment::task_spec(dir)?;
    let text = fs::read_to_string(&path).ok()?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_str(&text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_cut_at_the_end_of_a_line() {
        let excerpt = Excerpt::of("a", "one\ntwo\nthree\n", 9);
        assert_eq!((excerpt.text.as_str(), excerpt.cut, excerpt.bytes), ("one\ntwo", 6, 14));
        assert_eq!(Excerpt::of("a", "äöü", 3).text, "ä");
    }
}
