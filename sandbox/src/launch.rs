//! Sets up a sandbox from the inside: this program, started again, gives up its privileges step by step and then
//! becomes the parent of Python.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use fs_err as fs;
use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Gid, Signal, Uid, chdir, getegid, geteuid, set_dumpable_behavior,
    set_parent_process_death_signal, umask,
};
use rustix::system::sethostname;
use rustix::thread::{
    CapabilitySet, UnshareFlags, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    unshare_unsafe,
};
use serde::{Deserialize, Serialize};

use crate::error::{Action, SandboxError};
use crate::harness::HARNESS;
use crate::{missing, root};

/// The first argument that makes a program set up a sandbox. It is internal.
pub(crate) const ROLE: &str = "__sandbox";

/// The user and group that own nothing.
pub(crate) const UNPRIVILEGED: u32 = 65534;

/// What a sandbox consists of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The Python to start.
    pub(crate) python: PathBuf,
    /// Files and folders that it reads, besides the system's.
    pub(crate) visible: Vec<PathBuf>,
    /// Folders of its native libraries.
    pub(crate) library_path: Vec<PathBuf>,
    /// The argument of the harness.
    pub(crate) harness: String,
}

/// Acts as the parent of a sandbox if this program was started as one, and returns how it ended.
///
/// `arguments` are those of the program, its name first. Every program that uses this crate calls this function
/// first, before it starts any thread.
pub fn enter_role(arguments: &[OsString]) -> Option<ExitCode> {
    if arguments.get(1)? != ROLE {
        return None;
    }
    let description = arguments.get(2).and_then(|description| description.to_str());
    Some(launch(description.unwrap_or_default()).unwrap_or_else(|error| {
        let line = format!("sandbox: error: {}{}\n", with_causes(&error), missing::hint(&error));
        // If standard error is closed as well, the exit status must do.
        drop(io::stderr().write_all(line.as_bytes()));
        ExitCode::FAILURE
    }))
}

pub(crate) fn with_causes(error: &SandboxError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Sets up the sandbox, and runs the harness in it until it ends.
fn launch(description: &str) -> Result<ExitCode, SandboxError> {
    let launch: Launch = serde_json::from_str(description).action("read the description of the sandbox")?;
    end_with_parent()?;
    // When the machine runs out of memory, the kernel ends this process first. Not essential.
    drop(fs::write("/proc/self/oom_score_adj", "1000"));
    // In a container, root may not be allowed to mount. In a user namespace it is, like any user.
    if is_root() && unshare(UnshareFlags::NEWNS).is_ok() {
        // While still root: the interpreter may be in root's home.
        root::enter(&launch.visible)?;
        become_nobody().action("give up the privileges of root")?;
        enter_namespaces()?;
    } else {
        if is_root() && !may_be_mapped()? {
            become_nobody()
                .action("become an ordinary user; root without SETFCAP needs SETUID and SETGID")?;
        }
        enter_namespaces()?;
        root::enter(&launch.visible)?;
    }
    sethostname(b"localhost").action("set the host name")?;
    chdir("/tmp").action("enter /tmp")?;
    umask(Mode::from_raw_mode(0o022));
    let status = python(&launch.python, &launch.library_path)
        .args(["-B", "-c", HARNESS, &launch.harness])
        .status()
        .action(format!("start {}", launch.python.display()))?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Python without its user's settings. Numeric libraries get one thread: sandboxes already share the processors.
pub(crate) fn python(path: &Path, library_path: &[PathBuf]) -> Command {
    let mut command = Command::new(path);
    command.env_clear().args(["-s", "-W", "ignore"]).envs([
        // Sets in the same order in each sandbox: the same tasks give the same records.
        ("PYTHONHASHSEED", "0"),
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
    if let Ok(folders) = std::env::join_paths(library_path)
        && !folders.is_empty()
    {
        command.env("LD_LIBRARY_PATH", folders);
    }
    command
}

/// Whether this is a root that can change its user. The root of a user namespace with a single user cannot;
/// outside it is an ordinary user, and is treated like one.
pub(crate) fn is_root() -> bool {
    let groups = fs::read_to_string("/proc/self/setgroups");
    geteuid().is_root() && groups.is_ok_and(|may_change| may_change.trim() == "allow")
}

/// Makes the kernel end this process when its parent ends.
fn end_with_parent() -> Result<(), SandboxError> {
    set_parent_process_death_signal(Some(Signal::KILL)).action("follow the end of the parent")
}

/// Whether root may have an id in a new user namespace. Other users always may.
fn may_be_mapped() -> Result<bool, SandboxError> {
    let own = capabilities(None).action("read the capabilities")?;
    Ok(own.effective.contains(CapabilitySet::SETFCAP))
}

fn become_nobody() -> rustix::io::Result<()> {
    let (user, group) = (Uid::from_raw(UNPRIVILEGED), Gid::from_raw(UNPRIVILEGED));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    // A process that changed its user may not write its own files in /proc, which the next step does.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    // The change of user reset this.
    set_parent_process_death_signal(Some(Signal::KILL))
}

/// Enters namespaces of all kinds. The PID namespace is that of the next child. In the user namespace this
/// process is root; outside its user stays the same.
fn enter_namespaces() -> Result<(), SandboxError> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    unshare(all).action("enter namespaces")?;
    fs::write("/proc/self/setgroups", "deny").action("deny setgroups")?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1")).action("map the group")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1")).action("map the user")
}

#[expect(unsafe_code, reason = "leaving a namespace is unsafe only where threads share what is left")]
fn unshare(what: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: this process has a single thread, and file descriptors are not among what it leaves.
    unsafe { unshare_unsafe(what) }
}
