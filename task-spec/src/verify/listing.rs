//! What a folder holds, found out once.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::paths::{exists, may_exist};

/// A folder and the names in it. Whether something is there is asked of the system only where the names do not
/// say: that is asked several times for every task.
#[derive(Clone, Debug)]
pub struct Listing {
    folder: PathBuf,
    /// Sorted; nothing where the folder cannot be listed.
    entries: Option<Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: OsString,
    /// Whether it is there only if what it leads to is.
    is_link: bool,
}

impl Listing {
    /// Lists a folder. One that cannot be listed is empty, as far as its names go.
    pub fn of(folder: PathBuf) -> Self {
        let entry = |entry: io::Result<fs_err::DirEntry>| {
            let entry = entry?;
            let is_link = entry.file_type().map_or(true, |kind| kind.is_symlink());
            Ok(Entry { name: entry.file_name(), is_link })
        };
        let entries = fs_err::read_dir(&folder).and_then(|entries| entries.map(entry).collect());
        let sorted = |mut entries: Vec<Entry>| {
            entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            entries
        };
        Self { folder, entries: entries.ok().map(sorted) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether the folder is empty.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The names in the folder, sorted, without those that are not UTF-8.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().iter().filter_map(|entry| entry.name.to_str())
    }

    /// Where a name stands among all that there are.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.entries().binary_search_by(|entry| entry.name.as_os_str().cmp(name.as_ref())).ok()
    }

    /// Whether a path, in this folder or elsewhere, leads to something.
    pub(super) fn exists(&self, path: &Path) -> bool {
        self.says(path).unwrap_or_else(|| exists(path))
    }

    /// The same, or it may be that it does: what may not be looked at is not to be passed over.
    pub(super) fn may_exist(&self, path: &Path) -> bool {
        self.says(path).unwrap_or_else(|| may_exist(path))
    }

    /// Whether a path leads to something; nothing where the system has to be asked.
    fn says(&self, path: &Path) -> Option<bool> {
        let entries = self.entries.as_ref()?;
        let name = path.file_name().filter(|_| path.parent() == Some(&self.folder))?;
        match entries.binary_search_by(|entry| entry.name.as_os_str().cmp(name)) {
            Ok(found) => (!entries.get(found)?.is_link).then_some(true),
            Err(_) => Some(false),
        }
    }

    fn entries(&self) -> &[Entry] {
        self.entries.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use fs_err as fs;

    use super::Listing;

    #[test]
    fn what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("t");
        fs::create_dir_all(folder.join("b")).unwrap();
        fs::write(folder.join("a.sh"), "").unwrap();
        fs::write(folder.join("b/c.sh"), "").unwrap();
        symlink("a.sh", folder.join("link")).unwrap();
        symlink("gone", folder.join("broken")).unwrap();
        let listing = Listing::of(folder.clone());
        let check = |name: &str, expect: bool| {
            assert_eq!(listing.exists(&folder.join(name)), expect, "{name}");
        };
        check("a.sh", true);
        check("b", true);
        check("b/c.sh", true);
        check("../t/a.sh", true);
        check("link", true);
        check("broken", false);
        check("gone", false);
        check("a.sh/c", false);
        check("..", true);
        assert!(listing.names().eq(["a.sh", "b", "broken", "link"]));
        assert_eq!((listing.len(), listing.position("b"), listing.position("c")), (4, Some(1), None));
    }

    #[test]
    fn a_folder_that_is_not_there() {
        let listing = Listing::of("/nowhere/at/all".into());
        assert!(listing.is_empty() && !listing.exists("/nowhere/at/all/a".as_ref()));
    }
}
