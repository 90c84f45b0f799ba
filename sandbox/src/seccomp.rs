//! The system calls that a run may make.
//!
//! This is a list of allowed calls, so that the calls of newer kernels are denied. Any other call fails as on a
//! kernel without it (`ENOSYS`). Libraries handle that: the C library falls back from `clone3`, whose flags a
//! filter cannot see, to `clone`.
//!
//! The kernel compiles the filter for each run, and evaluates it for every number there is. So it has to be short: calls
//! that are allowed whatever their arguments are compared as ranges of numbers, not one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use libc::{
    AF_UNIX, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
    CLONE_NEWUTS, PR_CAPBSET_READ, PR_GET_DUMPABLE, PR_GET_NAME, PR_SET_NAME, PR_SET_VMA,
};
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use crate::error::{Action, SandboxError};

/// The descriptor of a run's report, which the run can neither close nor replace. Programs seldom use one as high.
pub(crate) const REPORT: i32 = 250;

/// The filter as an array of `struct sock_filter`, in hexadecimal digits.
pub(crate) fn program() -> Result<String, SandboxError> {
    digits().map_err(io::Error::other).action("build the system-call filter")
}

fn digits() -> Result<String, Error> {
    let mut digits = String::new();
    for step in steps()? {
        let [code_0, code_1] = step.code.to_ne_bytes();
        let [k_0, k_1, k_2, k_3] = step.k.to_ne_bytes();
        for byte in [code_0, code_1, step.jt, step.jf, k_0, k_1, k_2, k_3] {
            // Writing to a String does not fail.
            let _ = write!(digits, "{byte:02x}");
        }
    }
    Ok(digits)
}

fn steps() -> Result<BpfProgram, Error> {
    let absent = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch: TargetArch = std::env::consts::ARCH.try_into().map_err(Error::Backend)?;
    let filter = SeccompFilter::new(rules()?, absent, SeccompAction::Allow, arch).map_err(Error::Backend)?;
    let mut program: BpfProgram = filter.try_into().map_err(Error::Backend)?;
    let by_arguments = program.split_off(HEAD);
    program.extend(ranges().into_iter().flat_map(allow));
    program.extend(by_arguments);
    Ok(program)
}

/// The first steps of any filter: three that end the process if it uses another processor's calls, and one that loads
/// the number of the call.
const HEAD: usize = 4;

/// The calls that are allowed whatever their arguments are, as ranges of numbers in ascending order.
fn ranges() -> Vec<(u32, u32)> {
    let mut numbers: Vec<u32> =
        ALLOWED.iter().chain(ALLOWED_HERE).filter_map(|call| u32::try_from(*call).ok()).collect();
    numbers.sort_unstable();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

/// The steps that allow a range of numbers.
fn allow((first, last): (u32, u32)) -> [sock_filter; 3] {
    [
        sock_filter { code: AT_LEAST, jt: 0, jf: 2, k: first },
        sock_filter { code: ABOVE, jt: 1, jf: 0, k: last },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: SeccompAction::Allow.into() },
    ]
}

/// `BPF_JMP | BPF_JGE | BPF_K`: jumps if the number is at least the operand.
const AT_LEAST: u16 = 0x35;

/// `BPF_JMP | BPF_JGT | BPF_K`: jumps if the number is above the operand.
const ABOVE: u16 = 0x25;

/// `BPF_RET | BPF_K`: ends with the operand as the decision.
const RETURN: u16 = 0x06;

/// The calls that are allowed with some arguments only.
fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    let mut rules = BTreeMap::new();
    let namespaces = CLONE_NEWCGROUP
        | CLONE_NEWIPC
        | CLONE_NEWNET
        | CLONE_NEWNS
        | CLONE_NEWPID
        | CLONE_NEWUSER
        | CLONE_NEWUTS;
    let bits = u64::from(namespaces.unsigned_abs());
    rules.insert(libc::SYS_clone, vec![only(0, SeccompCmpOp::MaskedEq(bits), 0)?]);
    rules.insert(libc::SYS_socket, vec![only(0, SeccompCmpOp::Eq, u64::from(AF_UNIX.unsigned_abs()))?]);
    // Reading a limit is allowed, setting one is not.
    let no_new_limit =
        SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0).map_err(Error::Backend)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![no_new_limit]).map_err(Error::Backend)?]);
    // The pipe of the report can be neither closed nor replaced, so that its token cannot be intercepted.
    let report = u64::from(REPORT.unsigned_abs());
    rules.insert(libc::SYS_close, vec![only(0, SeccompCmpOp::Ne, report)?]);
    rules.insert(libc::SYS_close_range, vec![only(0, SeccompCmpOp::Gt, report)?]);
    rules.insert(libc::SYS_dup3, vec![only(1, SeccompCmpOp::Ne, report)?]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_dup2, vec![only(1, SeccompCmpOp::Ne, report)?]);
    // Leases and notifications would affect other users of a file.
    let fcntl = FCNTL.map(|command| only(1, SeccompCmpOp::Eq, u64::from(command.unsigned_abs())));
    rules.insert(libc::SYS_fcntl, fcntl.into_iter().collect::<Result<_, _>>()?);
    let harmless = [PR_CAPBSET_READ, PR_GET_DUMPABLE, PR_GET_NAME, PR_SET_NAME, PR_SET_VMA];
    let prctl = harmless.map(|option| only(0, SeccompCmpOp::Eq, u64::from(option.unsigned_abs())));
    rules.insert(libc::SYS_prctl, prctl.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Allows a call if one of its arguments compares like this.
fn only(argument: u8, compares: SeccompCmpOp, to: u64) -> Result<SeccompRule, Error> {
    let condition =
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compares, to).map_err(Error::Backend)?;
    SeccompRule::new(vec![condition]).map_err(Error::Backend)
}

/// The commands of `fcntl` that concern a descriptor, a pipe or a lock on a byte range.
const FCNTL: [i32; 11] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_GETPIPE_SZ,
    libc::F_SETPIPE_SZ,
];

/// The calls that Python and its packages need, on any processor.
///
/// Not among them: `sync`, which makes the whole machine wait; `flock`, which works on files of the machine that
/// are readable only; `memfd_create`, whose memory no limit counts; `sendmsg`, which can send descriptors: a socket in a
/// message outlives its processes, and with it its name in the network namespace, which the next run shares.
const ALLOWED: &[i64] = &[
    // Files.
    libc::SYS_chdir,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fchdir,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fdatasync,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fsetxattr,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getxattr,
    libc::SYS_ioctl,
    libc::SYS_lgetxattr,
    libc::SYS_linkat,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_lseek,
    libc::SYS_lsetxattr,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_sendfile,
    libc::SYS_setxattr,
    libc::SYS_splice,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_write,
    libc::SYS_writev,
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munmap,
    // Processes and threads.
    libc::SYS_capget,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getpriority,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_getsid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_kill,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_tkill,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // Time, random numbers and system information.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getitimer,
    libc::SYS_getrandom,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_setitimer,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
    // Waiting, and communication between the processes of a run.
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
];

/// Older forms of the same calls, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = &[
    libc::SYS_access,
    libc::SYS_alarm,
    libc::SYS_arch_prctl,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_creat,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_fork,
    libc::SYS_futimesat,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pause,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_vfork,
];

#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter decides of a call, as the kernel evaluates it.
    fn decision(steps: &[sock_filter], number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = number.to_ne_bytes().to_vec();
        data.extend(steps[1].k.to_ne_bytes());
        data.extend([0; 8]);
        data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut value) = (0, 0_u32);
        loop {
            let step = &steps[at];
            at += 1;
            let jumps = match u32::from(step.code) {
                0x20 => {
                    let start = step.k as usize;
                    value = u32::from_ne_bytes(data[start..start + 4].try_into().unwrap());
                    continue;
                }
                0x54 => {
                    value &= step.k;
                    continue;
                }
                0x05 => {
                    at += step.k as usize;
                    continue;
                }
                0x06 => return step.k,
                0x15 => value == step.k,
                0x25 => value > step.k,
                0x35 => value >= step.k,
                code => panic!("unknown step {code:#x}"),
            };
            at += usize::from(if jumps { step.jt } else { step.jf });
        }
    }

    #[test]
    fn exactly_the_calls_on_the_list_are_allowed() {
        let steps = steps().unwrap();
        let (allowed, absent) = (0x7fff_0000, 0x5_0000 | libc::ENOSYS.unsigned_abs());
        let listed: Vec<i64> = ALLOWED.iter().chain(ALLOWED_HERE).copied().collect();
        let by_arguments = rules().unwrap();
        for number in (0..1024).chain(0x4000_0000..0x4000_0400).chain([u32::MAX]) {
            let call = i64::from(number);
            if !by_arguments.contains_key(&call) {
                let expected = if listed.contains(&call) { allowed } else { absent };
                assert_eq!(decision(&steps, number, [0; 6]), expected, "call {number}");
            }
        }
        let of = |call: i64, arguments| decision(&steps, u32::try_from(call).unwrap(), arguments);
        let (report, other) = (REPORT.unsigned_abs().into(), 3);
        let inet = libc::AF_INET.unsigned_abs().into();
        let lease = libc::F_SETLEASE.unsigned_abs().into();
        let space = CLONE_NEWUSER.unsigned_abs().into();
        for (call, good, bad) in [
            (libc::SYS_close, [other, 0, 0, 0, 0, 0], [report, 0, 0, 0, 0, 0]),
            (libc::SYS_dup3, [other, other, 0, 0, 0, 0], [other, report, 0, 0, 0, 0]),
            (libc::SYS_close_range, [report + 1, 999, 0, 0, 0, 0], [other, 999, 0, 0, 0, 0]),
            (libc::SYS_socket, [1, 1, 0, 0, 0, 0], [inet, 1, 0, 0, 0, 0]),
            (libc::SYS_fcntl, [other, 1, 0, 0, 0, 0], [other, lease, 0, 0, 0, 0]),
            (libc::SYS_clone, [0x11, 0, 0, 0, 0, 0], [space, 0, 0, 0, 0, 0]),
            (libc::SYS_prlimit64, [0, 7, 0, 1, 0, 0], [0, 7, 1, 0, 0, 0]),
            (libc::SYS_prctl, [15, 0, 0, 0, 0, 0], [22, 2, 0, 0, 0, 0]),
        ] {
            assert_eq!((of(call, good), of(call, bad)), (allowed, absent), "call {call}");
        }
    }

    #[test]
    fn a13_calls_that_affect_the_whole_machine_are_not_allowed() {
        for call in [libc::SYS_sync, libc::SYS_syncfs, libc::SYS_flock, libc::SYS_memfd_create] {
            assert!(!ALLOWED.contains(&call) && !rules().unwrap().contains_key(&call));
        }
    }
}
