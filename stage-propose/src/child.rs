//! Child processes in a group of their own, ended with every descendant.
//!
//! An agent starts browsers, servers and emulators, and those start more. Whatever they do (ignore the
//! signal that asks them to end, change their process group, start a session of their own, lose their
//! parent), none of them outlives [`Command::run`]: this process makes itself the one that adopts orphans,
//! so that on Linux every descendant can be found in `/proc`. Elsewhere the process group alone is ended.
//!
//! An orphan that also left its process group cannot be told apart from an orphan of another command that
//! runs at the same time; it is ended with the first of the two.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
#[cfg(target_os = "linux")]
use rustix::process::kill_process as send_signal;
#[cfg(not(target_os = "linux"))]
use rustix::process::kill_process_group as send_signal;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use common::interrupt::{Interrupt, Urgency};

/// How long processes have to end after they were asked to, before they are killed.
const GRACE: Duration = Duration::from_secs(5);
/// How long to go on killing. Only a process that the kernel itself holds up survives so long.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether the user interrupted, while nothing else happens.
const TICK: Duration = Duration::from_millis(100);
/// How often to look whether processes that were asked to end have done so.
const END_TICK: Duration = Duration::from_millis(20);
/// A longer line is handed over in pieces, so that a child cannot fill the memory.
const MAX_LINE_BYTES: u64 = 32 << 20;
/// Pieces of output read ahead of the one that is being handled.
const READ_AHEAD: usize = 16;

/// Why a command could not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    /// There is no such program.
    #[error("cannot find the program {0:?}")]
    NotFound(OsString),
    /// It is there, but may not be executed.
    #[error("the program {0:?} is not executable")]
    NotExecutable(OsString),
    /// The system refused for another reason.
    #[error("cannot start {program:?}")]
    Start {
        /// The program.
        program: OsString,
        /// The reason.
        source: io::Error,
    },
}

/// Which output a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How a command came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// Its time was up.
    TimedOut,
    /// The user interrupted.
    Interrupted,
    /// The function that was given its output wanted no more.
    CutOff,
}

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// How it came about.
    pub ending: Ending,
    /// How many descendants were still there after the command itself had exited, and were ended.
    pub left_behind: usize,
}

/// A command to run in a process group of its own, with nothing on its standard input.
#[derive(Debug)]
pub(crate) struct Command {
    inner: std::process::Command,
    time_limit: Option<Duration>,
    grace: Duration,
}

impl Command {
    /// A command without arguments and without a time limit.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = std::process::Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { inner: command, time_limit: None, grace: GRACE }
    }

    /// Adds arguments.
    #[must_use]
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.inner.args(args);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    /// Sets its working directory.
    #[must_use]
    pub(crate) fn current_dir(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    /// Ends it after so long.
    #[must_use]
    pub(crate) fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// How long its processes have to end after they were asked to, before they are killed.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Runs it to its end, and ends whatever it left behind. `on_line` is given each line of its output as
    /// it comes, line feed included; a line of more than 32 MiB in pieces.
    ///
    /// The command is in a process group of its own, so the terminal's Ctrl-C reaches this process alone: an
    /// `interrupt` ends the command, a second one kills it at once.
    pub(crate) fn run(
        mut self,
        interrupt: &Interrupt,
        mut on_line: impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
    ) -> Result<Ended, ChildError> {
        let deadline = self.time_limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut child = Running::start(&mut self.inner)?;
        let events = child.events();
        let cause = watch(&events, deadline, interrupt, &mut on_line);

        // From here on its output is still wanted, for the log, but can no longer change the outcome.
        let mut drain = |patience| drain(&events, patience, &mut on_line);
        let (ending, left_behind) = if let Some(ending) = cause {
            child.end_all(self.grace, interrupt, &mut drain);
            (ending, 0)
        } else {
            let status = child.wait(&self.inner)?;
            (Ending::Exited(status), child.end_all(self.grace, interrupt, &mut drain))
        };
        drain_until(&events, Instant::now() + KILL_PATIENCE, &mut on_line);
        Ok(Ended { ending, left_behind })
    }
}

/// What happens while a command runs.
enum Event {
    Line(Stream, Vec<u8>),
    Exited,
}

/// Handles output until the command exits (`None`), or must be ended.
fn watch(
    events: &Receiver<Event>,
    deadline: Option<Instant>,
    interrupt: &Interrupt,
    on_line: &mut impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
) -> Option<Ending> {
    loop {
        if interrupt.urgency().is_some() {
            return Some(Ending::Interrupted);
        }
        let left = deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Some(Ending::TimedOut);
        }
        match events.recv_timeout(left.min(TICK)) {
            Ok(Event::Line(stream, line)) => {
                if on_line(stream, &line).is_break() {
                    return Some(Ending::CutOff);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Event::Exited) | Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Handles output for as long as this, so that no process waits for room in a pipe.
fn drain(
    events: &Receiver<Event>,
    time: Duration,
    on_line: &mut impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
) {
    let until = Instant::now() + time;
    if !drain_until(events, until, on_line) {
        // Nobody is left who could write. Keep the pace that was asked for.
        thread::sleep(until.saturating_duration_since(Instant::now()));
    }
}

/// Handles output until the pipes are closed or the time is up. Returns whether they are still open.
fn drain_until(
    events: &Receiver<Event>,
    until: Instant,
    on_line: &mut impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
) -> bool {
    while Instant::now() < until {
        match events.recv_deadline(until) {
            Ok(Event::Line(stream, line)) => {
                let _ = on_line(stream, &line);
            }
            Ok(Event::Exited) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// A command that was started and not yet waited for.
struct Running {
    child: Child,
    pid: Pid,
    waited: bool,
}

impl Running {
    fn start(command: &mut std::process::Command) -> Result<Self, ChildError> {
        use std::os::unix::process::CommandExt;

        adopt_orphans();
        command.process_group(0);
        // Locked over both steps: a child that nobody knows yet would pass for an orphan.
        let mut commands = commands();
        let child = command.spawn().map_err(|source| start_error(command, source))?;
        let pid = Pid::from_child(&child);
        commands.insert(pid.as_raw_nonzero().get());
        Ok(Self { child, pid, waited: false })
    }

    /// Threads read both outputs and wait for the exit. They end by themselves once no process holds the
    /// pipes any more.
    fn events(&mut self) -> Receiver<Event> {
        let (sender, events) = crossbeam_channel::bounded(READ_AHEAD);
        if let Some(out) = self.child.stdout.take() {
            let sender = sender.clone();
            thread::spawn(move || send_lines(Stream::Out, out, &sender));
        }
        if let Some(err) = self.child.stderr.take() {
            let sender = sender.clone();
            thread::spawn(move || send_lines(Stream::Err, err, &sender));
        }
        let pid = self.pid;
        thread::spawn(move || {
            // It stays a zombie, so its number stays its own until `wait`.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let wait = || rustix::process::waitid(WaitId::Pid(pid), options);
            while matches!(wait(), Err(rustix::io::Errno::INTR)) {}
            // Nobody listens any more once the command was given up.
            drop(sender.send(Event::Exited));
        });
        events
    }

    fn wait(&mut self, command: &std::process::Command) -> Result<ExitStatus, ChildError> {
        let status = self.child.wait().map_err(|source| start_error(command, source))?;
        self.waited = true;
        Ok(status)
    }

    /// Asks every process of the command to end, and kills those that have not done so in time. Returns how
    /// many there were.
    fn end_all(&mut self, grace: Duration, interrupt: &Interrupt, drain: &mut impl FnMut(Duration)) -> usize {
        let asked = self.signal_all(Signal::TERM);
        let until = Instant::now() + grace;
        while Instant::now() < until && interrupt.urgency() != Some(Urgency::Stop) && self.any_left() {
            drain(END_TICK);
        }
        let until = Instant::now() + KILL_PATIENCE;
        while self.signal_all(Signal::KILL) > 0 && Instant::now() < until {
            drain(END_TICK);
        }
        asked
    }

    fn any_left(&mut self) -> bool {
        self.reap();
        !self.processes().is_empty()
    }

    fn signal_all(&mut self, signal: Signal) -> usize {
        self.reap();
        let processes = self.processes();
        for pid in &processes {
            // It may just have ended, or belong to another user: neither can be helped.
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

    /// The command, which stands for its group.
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

/// The commands that run at this moment.
fn commands() -> MutexGuard<'static, BTreeSet<i32>> {
    static COMMANDS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
    COMMANDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Descendants that lose their parent become children of this process. Without that they would become
/// children of init, and be out of reach.
fn adopt_orphans() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    });
}

fn start_error(command: &std::process::Command, source: io::Error) -> ChildError {
    let program = command.get_program().to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => ChildError::NotFound(program),
        io::ErrorKind::PermissionDenied => ChildError::NotExecutable(program),
        _ => ChildError::Start { program, source },
    }
}

fn send_lines(stream: Stream, output: impl Read, events: &Sender<Event>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        // An error is the end of what can be had, like the end itself.
        if !matches!(output.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line), Ok(1..)) {
            return;
        }
        if events.send(Event::Line(stream, line)).is_err() {
            return;
        }
    }
}

#[cfg(target_os = "linux")]
mod descendants {
    //! Who descends from a command, as `/proc` has it (`proc_pid_stat(5)`).

    use std::collections::BTreeSet;

    use rustix::process::{Pid, WaitOptions};

    struct Process {
        pid: i32,
        parent: i32,
        group: i32,
        zombie: bool,
    }

    /// The processes of the command `pid` that have not ended.
    pub(super) fn of(pid: Pid, commands: &BTreeSet<i32>) -> Vec<Pid> {
        let command = pid.as_raw_nonzero().get();
        let us = rustix::process::getpid().as_raw_nonzero().get();
        let our_group = rustix::process::getpgrp().as_raw_nonzero().get();
        let all = processes();

        // Children of ours in our own group were started by someone else in this program.
        let orphan = |p: &Process| {
            p.parent == us
                && p.group != our_group
                && !commands.contains(&p.pid)
                && (p.group == command || !commands.contains(&p.group))
        };
        let mut found: BTreeSet<i32> = all
            .iter()
            .filter(|p| p.pid == command || p.group == command || orphan(p))
            .map(|p| p.pid)
            .collect();
        loop {
            let before = found.len();
            found.extend(all.iter().filter(|p| found.contains(&p.parent)).map(|p| p.pid).collect::<Vec<_>>());
            if found.len() == before {
                break;
            }
        }
        for zombie in all.iter().filter(|p| p.zombie && orphan(p)) {
            let _ = rustix::process::waitpid(Pid::from_raw(zombie.pid), WaitOptions::NOHANG);
        }
        all.iter()
            .filter(|p| !p.zombie && found.contains(&p.pid))
            .filter_map(|p| Pid::from_raw(p.pid))
            .collect()
    }

    fn processes() -> Vec<Process> {
        let Ok(entries) = fs_err::read_dir("/proc") else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(process)
            .collect()
    }

    fn process(pid: i32) -> Option<Process> {
        let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may itself hold spaces and parentheses.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let zombie = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some(Process { pid, parent, group, zombie })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests share a process, and an orphan is ended with the first command that ends.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script]).grace(Duration::from_millis(200))
    }

    /// Runs it and returns how it ended and what it wrote to standard output.
    fn run(command: Command) -> (Ended, String) {
        let mut out = Vec::new();
        let ended = command.run(&Interrupt::default(), |stream, line| {
            if stream == Stream::Out {
                out.extend_from_slice(line);
            }
            ControlFlow::Continue(())
        });
        (ended.expect("it starts"), String::from_utf8(out).expect("text"))
    }

    fn is_running(pid: &str) -> bool {
        fs_err::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.starts_with(" Z")))
    }

    #[track_caller]
    fn check_all_ended(pids: &str) {
        assert!(!pids.is_empty(), "the script tells its processes");
        for pid in pids.split_ascii_whitespace() {
            assert!(!is_running(pid), "process {pid} of {pids:?} is still there");
        }
    }

    fn status(ended: Ended) -> Option<i32> {
        match ended.ending {
            Ending::Exited(status) => status.code(),
            _ => None,
        }
    }

    #[test]
    fn output_comes_whole_and_standard_input_is_closed() {
        let _alone = alone();
        let (ended, out) = run(shell("echo one; echo no >&2; cat; printf two; exit 7"));
        assert_eq!((status(ended), out.as_str(), ended.left_behind), (Some(7), "one\ntwo", 0));
    }

    #[test]
    fn a_program_that_cannot_be_started_says_why() {
        let _alone = alone();
        let dir = tempfile::tempdir().expect("a directory");
        let plain = dir.path().join("plain");
        fs_err::write(&plain, "no program").expect("a file");
        let go = |_: Stream, _: &[u8]| ControlFlow::Continue(());
        let missing = Command::new(dir.path().join("missing")).run(&Interrupt::default(), go);
        assert!(matches!(missing, Err(ChildError::NotFound(_))), "{missing:?}");
        let plain = Command::new(plain).run(&Interrupt::default(), go);
        assert!(matches!(plain, Err(ChildError::NotExecutable(_))), "{plain:?}");
    }

    #[test]
    fn what_is_left_behind_is_ended() {
        let _alone = alone();
        let (ended, pids) = run(shell("sleep 600 & echo $!; setsid sleep 600 & echo $!"));
        assert_eq!((status(ended), ended.left_behind >= 2), (Some(0), true));
        check_all_ended(&pids);
    }

    #[test]
    fn a_time_limit_ends_it() {
        let _alone = alone();
        let (ended, _) = run(shell("sleep 600").time_limit(Duration::from_millis(50)));
        assert_eq!(ended.ending, Ending::TimedOut);
    }

    #[test]
    fn those_are_ended_who_ignore_it_or_hide() {
        let _alone = alone();
        let stubborn = "trap '' TERM; echo $$; while :; do sleep 600; done";
        let script = format!(
            "(setsid sh -c \"{0}\" &) ; sh -c \"{0}\" & echo $$; trap '' TERM; while :; do sleep 600; done",
            stubborn.replace('$', "\\$")
        );
        let mut pids = String::new();
        let ended = shell(&script).run(&Interrupt::default(), |_, line| {
            pids.push_str(&String::from_utf8_lossy(line));
            if pids.lines().count() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(ended.expect("it starts").ending, Ending::CutOff);
        check_all_ended(&pids);
    }

    #[test]
    fn an_interrupt_ends_it() {
        let _alone = alone();
        let interrupt = Interrupt::default();
        let mut pids = String::new();
        let ended = shell("echo $$; sleep 600").run(&interrupt, |_, line| {
            pids.push_str(&String::from_utf8_lossy(line));
            interrupt.raise();
            ControlFlow::Continue(())
        });
        assert_eq!(ended.expect("it starts").ending, Ending::Interrupted);
        check_all_ended(&pids);
    }

    #[test]
    fn output_without_end_can_be_cut_off() {
        let _alone = alone();
        let mut bytes = 0;
        let ended = Command::new("yes").run(&Interrupt::default(), |_, line| {
            bytes += line.len();
            if bytes > 10_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(ended.expect("it starts").ending, Ending::CutOff);
    }

    #[test]
    fn commands_at_the_same_time_leave_each_other_alone() {
        let _alone = alone();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (ended, out) = run(shell("sleep 0.05; echo done"));
                    assert_eq!((status(ended), out.as_str()), (Some(0), "done\n"));
                });
            }
        });
    }
}
