//! From what the episodes of a task show to its issues.

use std::collections::BTreeMap;

use common::record::{HookRun, Issue, Outcome, Severity};
use serde_json::Value;
use task_spec::fixtures::{Fixture, Fixtures};

use crate::compare::{Equality, differences, value_of};
use crate::episode::{Action, Observed, Read};
use crate::image::{needs_network, tail};

/// How many differences are in a message. The record has more.
const IN_MESSAGE: usize = 5;

/// How much of a log is in a message, in characters. The record has more.
const LAST_LINES: usize = 600;

/// An episode, and what was done in it.
pub(crate) struct Ended {
    pub(crate) action: Action,
    pub(crate) observed: Observed,
}

impl Ended {
    fn name(&self) -> &str {
        &self.observed.record.name
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(self.observed.record.verdict.as_ref()?.outcome)
    }

    /// Whether the verifier passed it.
    pub(crate) fn passes(&self) -> bool {
        self.outcome() == Some(Outcome::Pass)
    }

    fn is_untouched(&self) -> bool {
        self.action == Action::Nothing
    }

    /// Whether the set-up ended well.
    pub(crate) fn is_set_up(&self) -> bool {
        self.observed.record.setup.as_ref().is_none_or(|setup| setup.exit == Some(0))
    }

    fn detail(&self) -> &str {
        self.observed.record.verdict.as_ref().map_or("", |verdict| verdict.detail.as_str())
    }
}

/// What the issues depend on, besides the episodes.
pub(crate) struct Context<'a> {
    pub(crate) fixtures: &'a Fixtures,
    /// Whether episodes have a network.
    pub(crate) has_network: bool,
    /// Whether the task has an export.
    pub(crate) exports: bool,
}

/// The issues of a task, errors first. Adds the differences to the episodes.
pub(crate) fn of_trial(episodes: &mut [Ended], context: &Context) -> Vec<Issue> {
    let mut found = Found::default();
    for episode in episodes.iter() {
        check_setup(episode, context, &mut found);
        check_screen(episode, &mut found);
        check_export(episode, context, &mut found);
    }
    check_fixtures(episodes, context.fixtures, &mut found);
    check_repetition(episodes, &mut found);
    for episode in episodes.iter().filter(|episode| episode.is_set_up()) {
        check_verdict(episode, &mut found);
        check_reads(episode, context, &mut found);
    }
    check_solution(episodes, &mut found);
    found.into_issues()
}

fn check_setup(episode: &Ended, context: &Context, found: &mut Found) {
    let record = &episode.observed.record;
    if let Some(setup) = record.setup.as_ref().filter(|setup| setup.exit != Some(0)) {
        let (code, what) = if setup.timed_out {
            ("setup_timeout", format!("the set-up did not end within {:.0} seconds", setup.seconds))
        } else {
            ("setup_failed", format!("the set-up ended with {}", status(setup)))
        };
        found.add(code, Severity::Error, episode, what, &last_lines(&setup.log));
    }
    let runs = [&record.setup, &record.solution, &record.export];
    let failed = runs.into_iter().flatten().filter(|run| run.exit != Some(0));
    let logs = episode.observed.logs.iter().map(|(_, log)| String::from_utf8_lossy(log));
    if !context.has_network && failed.count() > 0 && logs.into_iter().any(|log| needs_network(&log)) {
        let what = "a script needs a network, which tasks do not have".to_owned();
        found.add("network_needed", Severity::Error, episode, what, "");
    }
}

fn check_screen(episode: &Ended, found: &mut Found) {
    let Some(start) = &episode.observed.start else { return };
    // Without a screen, the application cannot be seen.
    if !episode.is_set_up() || start.png.is_none() {
        return;
    }
    let after = episode.observed.after.as_ref();
    if start.windows.is_empty() {
        let what = "no window is open after the set-up".to_owned();
        found.add("app_not_running", Severity::Error, episode, what, "");
    } else if episode.is_untouched() && after.is_some_and(|after| after.windows.is_empty()) {
        let what = "all windows are closed after the export, although nothing was done".to_owned();
        found.add("app_not_running", Severity::Error, episode, what, "");
    }
    if start.is_blank {
        let what = "the screen shows a single colour after the set-up".to_owned();
        found.add("blank_screen", Severity::Error, episode, what, "");
    }
    let dialogs: Vec<&str> =
        start.windows.iter().map(String::as_str).filter(|title| tells_an_error(title)).collect();
    if !dialogs.is_empty() {
        let what = "a window tells of an error after the set-up".to_owned();
        found.add("error_dialog", Severity::Warning, episode, what, &dialogs.join(", "));
    }
}

fn tells_an_error(title: &str) -> bool {
    let title = title.to_lowercase();
    ["error", "warning", "crash", "not responding", "exception"].iter().any(|sign| title.contains(sign))
}

fn check_export(episode: &Ended, context: &Context, found: &mut Found) {
    let observed = &episode.observed;
    if let Some(export) = observed.record.export.as_ref().filter(|export| export.exit != Some(0)) {
        let what = if export.timed_out {
            format!("the export did not end within {:.0} seconds", export.seconds)
        } else {
            format!("the export ended with {}", status(export))
        };
        found.add("export_failed", Severity::Error, episode, what, &last_lines(&export.log));
    } else if let Some(error) = observed.reads.iter().find_map(error_in) {
        found.add(
            "export_failed",
            Severity::Error,
            episode,
            "the export reports an error".to_owned(),
            &error,
        );
    } else if let Some(path) = missing_result(&observed.reads) {
        let what = format!("the verifier finds no {path} after the export");
        found.add("no_result", Severity::Error, episode, what, "");
    }
    if !context.exports || observed.record.export.is_none() {
        return;
    }
    let left = left_by_export(episode);
    if !left.is_empty() {
        let what = "processes of the export are still running after it".to_owned();
        found.add("leaves_processes", Severity::Warning, episode, what, &left.join(", "));
    }
}

/// The path of the first result, if the verifier found none of those that it looked for.
fn missing_result(reads: &[Read]) -> Option<&str> {
    let is_missing = reads.iter().all(|read| read.content.is_none());
    reads.first().filter(|_| is_missing).map(|read| read.path.as_str())
}

/// The error that a result reports in its field `error`.
fn error_in(read: &Read) -> Option<String> {
    let value = value_of(read.content.as_ref()?);
    let error = value.get("error")?.as_str()?.trim();
    (!error.is_empty()).then(|| common::text::escape(error).into_owned())
}

/// The id of the first process, to which processes go whose parent has ended.
const FIRST: u32 = 1;

/// The names of the processes that run after the export and did not run before it. Those that a program which ran
/// before it has started since, such as the helper of an application, are not the export's.
fn left_by_export(episode: &Ended) -> Vec<String> {
    let observed = &episode.observed;
    let before = observed.end.as_ref().or(observed.start.as_ref());
    let (Some(before), Some(after)) = (before, &observed.after) else { return Vec::new() };
    let is_old = |id: &u32| before.processes.contains_key(id);
    let new = after.processes.iter().filter(|(id, _)| !is_old(id));
    let of_export = new.filter(|(_, process)| {
        let mut ancestor = process.parent;
        while !is_old(&ancestor) {
            match after.processes.get(&ancestor) {
                Some(process) if process.parent < ancestor => ancestor = process.parent,
                _ => return true,
            }
        }
        ancestor == FIRST
    });
    of_export.map(|(_, process)| process.name.clone()).collect()
}

fn check_verdict(episode: &Ended, found: &mut Found) {
    let Some(verdict) = &episode.observed.record.verdict else { return };
    if let Some(fault) = episode.observed.fault {
        let what = format!("the verifier {}", fault.predicate());
        found.add("verifier_fails", Severity::Error, episode, what, episode.detail());
    }
    let score = verdict.score.unwrap_or(0.0);
    match &episode.action {
        Action::Nothing if verdict.outcome == Outcome::Pass => {
            let what = "the verifier passes a task of which nothing was done".to_owned();
            found.add("passes_untouched", Severity::Error, episode, what, episode.detail());
        }
        Action::Nothing if score > 0.0 => {
            let what = format!("the verifier gives a score of {score} when nothing was done");
            found.add("score_untouched", Severity::Warning, episode, what, episode.detail());
        }
        Action::Script(script) if script != SOLVE && verdict.outcome == Outcome::Pass => {
            let what = "the verifier passes a wrong solution".to_owned();
            found.add("wrong_solution_passes", Severity::Error, episode, what, episode.detail());
        }
        _ => {}
    }
}

/// The file of a solution.
pub(crate) const SOLVE: &str = "solve.sh";

/// A result that the export does not write is one of the set-up: the agent can see it, and change it.
fn check_reads(episode: &Ended, context: &Context, found: &mut Found) {
    if !episode.is_untouched() || !context.exports {
        return;
    }
    let reads = &episode.observed.reads;
    let results = reads.iter().filter(|read| read.content.is_some() && is_result(&read.path));
    let (written, stale): (Vec<_>, Vec<_>) = results.partition(|read| read.is_exported);
    let Some(first) = stale.first() else { return };
    let what = format!(
        "the verifier reads {}, which was there before the export and which it did not write",
        first.path
    );
    let severity = if written.is_empty() { Severity::Error } else { Severity::Warning };
    found.add("reads_setup_artifact", severity, episode, what, "");
}

fn is_result(path: &str) -> bool {
    path.starts_with("/tmp/") || path.to_lowercase().ends_with(".json")
}

fn check_fixtures(episodes: &mut [Ended], fixtures: &Fixtures, found: &mut Found) {
    for episode in episodes.iter_mut().filter(|episode| episode.is_set_up()) {
        let (fixture, equality, name) = match &episode.action {
            Action::Nothing => (fixtures.untouched.first(), Equality::ExceptTimes, "the untouched fixture"),
            _ if episode.passes() => (fixtures.golden.first(), Equality::Shape, "the golden fixture"),
            _ => continue,
        };
        let Some(fixture) = fixture else { continue };
        let all = fixture_differences(fixture, &episode.observed.reads, equality);
        if all.is_empty() {
            continue;
        }
        let shape = if equality == Equality::Shape { " has another shape than" } else { " differs from" };
        let what = format!("the result in the real software{shape} {name}");
        found.add("fixture_differs", Severity::Error, episode, what, &some(&all));
        episode.observed.record.differences.extend(all);
    }
}

fn fixture_differences(fixture: &Fixture, reads: &[Read], equality: Equality) -> Vec<String> {
    let mut all = Vec::new();
    for (path, expected) in &fixture.files {
        let Some(read) = reads.iter().find(|read| read.path == *path) else { continue };
        let Some(content) = &read.content else { continue };
        let found = match expected {
            Value::String(_) => Value::String(String::from_utf8_lossy(content).into_owned()),
            _ => value_of(content),
        };
        all.extend(differences(expected, &found, equality));
    }
    all
}

/// Compares all untouched episodes with the first one.
fn check_repetition(episodes: &mut [Ended], found: &mut Found) {
    let mut untouched = episodes.iter_mut().filter(|episode| episode.is_untouched() && episode.is_set_up());
    let Some(first) = untouched.next() else { return };
    for again in untouched {
        let mut all = Vec::new();
        for (one, other) in first.observed.reads.iter().zip(&again.observed.reads) {
            let (one, other) = (content(one), content(other));
            all.extend(differences(&one, &other, Equality::ExceptTimes));
        }
        let windows = |episode: &Ended| Value::from(episode.observed.record.windows.clone());
        let titles = differences(&windows(first), &windows(again), Equality::Exact);
        all.extend(titles.into_iter().map(|difference| format!("windows{difference}")));
        if first.outcome() != again.outcome() {
            all.push("the verdict".to_owned());
        }
        if !all.is_empty() {
            let what = "two runs of the set-up give different starts".to_owned();
            found.add("setup_not_repeatable", Severity::Error, again, what, &some(&all));
            again.observed.record.differences.extend(all);
        }
    }
}

fn content(read: &Read) -> Value {
    read.content.as_deref().map_or(Value::Null, value_of)
}

fn check_solution(episodes: &[Ended], found: &mut Found) {
    let is_plain =
        |episode: &&Ended| episode.action == Action::Script(SOLVE.to_owned()) && episode.is_set_up();
    let runs: Vec<&Ended> = episodes.iter().filter(is_plain).collect();
    let failed: Vec<&&Ended> = runs.iter().filter(|run| !run.passes()).collect();
    let restarted = episodes.iter().find(|episode| matches!(episode.action, Action::ScriptAndRestart(_)));
    let restart_fails = restarted.filter(|restarted| restarted.is_set_up() && !restarted.passes());
    match (failed.first(), restart_fails) {
        (Some(first), _) if failed.len() == runs.len() => {
            let ended = first.observed.record.solution.as_ref().filter(|run| run.exit != Some(0));
            let what = match ended {
                Some(run) if run.timed_out => {
                    "the solution did not end in time, and the verifier fails it".to_owned()
                }
                Some(run) => format!("the solution ended with {}, and the verifier fails it", status(run)),
                None => "the verifier fails the solution".to_owned(),
            };
            let log = ended.map(|run| last_lines(&run.log)).unwrap_or_default();
            let detail = [first.detail(), log.as_str()].into_iter().filter(|part| !part.is_empty());
            found.add("solution_fails", Severity::Error, first, what, &detail.collect::<Vec<_>>().join("; "));
        }
        (Some(first), _) => {
            let what = "the verifier passes the solution in some episodes only".to_owned();
            found.add("solution_flaky", Severity::Error, first, what, first.detail());
        }
        (None, Some(restarted)) => {
            let what = match &restarted.observed.restart {
                Some(why) => format!("the application cannot be started again after the solution: {why}"),
                None => "the verifier fails the solution after the application was started again".to_owned(),
            };
            found.add("state_not_saved", Severity::Error, restarted, what, restarted.detail());
        }
        (None, None) => {}
    }
}

fn status(run: &HookRun) -> String {
    run.exit.map_or_else(|| "no exit status".to_owned(), |exit| exit.to_string())
}

/// The last lines of a log, in one line.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    let lines = lines.into_iter().rev().map(str::trim).collect::<Vec<_>>().join(" / ");
    tail(&lines, LAST_LINES).to_owned()
}

/// The first differences.
fn some(all: &[String]) -> String {
    let more = all.len().saturating_sub(IN_MESSAGE);
    let mut shown: Vec<String> = all.iter().take(IN_MESSAGE).cloned().collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join("; ")
}

/// Findings by code: one issue each, in however many episodes.
#[derive(Default)]
struct Found(BTreeMap<&'static str, Finding>);

struct Finding {
    severity: Severity,
    what: String,
    episodes: Vec<String>,
    detail: String,
}

impl Found {
    fn add(&mut self, code: &'static str, severity: Severity, episode: &Ended, what: String, detail: &str) {
        let finding = self.0.entry(code).or_insert_with(|| Finding {
            severity,
            what,
            episodes: Vec::new(),
            detail: detail.to_owned(),
        });
        finding.severity = finding.severity.min(severity);
        finding.episodes.push(episode.name().to_owned());
    }

    fn into_issues(self) -> Vec<Issue> {
        let mut findings: Vec<_> = self.0.into_iter().collect();
        findings.sort_by_key(|(code, finding)| (finding.severity, *code));
        findings.into_iter().map(|(code, finding)| finding.issue(code)).collect()
    }
}

impl Finding {
    fn issue(self, code: &str) -> Issue {
        let detail = if self.detail.is_empty() { String::new() } else { format!(": {}", self.detail) };
        let message = format!("{} (in {}){detail}", self.what, self.episodes.join(", "));
        Issue { code: code.to_owned(), severity: self.severity, message, path: None }
    }
}
