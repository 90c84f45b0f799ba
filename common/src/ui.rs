//! What a stage tells the person who runs it, on standard error.
//!
//! Standard output carries records and nothing else. Here go lines of text, each with the stage's name in
//! front, and progress: rows that are drawn again and again where a person is looking at a terminal, now and
//! then a plain line otherwise.
//!
//! The stages of a pipe share a terminal. One of them draws at a time: the first that has something to show,
//! until it ends. See [`terminal`].

mod display;
mod row;
mod terminal;

use std::fmt::Display as Show;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::text::escape;

use self::display::Display;
use self::terminal::Terminal;

pub use self::row::{Part, duration};
pub use self::terminal::write_line;

/// How much a stage says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings and errors only.
    Quiet,
    /// What was done, too.
    Normal,
    /// What is being done, too.
    Verbose,
}

/// The way to the person's eyes. Cloning it is cheap; any thread may use it.
#[derive(Clone, Debug)]
pub struct Ui {
    stage: &'static str,
    verbosity: Verbosity,
    /// The time between two progress lines, and until a pause is explained.
    interval: Duration,
    terminal: Arc<Mutex<Terminal>>,
    errors: Arc<AtomicU64>,
}

/// What a piece of work shows at one moment.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What stands in the progress row; empty while there is nothing to show.
    pub parts: Vec<Part>,
    /// Something that differs whenever the work has progressed.
    pub moved: u64,
    /// Why the work does not progress, should it not.
    pub reason: Option<String>,
}

impl Ui {
    /// The `Ui` of the stage with this name. `interval` is the time between two progress lines where nothing is
    /// drawn, and the time without progress after which the reason is shown.
    pub fn new(stage: &'static str, verbosity: Verbosity, interval: Duration) -> Self {
        Self { stage, verbosity, interval, terminal: Arc::default(), errors: Arc::default() }
    }

    /// Says what is being done, to those who asked for it.
    pub fn debug(&self, message: impl Show) {
        if self.verbosity >= Verbosity::Verbose {
            self.line(&message);
        }
    }

    /// Says what was done.
    pub fn info(&self, message: impl Show) {
        if self.verbosity >= Verbosity::Normal {
            self.line(&message);
        }
    }

    /// Says what may be wrong.
    pub fn warn(&self, message: impl Show) {
        self.line(&format_args!("warning: {message}"));
    }

    /// Says what is wrong.
    pub fn error(&self, message: impl Show) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.line(&format_args!("error: {message}"));
    }

    /// How many errors were reported. A stage that reported any does not end as if all were done.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Shows what `status` returns, until the result is dropped. It is asked several times a second.
    pub fn watch(&self, status: impl Fn() -> Status + Send + 'static) -> Watched {
        Watched { _display: (self.verbosity > Verbosity::Quiet).then(|| Display::start(self, status)) }
    }

    /// Shows the progress of a long piece of work: `what` is done, such as `verifying`, and of how many.
    /// Without a `total` it counts.
    pub fn progress(&self, what: &str, total: Option<u64>) -> Progress {
        let counter = Arc::new(Counter {
            what: what.to_owned(),
            total,
            done: AtomicU64::new(0),
            message: Mutex::default(),
            since: Instant::now(),
        });
        let shown = Arc::clone(&counter);
        Progress { counter, _shown: self.watch(move || shown.status()) }
    }

    fn line(&self, message: &dyn Show) {
        let line = format!("{}: {}", self.stage, escape(&message.to_string()));
        // Nothing is drawn meanwhile.
        let _terminal = self.terminal();
        write_line(&line);
    }

    fn terminal(&self) -> MutexGuard<'_, Terminal> {
        self.terminal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece of work that is shown. It disappears when it is dropped.
#[derive(Debug)]
#[must_use = "it is shown until it is dropped"]
pub struct Watched {
    _display: Option<Display>,
}

/// The progress of one piece of work. It disappears when it is dropped.
#[derive(Debug)]
pub struct Progress {
    counter: Arc<Counter>,
    _shown: Watched,
}

impl Progress {
    /// `count` more are done.
    pub fn inc(&self, count: u64) {
        self.counter.done.fetch_add(count, Ordering::Relaxed);
    }

    /// Sets what stands beside the count.
    pub fn message(&self, message: impl Show) {
        *self.counter.message() = escape(&message.to_string()).into_owned();
    }
}

#[derive(Debug)]
struct Counter {
    what: String,
    total: Option<u64>,
    done: AtomicU64,
    message: Mutex<String>,
    since: Instant,
}

impl Counter {
    fn status(&self) -> Status {
        let done = self.done.load(Ordering::Relaxed);
        if done == 0 && self.total.is_none() {
            return Status::default();
        }
        let of = self.total.map(|total| format!("/{total}")).unwrap_or_default();
        let bar = self.total.map(|total| Part::bar(done, total));
        let elapsed = Part::new(2, duration(self.since.elapsed()));
        let message = Some(self.message().clone()).filter(|message| !message.is_empty());
        let parts = [bar, Some(Part::new(0, format!("{} {done}{of}", self.what))), Some(elapsed)];
        let parts = parts.into_iter().flatten().chain(message.map(|message| Part::new(1, message)));
        Status { parts: parts.collect(), moved: done, reason: None }
    }

    fn message(&self) -> MutexGuard<'_, String> {
        self.message.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
