//! What an agent says while it works, and what to make of its end.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::child::{Ending, Stream};
use common::text::shorten;
use common::ui::{Progress, Ui};

use crate::claude::{self, Event, Summary, ToolUse};

/// How many of the last lines of standard error a message quotes.
const TAIL_LINES: usize = 5;
/// How much of what a tool is used on fits into the live line.
const MAX_TARGET_CHARS: usize = 70;
/// How much of what the agent says a message quotes.
const MAX_QUOTE_CHARS: usize = 500;

/// What is known of a phase from what the agent says.
pub(crate) struct Report {
    streams_json: bool,
    started: Instant,
    /// What earlier phases cost, in US dollars.
    cost_before: f64,
    /// Folders that go without saying, the inner ones first.
    familiar: Vec<String>,
    turns: u64,
    last_message: String,
    summary: Option<Summary>,
    /// The last lines of standard error.
    tail: VecDeque<String>,
    /// Pages that the agent was not yet seen to open.
    unread: Vec<String>,
    pages: usize,
}

impl Report {
    /// A report of an agent that was started this moment, and is to read these pages. Paths below the
    /// `familiar` folders, the inner ones first, are shown without them.
    pub(crate) fn new(streams_json: bool, cost_before: f64, pages: &[String], familiar: &[&Path]) -> Self {
        Self {
            streams_json,
            started: Instant::now(),
            cost_before,
            familiar: familiar.iter().map(|dir| format!("{}/", dir.display())).collect(),
            turns: 0,
            last_message: String::new(),
            summary: None,
            tail: VecDeque::new(),
            unread: pages.to_vec(),
            pages: pages.len(),
        }
    }

    /// Takes in a line and shows what the agent is doing. Returns the session's id when the agent names it.
    pub(crate) fn line(&mut self, stream: Stream, line: &[u8], progress: &Progress) -> Option<String> {
        if stream == Stream::Err {
            self.complaint(line);
            return None;
        }
        if !self.streams_json {
            self.show(&shorten(String::from_utf8_lossy(line).trim(), MAX_TARGET_CHARS), progress);
            progress.inc(1);
            return None;
        }
        match claude::event(line)? {
            Event::Init { session } => return Some(session),
            Event::Message { id, uses } => self.message(id, &uses, progress),
            Event::Result(summary) => self.summary = Some(summary),
        }
        None
    }

    fn message(&mut self, id: String, uses: &[ToolUse], progress: &Progress) {
        for tool_use in uses {
            self.unread.retain(|page| !opens(&tool_use.target, page));
            self.show(&self.doing(tool_use), progress);
        }
        if self.last_message != id {
            self.last_message = id;
            self.turns += 1;
            progress.inc(1);
        }
    }

    /// What the agent is doing, for people.
    fn doing(&self, ToolUse { tool, target }: &ToolUse) -> String {
        let target = self.familiar.iter().fold(target.clone(), |target, dir| target.replace(dir, ""));
        format!("{tool} {}", shorten(&target, MAX_TARGET_CHARS))
    }

    fn show(&self, what: &str, progress: &Progress) {
        // How long it has taken stands beside it anyway.
        let cost = dollars(self.cost_before);
        progress.message(format_args!("{cost}{}{what}", if cost.is_empty() { "" } else { ": " }));
    }

    fn complaint(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim().to_owned();
        if line.is_empty() {
            return;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// What the phase cost, in US dollars, as far as the agent said.
    pub(crate) fn cost(&self) -> f64 {
        self.summary.as_ref().map_or(0.0, |summary| summary.total_cost_usd)
    }

    /// What the phase took, for people.
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

    /// Warns if the agent was not seen to open every page of the notes in `dir`.
    pub(crate) fn tell_unread(&self, ui: &Ui, dir: &Path) {
        if self.streams_json && !self.unread.is_empty() {
            let names = self.unread.iter().map(Path::new).map(|page| page.strip_prefix(dir).unwrap_or(page));
            ui.warn(format_args!(
                "the agent was not seen to open {} of the {} pages of notes: {}",
                self.unread.len(),
                self.pages,
                names.map(Path::to_string_lossy).collect::<Vec<_>>().join(", ")
            ));
        }
    }

    /// What went wrong, if anything did.
    pub(crate) fn failure(&self, ending: Ending, limit: Duration) -> Option<PhaseFailure> {
        let fails = |code, what: String| Some(PhaseFailure { code, what, resumable: true });
        let status = match ending {
            Ending::Exited(status) => status,
            Ending::Interrupted => return fails("interrupted", "was interrupted".to_owned()),
            Ending::TimedOut => {
                return fails(
                    "phase_timed_out",
                    format!("took longer than {} s and was ended", limit.as_secs()),
                );
            }
            Ending::CutOff => {
                return fails("phase_failed", "was ended, since its log could not be kept".to_owned());
            }
        };
        let quote = self.quote();
        if !status.success()
            && let Some(failure) = PhaseFailure::of_session(&quote)
        {
            return Some(failure);
        }
        match &self.summary {
            Some(summary) if summary.is_error => fails("phase_error", format!("ended in an error: {quote}")),
            _ if !status.success() => fails("phase_failed", bad_exit(status, &quote)),
            None if self.streams_json => fails("phase_failed", "ended without a result".to_owned()),
            _ => None,
        }
    }

    /// What the agent says went wrong.
    fn quote(&self) -> String {
        let tail = self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        let quote = match &self.summary {
            Some(summary) if summary.is_error => summary.complaint(),
            _ => tail,
        };
        shorten(&quote, MAX_QUOTE_CHARS).into_owned()
    }
}

/// Why a phase did not come to its end.
pub(crate) struct PhaseFailure {
    pub(crate) code: &'static str,
    /// What happened, to follow "the phase".
    pub(crate) what: String,
    /// Whether it can be gone on from here.
    pub(crate) resumable: bool,
}

impl PhaseFailure {
    /// What Claude Code 2.1 says if it cannot have the session, in these words and in no other way.
    fn of_session(quote: &str) -> Option<Self> {
        let (code, advice) = if quote.contains("Session ID") && quote.contains("is already in use") {
            ("session_in_use", "leave out --session-id for a new one")
        } else if quote.contains("No conversation found with session ID") {
            ("session_unknown", "sessions belong to a user and a workspace; start from phase 1 for a new one")
        } else {
            return None;
        };
        Some(Self { code, what: format!("did not start: {quote}: {advice}"), resumable: false })
    }
}

fn bad_exit(status: ExitStatus, quote: &str) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    };
    if quote.is_empty() { how } else { format!("{how}: {quote}") }
}

/// US dollars, for people. Nothing, where an agent does not say what it costs.
fn dollars(cost: f64) -> String {
    if cost > 0.0 { format!("${cost:.2}") } else { String::new() }
}

/// A number of things, for people.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Whether a tool that is used on `target` opens the page: by its name, or by a pattern for all.
fn opens(target: &str, page: &str) -> bool {
    let name = page.rsplit('/').next().unwrap_or(page);
    target.contains(name) || target.contains("*.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_line_shows_what_is_not_obvious() {
        let report = Report::new(true, 0.5, &[], &[Path::new("/w/envs/demo_env"), Path::new("/w")]);
        let check = |target: &str, shown: &str| {
            let tool_use = ToolUse { tool: "Use".to_owned(), target: target.to_owned() };
            assert_eq!(report.doing(&tool_use), format!("Use {shown}"));
        };
        check("/w/envs/demo_env/tasks/a/verifier.py", "tasks/a/verifier.py");
        check("diff /w/a /elsewhere/b", "diff a /elsewhere/b");
        check(&"x".repeat(100), &format!("{}…", "x".repeat(MAX_TARGET_CHARS)));
    }
}
