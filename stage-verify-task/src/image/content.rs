//! What an image is built from, as a hash.

use std::io;
use std::path::Path;

use common::environment::Environment;
use common::fingerprint::sha256_hex;
use fs_err as fs;
use task_spec::files::walk;
use task_spec::machine::Mount;

/// Part of the hash. It changes when this program builds images in another way.
const VERSION: &str = "1";

/// How many hexadecimal digits of the hash are used.
const DIGITS: usize = 16;

/// The hash of the base image, the spec, and the content of the mounts. Tasks are left out: they change all the time,
/// and an environment does not need them to start.
pub(crate) fn hash(environment: &Environment, mounts: &[Mount], base: &str) -> io::Result<String> {
    let spec = sha256_hex(&fs::read(&environment.spec)?);
    let mut parts = vec![VERSION.to_owned(), base.to_owned(), spec];
    let tasks = environment.tasks_dir();
    for mount in mounts.iter().filter(|mount| mount.source != tasks.canonicalize().unwrap_or_default()) {
        parts.push(mount.target.clone());
        add_files(&mount.source, &tasks, &mut parts)?;
    }
    let mut hash = sha256_hex(parts.join("\n").as_bytes());
    hash.truncate(DIGITS);
    Ok(hash)
}

fn add_files(source: &Path, tasks: &Path, parts: &mut Vec<String>) -> io::Result<()> {
    if source.is_file() {
        parts.push(sha256_hex(&fs::read(source)?));
        return Ok(());
    }
    for entry in walk(source, usize::MAX, |name| name != "__pycache__") {
        let entry = entry?;
        if entry.path.starts_with(tasks) {
            continue;
        }
        parts.push(entry.path.strip_prefix(source).unwrap_or(&entry.path).to_string_lossy().into_owned());
        if entry.kind.is_symlink() {
            parts.push(fs::read_link(&entry.path)?.to_string_lossy().into_owned());
        } else if entry.kind.is_file() {
            parts.push(format!("{}{}", sha256_hex(&fs::read(&entry.path)?), is_executable(&entry.path)?));
        }
    }
    Ok(())
}

fn is_executable(path: &Path) -> io::Result<&'static str> {
    use std::os::unix::fs::PermissionsExt;
    Ok(if fs::metadata(path)?.permissions().mode() & 0o111 == 0 { "" } else { "x" })
}
