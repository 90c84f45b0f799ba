//! Runs a program with limits on its time and on the output that is kept.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, bounded, select};
use memchr::memmem;
use rustix::process::{Pid, Signal, kill_process_group};

/// What limits a program.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// It is ended after this time.
    pub(crate) time: Duration,
    /// How many bytes of its output are kept; the rest is read and dropped.
    pub(crate) output: usize,
    /// Closed when it is to be ended at once.
    pub(crate) stop: Receiver<Infallible>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// By printing the line that was waited for.
    Marker,
    /// At the time limit.
    TimedOut,
    /// Because the stage was interrupted.
    Stopped,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) end: End,
    /// Standard output, and standard error where it was joined.
    pub(crate) stdout: Vec<u8>,
    /// The start of standard error.
    pub(crate) stderr: Vec<u8>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// How much of standard error is kept, in bytes.
const MAX_STDERR: usize = 16 << 10;

/// Where the output came from.
enum Chunk {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

/// Runs a program to its end, or until its output contains `marker` followed by a whole line. The rest of that line
/// is then part of the output.
pub(crate) fn run(
    mut command: Command,
    input: &[u8],
    marker: Option<&[u8]>,
    limits: &Limits,
) -> io::Result<Ran> {
    let started = Instant::now();
    // Ctrl-C must reach this program only. It ends the others when their work is done.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (chunks, arriving) = bounded(16);
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // A program that does not read its input ends the thread when it ends.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, chunks.clone(), Chunk::Out);
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, chunks, Chunk::Err);
    }
    let mut kept = Kept { stdout: Vec::new(), stderr: Vec::new(), tail: Vec::new(), limit: limits.output };
    let end = collect(&arriving, &mut kept, marker, limits);
    let end = match end {
        None => End::Exited(child.wait()?),
        Some(end) => {
            end_group(&mut child);
            end
        }
    };
    Ok(Ran { end, stdout: kept.stdout, stderr: kept.stderr, took: started.elapsed() })
}

/// Ends a program and all that it started in its group.
pub(crate) fn end_group(child: &mut Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    drop(child.wait());
}

/// Reads until both streams end: `None`. Or until there is another reason to end the program.
fn collect(
    arriving: &Receiver<Chunk>,
    kept: &mut Kept,
    marker: Option<&[u8]>,
    limits: &Limits,
) -> Option<End> {
    let deadline = after(limits.time);
    loop {
        select! {
            recv(arriving) -> chunk => match chunk {
                Ok(chunk) => kept.add(chunk),
                Err(_) => return None,
            },
            recv(deadline) -> _ => return Some(End::TimedOut),
            recv(limits.stop) -> _ => return Some(End::Stopped),
        }
        if marker.is_some_and(|marker| kept.has_line_after(marker)) {
            return Some(End::Marker);
        }
    }
}

/// The output that is kept: its start, and its end for the marker.
struct Kept {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    tail: Vec<u8>,
    limit: usize,
}

/// More than a marker and its line have.
const TAIL: usize = 256;

impl Kept {
    fn add(&mut self, chunk: Chunk) {
        match chunk {
            Chunk::Out(bytes) => {
                self.tail.extend_from_slice(&bytes);
                fill(&mut self.stdout, &bytes, self.limit);
            }
            Chunk::Err(bytes) => fill(&mut self.stderr, &bytes, MAX_STDERR),
        }
    }

    /// Whether the marker and the end of its line are in what arrived last. If its output is too long, the marker is
    /// appended to what is kept.
    fn has_line_after(&mut self, marker: &[u8]) -> bool {
        let found = memmem::find(&self.tail, marker);
        if let Some(line) = found.and_then(|start| self.tail.get(start..))
            && line.contains(&b'\n')
        {
            if self.stdout.len() >= self.limit {
                self.stdout.extend_from_slice(b"\n[output cut]\n");
                self.stdout.extend_from_slice(line);
            }
            return true;
        }
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        false
    }
}

/// Appends as much as the limit allows.
fn fill(kept: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let room = limit.saturating_sub(kept.len());
    kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

fn forward(mut stream: impl Read + Send + 'static, chunks: Sender<Chunk>, wrap: fn(Vec<u8>) -> Chunk) {
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
            let chunk = buffer.get(..count).unwrap_or_default().to_vec();
            if chunks.send(wrap(chunk)).is_err() {
                return;
            }
        }
    });
}
