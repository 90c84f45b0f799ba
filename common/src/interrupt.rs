//! Ctrl-C: the first one asks a stage to finish what it has begun, the second to stop at once.

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

/// How hard somebody wants the stage to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Begin nothing new; what has been begun is finished and kept.
    Drain,
    /// Drop everything.
    Stop,
}

/// Tells whoever listens that the stage was interrupted. Clones are one and the same.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Default)]
struct Inner {
    raised: AtomicUsize,
    listeners: Mutex<Vec<Listener>>,
}

impl Interrupt {
    /// One that nothing raises but [`Interrupt::raise`].
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGINT, SIGTERM and SIGHUP raise, the last only if it is not ignored, as nohup(1) wants it. A
    /// third signal ends the process as if nobody had caught it.
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
                    // It returns for signals that are ignored by default alone, and these are not.
                    drop(low_level::emulate_default_handler(signal));
                }
                raised.raise();
            }
        })?;
        Ok(interrupt)
    }

    /// Interrupts, or insists.
    pub fn raise(&self) {
        let listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.raised.fetch_add(1, Ordering::SeqCst);
        if let Some(urgency) = self.urgency() {
            listeners.iter().for_each(|listener| listener(urgency));
        }
    }

    /// Whether it was raised, and how often.
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

    /// A channel that is closed once it was raised to this urgency, for whoever waits for other things as well.
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
