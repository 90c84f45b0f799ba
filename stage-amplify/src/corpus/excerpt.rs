//! Files as prompts show them: text, up to a maximum length.

use std::collections::BTreeMap;

use common::read::Start;
use common::text::escape;
use serde::Serialize;
use task_spec::files::{CORE_FILES, Role};

use super::source::Source;

/// A file in a prompt.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Excerpt {
    /// Its name, relative to the folder it is shown from, on one line.
    pub(crate) name: String,
    /// Its beginning.
    pub(crate) text: String,
    /// The number of bytes that are not shown.
    pub(crate) cut: usize,
    /// Its size in bytes.
    pub(crate) bytes: usize,
    /// Whether the text describes the file, rather than being its beginning.
    pub(crate) is_outline: bool,
}

impl Excerpt {
    /// The beginning of `text`: whole lines, as many as fit into `max_bytes`.
    pub(crate) fn of(name: &str, text: &str, max_bytes: usize) -> Self {
        Self::of_start(name, &text[..text.floor_char_boundary(max_bytes)], text.len())
    }

    /// The file `path` of an environment, if it is text, under this name.
    pub(crate) fn read(source: &Source<'_>, path: &str, name: &str, max_bytes: usize) -> Option<Self> {
        let start = source.start(path, max_bytes)?;
        let text = text_of(&start)?;
        (!text.contains('\0'))
            .then(|| Self::of_start(name, text, usize::try_from(start.length).unwrap_or(usize::MAX)))
    }

    /// A description of a file of `bytes` bytes.
    pub(crate) fn outline(name: &str, text: &str, bytes: usize) -> Self {
        let (name, text) = (escape(name).into_owned(), text.to_owned());
        Self { name, text, cut: 0, bytes, is_outline: true }
    }

    /// The whole lines of `start`, the beginning of a text of `bytes` bytes.
    fn of_start(name: &str, start: &str, bytes: usize) -> Self {
        let shown = match start.rfind('\n') {
            Some(end) if start.len() < bytes => &start[..=end],
            _ => start,
        };
        let tidy = shown.replace("\r\n", "\n");
        Self {
            name: escape(name).into_owned(),
            text: tidy.trim_end().to_owned(),
            cut: bytes.saturating_sub(shown.len()),
            bytes,
            is_outline: false,
        }
    }
}

/// The beginning of a file as text; `None` if it is not UTF-8. A character that was cut off is left out.
fn text_of(start: &Start) -> Option<&str> {
    let error = match str::from_utf8(&start.bytes) {
        Ok(text) => return Some(text),
        Err(error) => error,
    };
    let is_cut = error.error_len().is_none() && start.length > start.bytes.len() as u64;
    str::from_utf8(start.bytes.get(..error.valid_up_to()).filter(|_| is_cut)?).ok()
}

/// The core files of a task, whole and in their order, except those with a role in `hidden`.
pub(crate) fn excerpts(files: &BTreeMap<String, String>, hidden: &[Role]) -> Vec<Excerpt> {
    let shown = CORE_FILES.iter().filter(|file| !hidden.contains(&file.role));
    shown.filter_map(|file| Some(Excerpt::of(file.name, files.get(file.name)?, usize::MAX))).collect()
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
