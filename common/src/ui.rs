//! What a stage tells the person who runs it, on standard error.
//!
//! Standard output carries records and nothing else. Here go lines of text, each with the stage's name in
//! front, and progress: a bar where a person is looking at a terminal, now and then a plain line otherwise.
//! In a pipe only the last stage draws a bar, so that four stages do not draw over one another.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::fs::FileType;

use crate::text::escape;

/// How often a progress line is written without a bar.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

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
    /// Hidden where no bar is drawn.
    bars: MultiProgress,
    errors: Arc<AtomicU64>,
}

impl Ui {
    /// The `Ui` of the stage with this name.
    pub fn new(stage: &'static str, verbosity: Verbosity) -> Self {
        let draws = verbosity > Verbosity::Quiet && io::stderr().is_terminal() && !stdout_is_pipe();
        let target = if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { stage, verbosity, bars: MultiProgress::with_draw_target(target), errors: Arc::default() }
    }

    /// Says what is being done, to those who asked for it.
    pub fn debug(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            self.line(&message);
        }
    }

    /// Says what was done.
    pub fn info(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            self.line(&message);
        }
    }

    /// Says what may be wrong.
    pub fn warn(&self, message: impl Display) {
        self.line(&format_args!("warning: {message}"));
    }

    /// Says what is wrong.
    pub fn error(&self, message: impl Display) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.line(&format_args!("error: {message}"));
    }

    /// How many errors were reported. A stage that reported any does not end as if all were done.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Shows the progress of a long piece of work: `what` is done, such as `verifying`, and of how many.
    /// Without a `total` it counts.
    pub fn progress(&self, what: &str, total: Option<u64>) -> Progress {
        let bar = ProgressBar::new(total.unwrap_or(0));
        if let Ok(style) = ProgressStyle::with_template(match total {
            Some(_) => "{prefix} {bar:30} {pos}/{len} {elapsed} {wide_msg}",
            None => "{prefix} {spinner} {pos} {elapsed} {wide_msg}",
        }) {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{}: {what}", self.stage));
        let bar = self.bars.add(bar);
        bar.enable_steady_tick(Duration::from_millis(200));
        let plain = Mutex::new(Plain { written: Instant::now(), message: String::new() });
        Progress {
            ui: self.clone(),
            what: what.to_owned(),
            total,
            done: AtomicU64::new(0),
            bar,
            plain: Arc::new(plain),
        }
    }

    fn line(&self, message: &dyn Display) {
        let line = format!("{}: {}\n", self.stage, escape(&message.to_string()));
        // The stage goes on if standard error is closed.
        self.bars.suspend(|| drop(io::stderr().lock().write_all(line.as_bytes())));
    }
}

/// The progress of one piece of work. It disappears when it is dropped.
#[derive(Debug)]
pub struct Progress {
    ui: Ui,
    what: String,
    total: Option<u64>,
    done: AtomicU64,
    bar: ProgressBar,
    plain: Arc<Mutex<Plain>>,
}

#[derive(Debug)]
struct Plain {
    written: Instant,
    message: String,
}

impl Progress {
    /// `count` more are done.
    pub fn inc(&self, count: u64) {
        self.bar.inc(count);
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        if self.bar.is_hidden() {
            self.plain_line(done);
        }
    }

    /// Sets what stands beside the count.
    pub fn message(&self, message: impl Display) {
        let message = escape(&message.to_string()).into_owned();
        if self.bar.is_hidden() {
            self.plain.lock().unwrap_or_else(PoisonError::into_inner).message = message;
        } else {
            self.bar.set_message(message);
        }
    }

    fn plain_line(&self, done: u64) {
        let mut plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if plain.written.elapsed() < PLAIN_INTERVAL {
            return;
        }
        plain.written = Instant::now();
        let of = self.total.map(|total| format!("/{total}")).unwrap_or_default();
        let seconds = self.bar.elapsed().as_secs();
        let separator = if plain.message.is_empty() { "" } else { ", " };
        let what = &self.what;
        self.ui.info(format_args!("{what}: {done}{of} after {seconds} s{separator}{}", plain.message));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn stdout_is_pipe() -> bool {
    rustix::fs::fstat(io::stdout().as_fd())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}
