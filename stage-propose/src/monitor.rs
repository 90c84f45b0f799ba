//! Follows the output of an agent during a phase, and evaluates its end.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use common::text::shorten;
use common::ui::{Progress, Ui};

use crate::agent::claude::{self, StreamEvent, Summary, ToolUse};
use crate::process::{EndCause, Stream};

/// How many of the last lines of standard error a message quotes.
const TAIL_LINES: usize = 5;
/// The longest target of a tool call that the progress line shows, in characters.
const MAX_TARGET_CHARS: usize = 70;
/// The longest quote of the agent in a message, in characters.
const MAX_QUOTE_CHARS: usize = 500;

/// What the agent's output says about a phase.
pub(crate) struct PhaseMonitor {
    streams_json: bool,
    started: Instant,
    /// The cost of earlier phases, in US dollars.
    cost_before: f64,
    /// Prefixes that are cut from paths, the inner ones first.
    prefixes: Vec<String>,
    turns: u64,
    last_message: String,
    summary: Option<Summary>,
    /// The last lines of standard error.
    tail: VecDeque<String>,
    /// Pages that the agent has not opened yet.
    unread: Vec<String>,
    pages: usize,
}

impl PhaseMonitor {
    /// Starts now, for an agent that has to read these pages. Paths below `folders`, the inner ones first, are shown
    /// relative to them.
    pub(crate) fn new(streams_json: bool, cost_before: f64, pages: &[String], folders: &[&Path]) -> Self {
        Self {
            streams_json,
            started: Instant::now(),
            cost_before,
            prefixes: folders.iter().map(|dir| format!("{}/", dir.display())).collect(),
            turns: 0,
            last_message: String::new(),
            summary: None,
            tail: VecDeque::new(),
            unread: pages.to_vec(),
            pages: pages.len(),
        }
    }

    /// Handles a line of output, and updates the progress line. Returns the session's id if the line names it.
    pub(crate) fn line(&mut self, stream: Stream, line: &[u8], progress: &Progress) -> Option<String> {
        if stream == Stream::Stderr {
            self.add_to_tail(line);
            return None;
        }
        if !self.streams_json {
            self.show(&shorten(String::from_utf8_lossy(line).trim(), MAX_TARGET_CHARS), progress);
            progress.inc(1);
            return None;
        }
        match claude::event(line)? {
            StreamEvent::Init { session } => return Some(session),
            StreamEvent::Message { id, uses } => self.message(id, &uses, progress),
            StreamEvent::Result(summary) => self.summary = Some(summary),
        }
        None
    }

    fn message(&mut self, id: String, uses: &[ToolUse], progress: &Progress) {
        for tool_use in uses {
            self.unread.retain(|page| !opens(&tool_use.target, page));
            self.show(&self.describe(tool_use), progress);
        }
        if self.last_message != id {
            self.last_message = id;
            self.turns += 1;
            progress.inc(1);
        }
    }

    /// A tool call, for people.
    fn describe(&self, ToolUse { tool, target }: &ToolUse) -> String {
        let target = self.prefixes.iter().fold(target.clone(), |target, dir| target.replace(dir, ""));
        format!("{tool} {}", shorten(&target, MAX_TARGET_CHARS))
    }

    fn show(&self, what: &str, progress: &Progress) {
        // The progress line has the elapsed time already.
        let cost = dollars(self.cost_before);
        progress.message(format_args!("{cost}{}{what}", if cost.is_empty() { "" } else { ": " }));
    }

    fn add_to_tail(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim().to_owned();
        if line.is_empty() {
            return;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The cost of the phase, in US dollars; 0 if the agent did not report it.
    pub(crate) fn cost(&self) -> f64 {
        self.summary.as_ref().map_or(0.0, |summary| summary.total_cost_usd)
    }

    /// Turns, time and cost of the phase, for people.
    pub(crate) fn summary(&self) -> String {
        let turns = self.summary.as_ref().map_or(self.turns, |summary| summary.num_turns);
        let mut parts = vec![format!("{:.1} min", self.started.elapsed().as_secs_f64() / 60.0)];
        if self.streams_json {
            parts.insert(0, count(turns, "turn", "turns"));
        }
        parts.push(dollars(self.cost()));
        parts.retain(|part| !part.is_empty());
        parts.join(", ")
    }

    /// Warns if the agent did not open every page of the notes in `dir`.
    pub(crate) fn warn_of_unread_pages(&self, ui: &Ui, dir: &Path) {
        if self.streams_json && !self.unread.is_empty() {
            let names = self.unread.iter().map(Path::new).map(|page| page.strip_prefix(dir).unwrap_or(page));
            ui.warn(format_args!(
                "no tool call of the agent opened {} of the {} pages of notes: {}",
                self.unread.len(),
                self.pages,
                names.map(Path::to_string_lossy).collect::<Vec<_>>().join(", ")
            ));
        }
    }

    /// Why the phase failed, if it did.
    pub(crate) fn failure(&self, cause: EndCause, limit: Duration) -> Option<PhaseFailure> {
        match cause {
            EndCause::Exited(status) => self.failure_of_exit(status),
            EndCause::Interrupted => Some(PhaseFailure::resumable("interrupted", "was interrupted")),
            EndCause::TimedOut => {
                let what = format!("exceeded its time limit of {} s and was ended", limit.as_secs());
                Some(PhaseFailure::resumable("phase_timed_out", what))
            }
            EndCause::CutOff => {
                let what = "was ended because its log could not be written";
                Some(PhaseFailure::resumable("phase_failed", what))
            }
        }
    }

    fn failure_of_exit(&self, status: ExitStatus) -> Option<PhaseFailure> {
        let quote = self.quote();
        if !status.success()
            && let Some(failure) = PhaseFailure::of_session(&quote)
        {
            return Some(failure);
        }
        match &self.summary {
            Some(summary) if summary.is_error => {
                Some(PhaseFailure::resumable("phase_error", format!("ended with an error: {quote}")))
            }
            _ if !status.success() => {
                Some(PhaseFailure::resumable("phase_failed", describe_exit(status, &quote)))
            }
            None if self.streams_json => {
                Some(PhaseFailure::resumable("phase_failed", "ended without a result"))
            }
            _ => None,
        }
    }

    /// The agent's own error message.
    fn quote(&self) -> String {
        let tail = self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        let quote = match &self.summary {
            Some(summary) if summary.is_error => summary.error_text(),
            _ => tail,
        };
        shorten(&quote, MAX_QUOTE_CHARS).into_owned()
    }
}

/// Why a phase failed.
pub(crate) struct PhaseFailure {
    pub(crate) code: &'static str,
    /// What happened, as a predicate of "phase N".
    pub(crate) what: String,
    /// Whether the session can be resumed from this phase.
    pub(crate) resumable: bool,
}

impl PhaseFailure {
    fn resumable(code: &'static str, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), resumable: true }
    }

    /// Recognises the messages of Claude Code 2.1 about a session that it cannot use. Nothing else tells this.
    fn of_session(quote: &str) -> Option<Self> {
        let (code, advice) = if quote.contains("Session ID") && quote.contains("is already in use") {
            ("session_in_use", "remove --session-id to start a new one")
        } else if quote.contains("No conversation found with session ID") {
            (
                "session_unknown",
                "sessions belong to a user and a workspace; start from phase 1 to create a new one",
            )
        } else {
            return None;
        };
        Some(Self { code, what: format!("did not start: {quote}: {advice}"), resumable: false })
    }
}

fn describe_exit(status: ExitStatus, quote: &str) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    };
    if quote.is_empty() { how } else { format!("{how}: {quote}") }
}

/// US dollars, for people; empty if the agent does not report its cost.
fn dollars(cost: f64) -> String {
    if cost > 0.0 { format!("${cost:.2}") } else { String::new() }
}

/// A number with its noun, for people.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Whether a tool call with this target opens the page: by its name, or by a pattern for all pages.
fn opens(target: &str, page: &str) -> bool {
    let name = page.rsplit('/').next().unwrap_or(page);
    target.contains(name) || target.contains("*.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_line_shows_relative_paths() {
        let monitor = PhaseMonitor::new(true, 0.5, &[], &[Path::new("/w/envs/demo_env"), Path::new("/w")]);
        let check = |target: &str, shown: &str| {
            let tool_use = ToolUse { tool: "Use".to_owned(), target: target.to_owned() };
            assert_eq!(monitor.describe(&tool_use), format!("Use {shown}"));
        };
        check("/w/envs/demo_env/tasks/a/verifier.py", "tasks/a/verifier.py");
        check("diff /w/a /elsewhere/b", "diff a /elsewhere/b");
        check(&"x".repeat(100), &format!("{}…", "x".repeat(MAX_TARGET_CHARS)));
    }
}
