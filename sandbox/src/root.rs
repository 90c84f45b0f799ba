//! The root file system of a sandbox: Python, a few devices, and empty folders.

use std::ffi::CStr;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use crate::error::{Action, SandboxError};
use crate::harness::{BENCH, OUTER_TMP};

/// Where the new root is assembled. It hides the folder's content, which no interpreter needs.
const SITE: &str = "/sys";

/// Folders that a sandbox has its own version of.
const HIDDEN: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The largest number of links on a path, as for the kernel.
const MAX_LINKS: usize = 40;

/// Mount options of the new root.
const OPTIONS: &CStr = c"size=16m,mode=755";

/// Where programs and their libraries are on any Linux.
const SYSTEM: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/// Small files that the C library and Python read.
const LOOKUPS: [&str; 4] = ["/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types", "/etc/ssl/openssl.cnf"];

const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The user database of a sandbox. Some programs do not start without the name of their user.
const PASSWD: &str = "root:x:0:0:verifier:/tmp:/bin/sh\n";

/// Replaces this process's root with a file system that holds the `visible` files and folders and nothing else
/// of this machine. Needs a mount namespace in which this process may mount.
pub(crate) fn enter(visible: &[PathBuf]) -> Result<(), SandboxError> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).action("make the mounts private")?;
    let nothing_special = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", SITE, "tmpfs", nothing_special, OPTIONS).action("mount a new root")?;
    let mut root = Root { bound: Vec::new() };
    for path in SYSTEM.iter().map(Path::new).chain(visible.iter().map(PathBuf::as_path)) {
        root.show(path).action(format!("show {} in the sandbox", path.display()))?;
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

fn add_small_files() -> io::Result<()> {
    for file in LOOKUPS.iter().filter(|file| Path::new(file).exists()) {
        let copy = inside(Path::new(file));
        create_parent(&copy)?;
        fs::copy(file, copy)?;
    }
    let passwd = inside(Path::new("/etc/passwd"));
    create_parent(&passwd)?;
    fs::write(passwd, PASSWD)?;
    for dir in [BENCH, "/tmp", "/proc", OUTER_TMP] {
        fs::create_dir_all(inside(Path::new(dir)))?;
    }
    Ok(())
}

fn show_device(device: &str) -> io::Result<()> {
    let place = inside(Path::new(device));
    create_parent(&place)?;
    fs::write(&place, "")?;
    Ok(mount_bind(device, &place)?)
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// The current path of a path in the sandbox.
fn inside(path: &Path) -> PathBuf {
    Path::new(SITE).join(path.strip_prefix("/").unwrap_or(path))
}

/// The new root while it is assembled.
struct Root {
    /// The files and folders that appear in it.
    bound: Vec<PathBuf>,
}

impl Root {
    /// Makes a file or folder appear at its own path and read-only. Links on the way appear as links, and what
    /// they lead to appears, too.
    fn show(&mut self, path: &Path) -> io::Result<()> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            match Self::find_link(&path) {
                Some((link, rest)) => path = Self::follow(&link, &rest)?,
                None => return self.bind(&path),
            }
        }
        Err(io::Error::other("too many links"))
    }

    /// The first link on a path, and the rest of the path.
    fn find_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
        let mut found = PathBuf::new();
        let mut components = path.components();
        while let Some(component) = components.next() {
            match component {
                Component::ParentDir => {
                    found.pop();
                }
                component => found.push(component),
            }
            if found.is_symlink() {
                return Some((found, components.as_path().to_owned()));
            }
        }
        None
    }

    /// Creates a link that exists outside, and returns the path behind it.
    fn follow(link: &Path, rest: &Path) -> io::Result<PathBuf> {
        let target = fs::read_link(link)?;
        let place = inside(link);
        if !place.is_symlink() && !place.exists() {
            create_parent(&place)?;
            symlink(&target, place)?;
        }
        Ok(link.parent().unwrap_or(link).join(target).join(rest))
    }

    fn bind(&mut self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        let hidden = HIDDEN.iter().any(|folder| path.starts_with(folder));
        if hidden || !path.exists() || self.bound.iter().any(|bound| path.starts_with(bound)) {
            return Ok(());
        }
        let place = inside(&path);
        if path.is_dir() {
            fs::create_dir_all(&place)?;
        } else {
            create_parent(&place)?;
            fs::write(&place, "")?;
        }
        mount_bind_recursive(&path, &place)?;
        let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
        mount_remount(&place, flags | flags_to_keep(&place)?, c"")?;
        self.bound.push(path);
        Ok(())
    }
}

/// The path without its `..`. No part of it is a link.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            component => normal.push(component),
        }
    }
    normal
}

/// Flags of a mount that only its owner may remove. A remount without them would be denied.
fn flags_to_keep(path: &Path) -> io::Result<MountFlags> {
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
