//! The terminal on standard error, which several processes may share.
//!
//! The stages of a pipe write to one terminal, and so do `make` and custom stages. Two rules keep it readable:
//!
//! - One process draws at a time. It holds a lock on the terminal device itself (`flock(2)`), which the kernel
//!   releases however the process ends; then another stage takes its turn.
//! - The cursor waits above the rows that are drawn, in an empty row. A line that any process writes begins
//!   there, and our own lines clear what is below first. The next drawing appears below the line.
//!
//! Crates for progress bars leave the cursor behind their last row, so a line of another process would be
//! appended to it.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use fs_err::{File, OpenOptions};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::termios::tcgetwinsize;

use super::row::cut;

/// Where the terminal does not know its width.
const DEFAULT_WIDTH: usize = 80;

/// Clears the row of the cursor and all below it.
const CLEAR: &str = "\r\x1b[J";

/// How often the rows are drawn.
pub(super) const TICK: Duration = Duration::from_millis(200);

/// The terminal, as far as this process may draw on it.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    /// Held while this process draws.
    turn: Option<Turn>,
}

#[derive(Debug)]
enum Turn {
    /// The open terminal, which is locked.
    Locked { _device: File },
    /// This terminal cannot be locked.
    Unlocked,
}

impl Terminal {
    /// Draws the rows, if it is this process's turn, or can be.
    pub(super) fn draw(&mut self, rows: impl FnOnce(usize) -> Vec<String>) {
        if self.turn.is_none() {
            self.turn = take_turn();
        }
        if self.turn.is_none() {
            return;
        }
        // Terminals differ in what they do after a character in the last column.
        let width = width().saturating_sub(1);
        let rows = rows(width);
        let mut frame = "\r\x1b[K".to_owned();
        for row in &rows {
            frame.push('\n');
            frame.push_str(&cut(row, width));
            frame.push_str("\x1b[K");
        }
        frame.push_str("\x1b[J");
        let back = if rows.is_empty() { String::new() } else { format!("\x1b[{}A\r", rows.len()) };
        write(&(frame + &back));
    }

    /// Removes the rows, and lets another process draw.
    pub(super) fn end(&mut self) {
        if self.turn.take().is_some() {
            write(CLEAR);
        }
    }
}

/// Whether rows can be drawn at all.
pub(super) fn is_there() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes a line to standard error, above what any process may have drawn there. A stage goes on if standard error
/// is closed.
pub fn write_line(line: &str) {
    let clear = if is_there() { CLEAR } else { "" };
    write(&format!("{clear}{line}\n"));
}

/// One call of write(2), so that nothing of other processes gets in between.
fn write(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// The right to draw, if no other process has it. The terminal is opened anew: a lock belongs to what was opened,
/// and the stages of a pipe inherit what their shell opened.
fn take_turn() -> Option<Turn> {
    let Ok(device) = OpenOptions::new().write(true).open("/proc/self/fd/2") else {
        return Some(Turn::Unlocked);
    };
    match flock(&device, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Some(Turn::Locked { _device: device }),
        Err(Errno::WOULDBLOCK) => None,
        Err(_) => Some(Turn::Unlocked),
    }
}

fn width() -> usize {
    let columns = tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { DEFAULT_WIDTH } else { columns }
}
