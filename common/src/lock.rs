//! The lock of a stage on a run directory: a lock of the kernel, or, on file systems without them, a file.
//!
//! The kernel releases its lock when the process ends. The file, `.STAGE.holder`, names a process. It is removed with
//! the lock; after `kill -9` it stays, and the next process on the same machine sees that its holder has ended.

use std::fs::TryLockError;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;

use fs_err as fs;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The exclusive use of a run directory by one stage. It ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct Lock {
    /// The file with the lock of the kernel, which is held while it is open.
    file: fs::File,
    /// The file that stands for the lock where the kernel has none.
    holder: Option<PathBuf>,
}

/// Why a lock cannot be taken.
pub(crate) enum LockError {
    /// Another process has it.
    Taken {
        /// The process, for people.
        holder: String,
        /// The file that its end may leave behind.
        file: Option<PathBuf>,
    },
    /// The file of the lock cannot be read or written.
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Lock {
    /// Takes the lock of the stage with this short name below `root`.
    pub(crate) fn take(root: &Path, stage: &str) -> Result<Self, LockError> {
        let path = root.join(format!(".{stage}.lock"));
        let file = fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
        let holder = match file.try_lock() {
            Ok(()) => None,
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
                return Err(LockError::Taken { holder, file: None });
            }
            Err(TryLockError::Error(error)) if is_unsupported(&error) => {
                let path = root.join(format!(".{stage}.holder"));
                take_file(&path)?;
                Some(path)
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        };
        let mut lock = Self { file, holder };
        lock.name_holder()?;
        Ok(lock)
    }

    fn name_holder(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        writeln!(self.file, "{}", process::id())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(holder) = &self.holder {
            // If it stays, the next process sees that its holder has ended.
            fs::remove_file(holder).ok();
        }
    }
}

/// Whether the error says that the file system has no locks.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS))
}

/// Creates the file that stands for a lock. One whose holder has ended is removed.
fn take_file(path: &Path) -> Result<(), LockError> {
    let own = Holder::this_process();
    // Another process may take the place of the one that has ended. Then the file is read again.
    loop {
        match fs::OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(mut file) => return Ok(file.write_all(own.line().as_bytes())?),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        let line = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            line => line?,
        };
        // A file without a complete line belongs to a process that is writing it.
        if !Holder::parse(&line).is_some_and(|holder| holder.has_ended(&own)) {
            let holder = Holder::parse(&line).map_or_else(String::new, |holder| holder.name());
            return Err(LockError::Taken { holder, file: Some(path.to_owned()) });
        }
        remove_if_unchanged(path, &line, &own)?;
    }
}

/// Removes the file if it still has this content. It is moved away before it is read, so that of two processes only
/// one removes it.
fn remove_if_unchanged(path: &Path, content: &str, own: &Holder) -> io::Result<()> {
    let mut away = path.as_os_str().to_owned();
    away.push(format!(".{}.{}", own.host, own.pid));
    match fs::rename(path, &away) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        moved => moved?,
    }
    if fs::read_to_string(&away)? != content
        && renameat_with(CWD, Path::new(&away), CWD, path, RenameFlags::NOREPLACE).is_ok()
    {
        return Ok(());
    }
    fs::remove_file(&away)
}

/// A process that holds a lock, as its file names it.
#[derive(PartialEq, Eq)]
struct Holder {
    pid: u32,
    host: String,
    /// When it was started, in ticks since the start of the machine: process ids are used again. Empty if unknown.
    started: String,
}

impl Holder {
    fn this_process() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().replace(char::is_whitespace, "");
        let pid = process::id();
        Self { pid, host, started: started(pid) }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_suffix('\n')?.split(' ');
        let (pid, host, started) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
        Some(Self { pid, host: host.to_owned(), started: started.to_owned() })
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.pid, self.host, self.started)
    }

    fn name(&self) -> String {
        format!("{} on {}", self.pid, self.host)
    }

    /// Whether the process has ended, as far as can be seen from the process `here`.
    fn has_ended(&self, here: &Self) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return false };
        self.host == here.host
            && (test_kill_process(pid) == Err(Errno::SRCH) || started(self.pid) != self.started)
    }
}

/// When a process was started, in ticks since the start of the machine (field 22 of `proc_pid_stat(5)`).
fn started(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is a name in parentheses, which may hold spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_ascii_whitespace().nth(19).unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::thread;

    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    use super::*;

    /// Calls `work` on a thread whose calls of flock(2) fail.
    pub(crate) fn without_locks<R: Send>(errno: i32, work: impl FnOnce() -> R + Send) -> R {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                let denied = [(libc::SYS_flock, Vec::new())].into();
                let (allow, errno) = (SeccompAction::Allow, SeccompAction::Errno(errno.unsigned_abs()));
                let arch = std::env::consts::ARCH.try_into().unwrap();
                let filter: BpfProgram =
                    SeccompFilter::new(denied, allow, errno, arch).unwrap().try_into().unwrap();
                seccompiler::apply_filter(&filter).unwrap();
                work()
            });
            done.join().unwrap()
        })
    }

    fn taken(root: &Path) -> String {
        match Lock::take(root, "amplify") {
            Err(LockError::Taken { holder, file }) => {
                assert_eq!(file, Some(root.join(".amplify.holder")));
                holder
            }
            Err(LockError::Io(error)) => panic!("{error}"),
            Ok(_) => panic!("the lock is free"),
        }
    }

    #[test]
    fn e2_a_file_stands_for_the_lock_where_the_kernel_has_none() {
        for errno in [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS] {
            let dir = tempfile::tempdir().unwrap();
            without_locks(errno, || {
                let lock = Lock::take(dir.path(), "amplify").ok().unwrap();
                assert_eq!(taken(dir.path()), Holder::this_process().name());
                assert!(Lock::take(dir.path(), "extract").is_ok());
                drop(lock);
                assert!(Lock::take(dir.path(), "amplify").is_ok());
            });
        }
    }

    #[test]
    fn the_lock_of_a_process_that_has_ended_is_free_but_not_that_of_another_machine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".amplify.holder");
        let Holder { pid, host, started } = Holder::this_process();
        let take = |line: String| {
            fs::write(&path, line).unwrap();
            without_locks(libc::ENOLCK, || Lock::take(dir.path(), "amplify").is_ok())
        };
        let mut ended = process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        assert!(take(format!("{} {host} 1\n", ended.id())));
        // The id was used again.
        assert!(take(format!("{pid} {host} {started}0\n")));
        assert!(!take(format!("{pid} {host} {started}\n")));
        assert!(!take(format!("{} elsewhere 1\n", ended.id())));
        assert!(!take(format!("{pid}")));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn other_errors_of_the_lock_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        without_locks(libc::EIO, || match Lock::take(dir.path(), "amplify") {
            Err(LockError::Io(error)) => assert_eq!(error.raw_os_error(), Some(libc::EIO)),
            _ => panic!("an error is expected"),
        });
    }
}
