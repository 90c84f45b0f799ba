//! What an image is built from, as a hash.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use common::environment::Environment;
use common::fingerprint::{sha256_hex, sha256_of_file};
use common::read::FileError;
use fs_err as fs;
use task_spec::files::walk;
use task_spec::machine::Mount;

/// Part of the hash. It changes when this program builds images in another way.
const VERSION: &str = "1";

/// How many hexadecimal digits of the hash are used.
const DIGITS: usize = 16;

/// How many bytes the mounts of an environment may have together. Reading as many takes minutes.
const MAX: usize = 64 << 30;

/// The hash of the base image, the spec, and the content of the mounts. Tasks are left out: they change all the time,
/// and an environment does not need them to start.
pub(crate) fn hash(environment: &Environment, mounts: &[Mount], base: &str) -> Result<String> {
    let mut content = Content { parts: vec![VERSION.to_owned(), base.to_owned()], left: MAX };
    let spec = content.hash_of(&environment.spec)?;
    content.parts.push(spec);
    let tasks = environment.tasks_dir();
    for mount in mounts.iter().filter(|mount| mount.source != tasks.canonicalize().unwrap_or_default()) {
        content.parts.push(mount.target.clone());
        content.add_files(&mount.source, &tasks)?;
    }
    let mut hash = sha256_hex(content.parts.join("\n").as_bytes());
    hash.truncate(DIGITS);
    Ok(hash)
}

/// What is hashed: names, and hashes of files.
struct Content {
    parts: Vec<String>,
    /// How many more bytes are read.
    left: usize,
}

impl Content {
    fn add_files(&mut self, source: &Path, tasks: &Path) -> Result<()> {
        if source.is_file() {
            let hash = self.hash_of(source)?;
            self.parts.push(hash);
            return Ok(());
        }
        for entry in walk(source, usize::MAX, |name| name != "__pycache__") {
            let entry = entry?;
            if entry.path.starts_with(tasks) {
                continue;
            }
            let name = entry.path.strip_prefix(source).unwrap_or(&entry.path);
            self.parts.push(name.to_string_lossy().into_owned());
            if entry.kind.is_symlink() {
                self.parts.push(fs::read_link(&entry.path)?.to_string_lossy().into_owned());
            } else if entry.kind.is_file() {
                let hash = self.hash_of(&entry.path)?;
                self.parts.push(format!("{hash}{}", is_executable(&entry.path)?));
            }
        }
        Ok(())
    }

    /// The hash of a file, which is read part by part.
    fn hash_of(&mut self, path: &Path) -> Result<String> {
        let hashed = sha256_of_file(path, self.left);
        let too_much = matches!(hashed, Err(FileError::TooLong(_)));
        ensure!(!too_much, "the mounts hold more than {} GiB, with {}", MAX >> 30, path.display());
        let (hash, length) = hashed.with_context(|| format!("cannot read {}", path.display()))?;
        self.left -= length;
        Ok(hash)
    }
}

fn is_executable(path: &Path) -> Result<&'static str> {
    use std::os::unix::fs::PermissionsExt;
    Ok(if fs::metadata(path)?.permissions().mode() & 0o111 == 0 { "" } else { "x" })
}
