//! Ctrl-C: the first asks a stage to finish what it has started, the second to stop at once.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

type Listener = Box<dyn Fn(Urgency) + Send>;

/// How urgently the stage was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Start nothing new; finish and keep what was started.
    Drain,
    /// Drop everything.
    Stop,
}

/// Notifies listeners that the stage was interrupted. Clones share their state.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Default)]
struct Inner {
    raised: AtomicUsize,
    listeners: Mutex<Vec<Listener>>,
}

impl Interrupt {
    /// An interrupt that only [`Interrupt::raise`] raises.
    pub fn new() -> Self {
        Self::default()
    }

    /// An interrupt that SIGINT, SIGTERM and SIGHUP raise; SIGHUP only if it is not ignored, so that nohup(1) works.
    /// A third signal ends the process with the default action of the signal.
    pub fn on_signals() -> io::Result<Self> {
        let interrupt = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        if !is_ignored(SIGHUP) {
            signals.add_signal(SIGHUP)?;
        }
        let raised = interrupt.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in &mut signals {
                if raised.urgency() == Some(Urgency::Stop) {
                    // It only returns for signals whose default action is to be ignored. These end the process.
                    drop(low_level::emulate_default_handler(signal));
                }
                raised.raise();
            }
        })?;
        Ok(interrupt)
    }

    /// Interrupts, or makes an earlier interrupt more urgent.
    pub fn raise(&self) {
        let listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.raised.fetch_add(1, Ordering::SeqCst);
        if let Some(urgency) = self.urgency() {
            listeners.iter().for_each(|listener| listener(urgency));
        }
    }

    /// How urgent the interrupt is; `None` if it was not raised.
    pub fn urgency(&self) -> Option<Urgency> {
        match self.0.raised.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Urgency::Drain),
            _ => Some(Urgency::Stop),
        }
    }

    /// Calls `listener` whenever it is raised, and now if it has been.
    pub fn listen(&self, listener: impl Fn(Urgency) + Send + 'static) {
        let mut listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(urgency) = self.urgency() {
            listener(urgency);
        }
        listeners.push(Box::new(listener));
    }

    /// A channel that is closed once it was raised to this urgency, for use in a `select!`.
    pub fn closed_at(&self, urgency: Urgency) -> Receiver<Infallible> {
        let (open, closed) = bounded(0);
        let open = Mutex::new(Some(open));
        self.listen(move |now| {
            if now >= urgency {
                drop(open.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
        });
        closed
    }
}

/// Whether this process was started with the signal ignored (`proc_pid_status(5)`, `SigIgn`).
fn is_ignored(signal: i32) -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
