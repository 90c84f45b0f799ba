//! A task as lints see it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use common::pyjson::Value;
use common::verify::{CheckedTask, read_file};

/// The longest file that lints read, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;

/// A task that was checked. Its folder is listed once, and each file in it read once, however many lints
/// look at it.
pub(crate) struct Subject<'a> {
    folder: &'a Path,
    task: &'a CheckedTask,
    files: OnceCell<Vec<String>>,
    contents: RefCell<BTreeMap<String, Option<Rc<[u8]>>>>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(folder: &'a Path, task: &'a CheckedTask) -> Self {
        Self { folder, task, files: OnceCell::new(), contents: RefCell::default() }
    }

    /// The task's folder.
    pub(crate) fn folder(&self) -> &'a Path {
        self.folder
    }

    /// The task's spec, where it could be read.
    pub(crate) fn spec(&self) -> Option<&'a Value> {
        self.task.spec.as_ref()
    }

    /// Names of the files in the task's folder, sorted; none where it cannot be listed.
    pub(crate) fn files(&self) -> &[String] {
        self.files.get_or_init(|| {
            let entries = fs_err::read_dir(self.folder).into_iter().flatten().filter_map(Result::ok);
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let mut names: Vec<_> = names.collect();
            names.sort_unstable();
            names
        })
    }

    /// The content of a file in the task's folder; nothing where it cannot be read or is very long.
    pub(crate) fn content(&self, name: &str) -> Option<Rc<[u8]>> {
        if let Some(known) = self.contents.borrow().get(name) {
            return known.clone();
        }
        let content = read_file(&self.folder.join(name), MAX_FILE_BYTES).ok().map(Rc::from);
        self.contents.borrow_mut().insert(name.to_owned(), content.clone());
        content
    }
}
