//! Sets a sandbox up from the inside: this program, started a second time, gives up what it has step by
//! step and then becomes Python's parent.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use fs_err as fs;
use rustix::process::{DumpableBehavior, Gid, Signal, Uid, getegid, geteuid, set_dumpable_behavior};
use rustix::thread::{
    UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
};
use serde::{Deserialize, Serialize};

use super::world;

/// The first argument that makes this program set up a sandbox. Nobody types it.
pub(crate) const ROLE: &str = "__sandbox";

/// The user and group that own nothing: `nobody`, `nogroup`.
pub(crate) const NOBODY: u32 = 65534;

/// What a sandbox is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The Python to start.
    pub(crate) python: PathBuf,
    /// Folders it needs to read, besides the system's.
    pub(crate) readable: Vec<PathBuf>,
    /// What the harness is told.
    pub(crate) harness: String,
}

/// Sets up the sandbox that the second argument describes, and runs the harness in it until it ends.
pub(crate) fn launch(description: Option<&str>) -> Result<ExitCode> {
    let description = description.context("the description of the sandbox is missing")?;
    let launch: Launch = serde_json::from_str(description).context("cannot read its description")?;
    end_with_parent()?;
    // When memory runs out on the whole machine, what runs here is the first to go.
    drop(fs::write("/proc/self/oom_score_adj", "1000"));
    if is_root() {
        // While still root: the interpreter may lie in root's home.
        unshare(UnshareFlags::NEWNS).context("cannot get a mount namespace")?;
        world::enter(&launch.readable)?;
        become_nobody().context("cannot give up being root")?;
        enter_namespaces()?;
    } else {
        enter_namespaces()?;
        world::enter(&launch.readable)?;
    }
    rustix::system::sethostname(b"sandbox").context("cannot take a host name")?;
    rustix::process::chdir("/tmp")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let status = python(&launch.python)
        .args(["-B", world::HARNESS_PATH, &launch.harness])
        .status()
        .with_context(|| format!("cannot start {}", launch.python.display()))?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Python, apart from anything its user has set up for it, and with one thread in its number crunchers:
/// workers share the processors already.
pub(crate) fn python(path: &PathBuf) -> Command {
    let mut command = Command::new(path);
    command.env_clear().args(["-I", "-W", "ignore"]).envs([
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("MKL_NUM_THREADS", "1"),
        ("MPLBACKEND", "agg"),
        ("NUMEXPR_NUM_THREADS", "1"),
        ("OMP_NUM_THREADS", "1"),
        ("OPENBLAS_NUM_THREADS", "1"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TZ", "UTC"),
    ]);
    command
}

/// Whether this is a root that can become somebody else. The root of a user namespace that holds nobody else
/// cannot; outside it is an ordinary user, and treated like one.
pub(crate) fn is_root() -> bool {
    let groups = fs::read_to_string("/proc/self/setgroups");
    geteuid().is_root() && groups.is_ok_and(|may_change| may_change.trim() == "allow")
}

/// Asks the kernel to end this process when its parent ends, in whatever way.
fn end_with_parent() -> Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

fn become_nobody() -> Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    // A process that changed its user may not write its own files in /proc, and it has to, next.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    // The change took this back.
    end_with_parent()
}

/// Enters namespaces of all kinds; the PID namespace is that of the next child. In the user namespace this
/// process is root, outside it is who it was.
fn enter_namespaces() -> Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    unshare(all).context(
        "cannot get namespaces; on this machine they may be switched off for users, or in this container",
    )?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    Ok(())
}

#[expect(unsafe_code, reason = "leaving a namespace is unsafe only where threads share what is left")]
fn unshare(what: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: this process has a single thread, and file descriptors are not among what it leaves.
    unsafe { unshare_unsafe(what) }
}
