//! Shows the status of a piece of work until it ends: as rows on a terminal, or as a line now and then.

use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::row::{duration, fit, text};
use super::terminal::{self, TICK};
use super::{Status, Ui};
use crate::text::escape;

/// A thread that shows a status. It ends when this is dropped.
pub(super) struct Display {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    pub(super) fn start(ui: &Ui, status: impl Fn() -> Status + Send + 'static) -> Self {
        let (end, ended) = channel::<()>();
        let mut shown = Shown::new(ui);
        let tick = TICK.min(ui.interval);
        // Without the thread only the progress is missing.
        let thread = thread::Builder::new().name("display".to_owned()).spawn(move || {
            while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                shown.update(&status());
            }
            shown.ui.terminal().end();
        });
        Self { end: Some(end), thread: thread.ok() }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Display").finish_non_exhaustive()
    }
}

/// What was shown of a piece of work.
struct Shown {
    ui: Ui,
    has_terminal: bool,
    /// What it had progressed to, and since when.
    moved: u64,
    moved_at: Instant,
    /// When a line was last written, and what it had progressed to then.
    written_at: Instant,
    written: u64,
    /// How long a pause is until it is explained, or explained again.
    patience: Duration,
}

impl Shown {
    fn new(ui: &Ui) -> Self {
        let now = Instant::now();
        Self {
            ui: ui.clone(),
            has_terminal: terminal::is_there(),
            moved: 0,
            moved_at: now,
            written_at: now,
            written: 0,
            patience: ui.interval,
        }
    }

    fn update(&mut self, status: &Status) {
        if status.moved != self.moved {
            self.moved = status.moved;
            self.moved_at = Instant::now();
            self.patience = self.ui.interval;
        }
        if self.has_terminal {
            self.draw(status);
        } else {
            self.write(status);
        }
    }

    /// Draws the rows. A stage that has nothing to show yet leaves the terminal to the others.
    fn draw(&self, status: &Status) {
        if status.parts.is_empty() {
            return;
        }
        let pause = self.pause(status, self.ui.interval);
        let rows = |width| {
            let row = fit(self.ui.stage, &status.parts, width);
            [Some(row), pause.map(|pause| format!("  {pause}"))].into_iter().flatten().collect()
        };
        self.ui.terminal().draw(rows);
    }

    /// Writes a line about progress once in the interval, and about a pause after the interval, twice the interval and
    /// so on.
    fn write(&mut self, status: &Status) {
        if let Some(pause) = self.pause(status, self.patience) {
            self.patience = self.patience.saturating_mul(2);
            self.ui.info(pause);
        } else if self.written_at.elapsed() < self.ui.interval || status.moved == self.written {
            return;
        }
        self.written_at = Instant::now();
        self.written = status.moved;
        self.ui.info(text(&status.parts));
    }

    /// Why nothing has progressed for longer than this, if that is so.
    fn pause(&self, status: &Status, patience: Duration) -> Option<String> {
        let reason = status.reason.as_deref()?;
        let pause = self.moved_at.elapsed();
        (pause >= patience).then(|| format!("no progress for {}: {}", duration(pause), escape(reason)))
    }
}
