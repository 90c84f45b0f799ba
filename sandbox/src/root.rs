//! The root file system of a sandbox: Python, a few devices, and empty folders.

use std::ffi::CStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use crate::error::{Action, SandboxError};
use crate::harness::BENCH;

/// Where the new root is assembled. It hides the folder's content, which no interpreter needs.
const SITE: &str = "/sys";

/// Mount options of the new root.
const OPTIONS: &CStr = c"size=16m,mode=755";

/// Where programs and their libraries are on any Linux.
const SYSTEM: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// Small files that the C library and Python read.
const LOOKUPS: [&str; 4] = ["/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/etc/ssl/openssl.cnf"];

const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The user database of a sandbox. Some programs do not start without the name of their user.
const PASSWD: &str = "root:x:0:0:verifier:/tmp:/bin/sh\n";

/// Replaces this process's root with a file system that holds the `readable` folders and nothing else of this
/// machine. Needs a mount namespace in which this process may mount.
pub(crate) fn enter(readable: &[PathBuf]) -> Result<(), SandboxError> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).action("make the mounts private")?;
    let nothing_special = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", SITE, "tmpfs", nothing_special, OPTIONS).action("mount a new root")?;
    for dir in SYSTEM.iter().map(Path::new).chain(readable.iter().map(PathBuf::as_path)) {
        show(dir).action(format!("show {} in the sandbox", dir.display()))?;
    }
    add_small_files().action("fill the root of the sandbox")?;
    for device in DEVICES.iter().filter(|device| Path::new(device).exists()) {
        show_device(device).action(format!("show {device} in the sandbox"))?;
    }
    // The harness covers it once it has found its own PID namespace there.
    mount_bind_recursive("/proc", inside(Path::new("/proc"))).action("show /proc to the harness")?;
    let read_only = nothing_special | MountFlags::RDONLY;
    mount_remount(SITE, read_only, OPTIONS).action("make the new root read-only")?;
    chdir(SITE).action("enter the new root")?;
    pivot_root(".", ".").action("change the root")?;
    unmount(".", UnmountFlags::DETACH).action("unmount the old root")?;
    chdir("/").action("enter the new root")
}

fn add_small_files() -> std::io::Result<()> {
    for file in LOOKUPS.iter().filter(|file| Path::new(file).exists()) {
        let copy = inside(Path::new(file));
        create_parent(&copy)?;
        fs::copy(file, copy)?;
    }
    let passwd = inside(Path::new("/etc/passwd"));
    create_parent(&passwd)?;
    fs::write(passwd, PASSWD)?;
    for dir in [BENCH, "/tmp", "/proc"] {
        fs::create_dir_all(inside(Path::new(dir)))?;
    }
    Ok(())
}

fn show_device(device: &str) -> std::io::Result<()> {
    let place = inside(Path::new(device));
    create_parent(&place)?;
    fs::write(&place, "")?;
    Ok(mount_bind(device, &place)?)
}

fn create_parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// The current path of a path in the sandbox.
fn inside(path: &Path) -> PathBuf {
    Path::new(SITE).join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes a folder appear in the new root, at its own path and read-only; a link, as the same link.
fn show(dir: &Path) -> std::io::Result<()> {
    let place = inside(dir);
    let Ok(found) = fs::symlink_metadata(dir) else { return Ok(()) };
    if place.symlink_metadata().is_ok_and(|shown| !shown.is_dir()) || is_shown(dir) {
        return Ok(());
    }
    create_parent(&place)?;
    if found.is_symlink() {
        return symlink(fs::read_link(dir)?, place);
    }
    fs::create_dir_all(&place)?;
    mount_bind_recursive(dir, &place)?;
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount_remount(&place, flags | flags_to_keep(&place)?, c"")?)
}

/// Whether a folder already appears, below another one.
fn is_shown(dir: &Path) -> bool {
    inside(dir).is_dir() && fs::read_dir(inside(dir)).is_ok_and(|mut entries| entries.next().is_some())
}

/// Flags of a mount that only its owner may remove. A remount without them would be denied.
fn flags_to_keep(path: &Path) -> std::io::Result<MountFlags> {
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
