//! Files as prompts show them: text, up to a maximum length.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use serde::Serialize;
use task_spec::files::{CORE_FILES, Role};

/// A file in a prompt.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Excerpt {
    /// Its name, relative to the folder it is shown from.
    pub(crate) name: String,
    /// Its beginning.
    pub(crate) text: String,
    /// The number of bytes that are not shown.
    pub(crate) cut: usize,
    /// Its size in bytes.
    pub(crate) bytes: usize,
}

impl Excerpt {
    /// The beginning of `text`: whole lines, as many as fit into `max_bytes`.
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

/// The core files of a task, whole and in their order, except those with a role in `hidden`.
pub(crate) fn excerpts(files: &BTreeMap<String, String>, hidden: &[Role]) -> Vec<Excerpt> {
    let shown = CORE_FILES.iter().filter(|file| !hidden.contains(&file.role));
    shown.filter_map(|file| Some(Excerpt::of(file.name, files.get(file.name)?, usize::MAX))).collect()
}

/// At most `max_bytes` of `text`, up to the end of a line if there is one.
fn beginning(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let shown = &text[..text.floor_char_boundary(max_bytes)];
    shown.rfind('\n').map_or(shown, |end| &shown[..=end])
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
