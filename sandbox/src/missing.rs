//! What a machine lacks that denies a step of the set-up.

use std::error::Error;
use std::io;

use fs_err as fs;

use crate::error::SandboxError;

/// A setting of the kernel, its value that denies user namespaces, and what to do.
const SETTINGS: [(&str, &str, &str); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0", "set the sysctl user.max_user_namespaces"),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "set the sysctl kernel.unprivileged_userns_clone to 1",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0, or allow this program in a profile",
    ),
];

/// What to do about a denied step, to be printed after its error. Empty for other errors, and where this machine does
/// not say why.
pub(crate) fn hint(error: &SandboxError) -> String {
    let denied = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).is_some_and(|cause| {
        matches!(cause.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::StorageFull)
    });
    if !denied {
        return String::new();
    }
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    of_settings(read).map_or_else(String::new, |advice| format!("; {advice}"))
}

/// The advice for a machine whose files in `/proc` read like this.
fn of_settings(read: impl Fn(&str) -> String) -> Option<String> {
    let is_filtered =
        read("/proc/self/status").lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
    if is_filtered {
        let advice = "a system-call filter denies this, such as that of a container; in Docker, pass \
                      --security-opt seccomp=unconfined, or a profile that allows mount, pivot_root, \
                      sethostname, setns, umount2 and unshare";
        return Some(advice.to_owned());
    }
    let denying = SETTINGS.iter().find(|(path, value, _)| read(path).trim() == *value);
    denying.map(|(_, _, advice)| (*advice).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(files: &[(&str, &str)]) -> Option<String> {
        of_settings(|path| {
            let file = files.iter().find(|(name, _)| *name == path);
            file.map_or_else(String::new, |(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_reason_for_a_denied_namespace_is_named() {
        let filtered =
            advice(&[("/proc/self/status", "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n")]).unwrap();
        assert!(filtered.contains("--security-opt seccomp=unconfined"), "{filtered}");
        for (path, value, expected) in SETTINGS {
            assert_eq!(advice(&[(path, &format!("{value}\n"))]).as_deref(), Some(expected));
        }
        let allowed =
            [("/proc/self/status", "Seccomp:\t0\n"), ("/proc/sys/user/max_user_namespaces", "95000\n")];
        assert_eq!(advice(&allowed), None);
    }
}
