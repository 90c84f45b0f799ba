//! The file system of a sandbox: Python, a few devices, and empty folders to work in.

use std::ffi::CString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::pivot_root;

use super::HARNESS;

/// Where the new root is put together. It hides what was there, which no interpreter needs.
const SITE: &str = "/sys";

/// Where programs and their libraries are, on any Linux.
const SYSTEM: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// Small files that the C library and Python look things up in.
const LOOKUPS: [&str; 4] = ["/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/etc/ssl/openssl.cnf"];

const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The user database of a sandbox. Some programs do not start without their user's name.
const PASSWD: &str = "root:x:0:0:verifier:/tmp:/bin/sh\n";

/// Where the harness is, seen from inside.
pub(super) const HARNESS_PATH: &str = "/harness.py";

/// Makes this process's root a file system that holds what is below `readable`, and nothing else of this
/// machine. Needs a mount namespace of its own, in which this process may mount.
pub(super) fn enter(readable: &[PathBuf]) -> Result<()> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("cannot take the mounts over")?;
    let options = CString::new("size=16m,mode=755")?;
    let nothing_special = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", SITE, "tmpfs", nothing_special, options.as_c_str()).context("cannot mount a new root")?;
    for dir in SYSTEM.iter().map(Path::new).chain(readable.iter().map(PathBuf::as_path)) {
        show(dir).with_context(|| format!("cannot show {} in the sandbox", dir.display()))?;
    }
    for file in LOOKUPS.iter().filter(|file| Path::new(file).exists()) {
        let copy = inside(Path::new(file));
        copy.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::copy(file, copy)?;
    }
    for device in DEVICES.iter().filter(|device| Path::new(device).exists()) {
        let place = inside(Path::new(device));
        place.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&place, "")?;
        mount_bind(*device, &place).with_context(|| format!("cannot show {device} in the sandbox"))?;
    }
    fs::write(inside(Path::new("/etc/passwd")), PASSWD)?;
    fs::write(inside(Path::new(HARNESS_PATH)), HARNESS)?;
    for dir in ["/bench", "/tmp", "/proc"] {
        fs::create_dir(inside(Path::new(dir)))?;
    }
    // The harness covers it up once it has found its own PID namespace there.
    mount_bind_recursive("/proc", inside(Path::new("/proc"))).context("cannot show /proc to the harness")?;
    let read_only = nothing_special | MountFlags::RDONLY;
    mount_remount(SITE, read_only, options.as_c_str()).context("cannot make the new root read-only")?;
    rustix::process::chdir(SITE)?;
    pivot_root(".", ".").context("cannot change the root")?;
    unmount(".", UnmountFlags::DETACH).context("cannot let go of the old root")?;
    rustix::process::chdir("/").context("cannot enter the new root")
}

/// Where a path will be, seen from here.
fn inside(path: &Path) -> PathBuf {
    Path::new(SITE).join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes a folder appear in the new root, at its own path and read-only; a link, as the same link.
fn show(dir: &Path) -> Result<()> {
    let place = inside(dir);
    let Ok(found) = fs::symlink_metadata(dir) else { return Ok(()) };
    if place.symlink_metadata().is_ok_and(|shown| !shown.is_dir()) || is_shown(dir) {
        return Ok(());
    }
    place.parent().map_or(Ok(()), fs::create_dir_all)?;
    if found.is_symlink() {
        return Ok(symlink(fs::read_link(dir)?, place)?);
    }
    fs::create_dir_all(&place)?;
    mount_bind_recursive(dir, &place)?;
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount_remount(&place, flags | flags_to_keep(&place)?, c"")?)
}

/// Whether a folder is there already, below another that was shown.
fn is_shown(dir: &Path) -> bool {
    inside(dir).is_dir() && fs::read_dir(inside(dir)).is_ok_and(|mut entries| entries.next().is_some())
}

/// Flags of a mount that only its owner may take away; leaving them out would be to ask for it.
fn flags_to_keep(path: &Path) -> Result<MountFlags> {
    let flags = statvfs(path)?.f_flag;
    let pairs = [
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let kept = pairs.into_iter().filter(|(seen, _)| flags.contains(*seen));
    Ok(kept.fold(MountFlags::empty(), |all, (_, flag)| all | flag))
}
