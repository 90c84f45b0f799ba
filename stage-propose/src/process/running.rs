//! A command that runs: its processes are started, found, signalled and reaped here.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::interrupt::{Interrupt, Urgency};
use crossbeam_channel::{Receiver, Sender};
#[cfg(target_os = "linux")]
use rustix::process::kill_process as send_signal;
#[cfg(not(target_os = "linux"))]
use rustix::process::kill_process_group as send_signal;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

#[cfg(target_os = "linux")]
use super::descendants;
use super::end::ProcessError;
use super::output::{Event, Output, Stream, send_lines};

/// How long to repeat SIGKILL. Only a process that is blocked in the kernel survives that long.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// How often to check whether signalled processes have ended.
const END_TICK: Duration = Duration::from_millis(20);

/// Lines read ahead of the one that is being handled.
const READ_AHEAD: usize = 16;

/// A command that was started and has not been waited for.
pub(super) struct Running {
    child: Child,
    pid: Pid,
    waited: bool,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Result<Self, ProcessError> {
        adopt_orphans();
        command.process_group(0);
        // Locked over both steps: a child that is not registered yet would be taken for an orphan.
        let mut commands = commands();
        let child = command.spawn().map_err(|source| start_error(command, source))?;
        let pid = Pid::from_child(&child);
        commands.insert(pid.as_raw_nonzero().get());
        Ok(Self { child, pid, waited: false })
    }

    /// The events of the command. Threads read both outputs and wait for the exit. They end by themselves when no
    /// process holds the pipes any more.
    pub(super) fn events(&mut self) -> Receiver<Event> {
        let (sender, events) = crossbeam_channel::bounded(READ_AHEAD);
        if let Some(stdout) = self.child.stdout.take() {
            let sender = sender.clone();
            thread::spawn(move || send_lines(Stream::Stdout, stdout, &sender));
        }
        if let Some(stderr) = self.child.stderr.take() {
            let sender = sender.clone();
            thread::spawn(move || send_lines(Stream::Stderr, stderr, &sender));
        }
        let pid = self.pid;
        thread::spawn(move || send_exit(pid, &sender));
        events
    }

    pub(super) fn wait(&mut self, command: &Command) -> Result<ExitStatus, ProcessError> {
        let status = self.child.wait().map_err(|source| start_error(command, source))?;
        self.waited = true;
        Ok(status)
    }

    /// Sends SIGTERM to every process of the command, and SIGKILL to those that are left after `grace`. Returns how
    /// many processes there were.
    pub(super) fn end_all<F: FnMut(Stream, &[u8]) -> ControlFlow<()>>(
        &mut self,
        grace: Duration,
        interrupt: &Interrupt,
        output: &mut Output<F>,
    ) -> usize {
        let signalled = self.signal_all(Signal::TERM);
        let until = Instant::now() + grace;
        while Instant::now() < until && interrupt.urgency() != Some(Urgency::Stop) && self.any_left() {
            output.drain(END_TICK);
        }
        let until = Instant::now() + KILL_PATIENCE;
        while self.signal_all(Signal::KILL) > 0 && Instant::now() < until {
            output.drain(END_TICK);
        }
        signalled
    }

    fn any_left(&mut self) -> bool {
        self.reap();
        !self.processes().is_empty()
    }

    fn signal_all(&mut self, signal: Signal) -> usize {
        self.reap();
        let processes = self.processes();
        for pid in &processes {
            // The process may have just ended, or may belong to another user. Neither can be changed.
            let _ = send_signal(*pid, signal);
        }
        processes.len()
    }

    fn reap(&mut self) {
        if !self.waited && matches!(self.child.try_wait(), Ok(Some(_))) {
            self.waited = true;
        }
    }

    /// Every process of the command that is still running.
    #[cfg(target_os = "linux")]
    fn processes(&self) -> Vec<Pid> {
        descendants::of(self.pid, &commands())
    }

    /// The command, which stands for its process group.
    #[cfg(not(target_os = "linux"))]
    fn processes(&self) -> Vec<Pid> {
        if self.waited { Vec::new() } else { vec![self.pid] }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.reap();
        commands().remove(&self.pid.as_raw_nonzero().get());
    }
}

fn send_exit(pid: Pid, events: &Sender<Event>) {
    // The process stays a zombie, so that its number is not reused before `wait`.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(rustix::process::waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
    // The receiver is gone if the command was ended first.
    drop(events.send(Event::Exited));
}

/// The process numbers of the commands that run now.
fn commands() -> MutexGuard<'static, BTreeSet<i32>> {
    static COMMANDS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
    COMMANDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes descendants that lose their parent children of this process. Otherwise they would become children of init,
/// and could not be found.
fn adopt_orphans() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    });
}

fn start_error(command: &Command, source: io::Error) -> ProcessError {
    let program = command.get_program().to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => ProcessError::NotFound(program),
        io::ErrorKind::PermissionDenied => ProcessError::NotExecutable(program),
        _ => ProcessError::Start { program, source },
    }
}
